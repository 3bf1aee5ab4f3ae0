"""How often the gate calls a regression that is not there, and how often it finds one that is.

Simulated pairs of the size of Kodak: 24 images, five rate points, four metrics, bits, BD-rates
and times. Base and candidate differ from image to image by noise that metrics and rate points
share in part, heavy-tailed and wider on some images than on others. Targets: of 1,000 equal
pairs at most 5 % are called a regression; a loss of 1 % in DISTS is found.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import pandas as pd

from harness.analysis.finding import Finding
from harness.analysis.gate import compare
from harness.analysis.gate_limits import Limit, Limits
from harness.analysis.gate_pairs import Side

IMAGES, RATES = 24, 5
METRICS = {"psnr": 24.0, "ms_ssim": 0.8, "lpips": 0.35, "dists": 0.25}
FALLS = {"lpips", "dists"}
CASE_COLUMNS = {
    "codec": "made", "title": "Made", "dataset": "kodak", "resolution": "native", "status": "ok",
    "weights": "pretrained", "machine": "made", "threads": 2, "device": "cpu",
    "started": pd.Timestamp("2026-01-01", tz="UTC"),
}  # fmt: skip
NO_LIMITS = Limits(
    samples=1000,
    bits=Limit(absolute=0.0),
    bd_rate=Limit(absolute=0.0),
    metrics={name: Limit(absolute=0.0) for name in METRICS},
    slower=1.0,
    floor_ms=0.0,
)
"""Every change counts: the tests alone keep false alarms rare."""


def pair(seed: int, noise: float, loss: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One base and one candidate.

    Args:
        seed: Of the random numbers.
        noise: Standard deviation of an image's relative difference.
        loss: The candidate's relative loss in DISTS.
    """
    random = np.random.default_rng(seed)
    place = np.tile(np.arange(RATES), IMAGES)
    image = np.repeat(np.arange(IMAGES), RATES)
    busy = random.lognormal(0, 0.3, IMAGES)[image]
    width = random.lognormal(0, 0.5, IMAGES)[image]
    shared = random.standard_t(4, IMAGES)[image] / np.sqrt(2)

    def factor(size: float) -> np.ndarray:
        """Around 1; half of its variance is common to all columns of an image."""
        own = random.normal(0, 1, len(image))
        return 1 + size * width * (shared + own) / np.sqrt(2)

    base = pd.DataFrame({
        "image": [f"image{n:02}" for n in image], "rate": [f"s{k}" for k in place],
        "rate_index": place, "bpp": 0.04 * (place + 1) * busy, "encode_ms": 50.0, "decode_ms": 30.0,
    }).assign(**CASE_COLUMNS)  # fmt: skip
    candidate = base.copy()
    for name, value in METRICS.items():
        step = 0.85**place if name in FALLS else 1 + 0.03 * place
        base[name] = value * step * (busy**0.1)
        less = 1.0 if name in FALLS else 0.1  # PSNR and MS-SSIM move less in proportion
        candidate[name] = base[name] * factor(noise * less)
    candidate["dists"] *= 1 + loss
    candidate["bpp"] *= factor(noise / 4)
    for name in ("encode_ms", "decode_ms"):
        base[name], candidate[name] = (ms * random.lognormal(0, 0.05, len(image))
                                       for ms in (base[name], candidate[name]))  # fmt: skip
    return base, candidate


def outcome(seed: int, noise: float, loss: float, limits: Limits) -> tuple[bool, bool]:
    """Whether the gate failed, and whether DISTS was among what it named."""
    base, candidate = pair(seed, noise, loss)
    found: tuple[Finding, ...] = compare(
        Side("base", base), Side("candidate", candidate), limits
    ).regressions
    return bool(found), any(f.subject == "dists" for f in found)


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    usual = Limits(samples=1000)
    print("| noise of an image | loss in DISTS | limits | gate failed | DISTS named | pairs |")
    print("| --: | --: | :-- | --: | --: | --: |")
    with ProcessPoolExecutor(arguments.processes) as pool:
        for noise, loss, name, limits, share in (
            (0.02, 0.0, "none", NO_LIMITS, 1),
            (0.02, 0.0, "default", usual, 1),
            (0.005, 0.01, "default", usual, 5),
            (0.01, 0.01, "default", usual, 5),
            (0.02, 0.01, "default", usual, 5),
        ):
            count = arguments.pairs // share
            ask = partial(outcome, noise=noise, loss=loss, limits=limits)
            ends = list(pool.map(ask, range(count), chunksize=10))
            failed, named = (sum(end[k] for end in ends) / count for k in (0, 1))
            print(
                f"| {noise:.1%} | {loss:.0%} | {name} | {failed:.1%} | {named:.1%} | {count} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
