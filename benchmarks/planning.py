"""Planning 100,000 cases that are all finished: time and memory of ``harness plan``.

Goal: at most 3 s and 1 GiB. Prints a Markdown table.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from harness.catalog.metrics import METRICS
from harness.plan.request import Request, prepare
from harness.store.run_store import RunStore

CASES = 100_000
CODECS = ["jpeg", "jpeg-444", "webp", "avif", "avif-444", "heic", "heic-444", "jpeg-xl", "jpeg2000"]


def fill(results: Path, folder: Path) -> int:
    """Write a store in which every case of ``CODECS`` on ``folder`` is measured and scored."""
    prepared = prepare(Request(codec=CODECS, dataset=[str(folder)], results=results))
    store = RunStore(results / "default")
    for batch in prepared.plan.batches:
        common = {"codec": batch.codec.name, "status": "ok", "repeats": 1, "options": "{}"}
        store.add_cases(
            {"case": c.id, "rate": c.rate.id, "image": c.image.name, "encode_samples_ms": [1.0],
             **common}
            for c in batch.cases
        )  # fmt: skip
        store.add_scores(
            {"case": c.id, "metric": metric, "value": 1.0, "final": True, "card": "card"}
            for c in batch.cases
            for metric in METRICS
        )
    store.merge()
    return prepared.plan.cases


def main() -> None:
    """Make the store, then time the command, twice: the second with the images' index warm."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "images"
        folder.mkdir()
        rng = np.random.default_rng(0)
        for number in range(-(-CASES // (8 * len(CODECS)))):
            pixels = rng.integers(0, 256, (8, 8, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{number:05}.png")
        results = Path(scratch) / "results"
        cases = fill(results, folder)
        command = [sys.executable, "-m", "harness", "plan", "--codec", ",".join(CODECS),
                   "--dataset", str(folder), "--results", str(results)]  # fmt: skip
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        elapsed = time.perf_counter() - start
    assert status == 0, output
    assert f"{cases} cases: {cases} measured, 0 to measure" in output, output
    print("| cases, all finished | `harness plan` (s) | peak memory (GiB) |")
    print("|---:|---:|---:|")
    print(f"| {cases} | {elapsed:.2f} | {usage.ru_maxrss / 2**20:.2f} |")


if __name__ == "__main__":
    main()
