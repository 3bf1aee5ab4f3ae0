"""Time and memory of the BD-rates and of the report, on results of a known size.

Target: BD-rates with 10,000 bootstrap samples of 12 codecs, 4 data sets and 5 metrics in less
than 10 s; a report of 100,000 records in less than 30 s and 2 GiB.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time

import numpy as np
import pandas as pd

from harness.analysis import BDOptions, bd_rates
from harness.catalog.metrics import METRICS
from harness.report import write_report

IMAGES = {"kodak": 24, "clic2020-professional": 41, "tecnick": 100, "div2k": 100}
RATES = 8


def results(images: dict[str, int], codecs: int = 12) -> pd.DataFrame:
    """Made-up results of the size and shape of real ones; noise keeps the images apart."""
    random = np.random.default_rng(0)
    cases = pd.MultiIndex.from_tuples(
        [
            (dataset, f"image{n:05}", f"codec-{c:02}", k)
            for dataset, count in images.items()
            for n in range(count)
            for c in range(codecs)
            for k in range(RATES)
        ],
        names=["dataset", "image", "codec", "rate_index"],
    ).to_frame(index=False)
    size = len(cases)
    place = cases["rate_index"].to_numpy()
    strength = 1 + 0.05 * cases["codec"].str[-2:].astype(int).to_numpy()
    busy = random.lognormal(0, 0.3, sum(images.values()))[
        cases.groupby(["dataset", "image"], sort=False).ngroup()
    ]
    goodness = place + 0.1 * random.random(size)
    frame = cases.assign(
        run="made", title=cases["codec"], family="", rate="r" + cases["rate_index"].astype(str),
        checkpoint="", weights="none", resolution="native", height=512, width=768, status="ok",
        reason="", message="", blanks="{}", device="cpu", threads=2, timing_scope="call",
        machine="made", load_ms=1.0, parameters=1e6, flops=1e9, encode_ms=random.random(size),
        decode_ms=random.random(size), encode_peak_rss_bytes=1e8, decode_peak_rss_bytes=1e8,
        started=pd.Timestamp("2026-01-01", tz="UTC"),
        bpp=0.05 * 1.7**place * busy / strength,
    )  # fmt: skip
    return frame.assign(
        psnr=25 + 2 * goodness,
        ms_ssim=1 - 0.2 * 0.6**goodness,
        lpips=0.5 * 0.75**goodness,
        dists=0.3 * 0.75**goodness,
        clip_iqa=0.4 + 0.04 * goodness,
    )


class Clock:
    """Measures the time since it was made, and that of the processor."""

    def __init__(self) -> None:
        self.start = time.perf_counter(), time.process_time()

    def elapsed(self) -> str:
        """Both, in seconds."""
        wall, cpu = time.perf_counter() - self.start[0], time.process_time() - self.start[1]
        return f"{wall:.1f} s (CPU {cpu:.1f} s)"


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    records = parser.parse_args().records

    frame = results(IMAGES)
    write_report(frame.head(24 * RATES), tempfile.mkdtemp())  # imports, fonts
    clock = Clock()
    cells = [
        cell
        for metric in METRICS.values()
        for cell in bd_rates(frame, metric, "codec-00", BDOptions(samples=10_000))
    ]
    bd_seconds = clock.elapsed()
    refused = sum(bool(cell.reason) for cell in cells)
    frame = results({"large": records // 12 // RATES + 1})
    with tempfile.TemporaryDirectory() as out:
        clock = Clock()
        write_report(frame, out)
        report_seconds = clock.elapsed()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print("| what | found | target |")
    print("| :-- | --: | --: |")
    print(f"| {len(cells)} BD-rates ({refused} refused), 10,000 samples each | "
          f"{bd_seconds} | 10 s |")  # fmt: skip
    print(f"| report of {len(frame):,} records | {report_seconds} | 30 s |")
    print(f"| peak memory | {peak:.2f} GiB | 2 GiB |")


if __name__ == "__main__":
    main()
