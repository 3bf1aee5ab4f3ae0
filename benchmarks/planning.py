"""Planning 100,000 cases that are all finished: time and memory of ``harness plan``.

Goal: at most 3 s and 1 GiB. Prints a Markdown table.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image

from harness.catalog.metrics import METRICS
from harness.errors import Status
from harness.metrics.cards import current_cards
from harness.plan.cases import Batch, Case
from harness.plan.prepare import prepare
from harness.plan.request import Request, Settings
from harness.store.records import CaseRecord, ScoreRecord
from harness.store.run_store import RunStore

CASES = 100_000
CODECS = ["jpeg", "jpeg-444", "webp", "avif", "avif-444", "heic", "heic-444", "jpeg-xl", "jpeg2000"]


def fill(results: Path, folder: Path) -> int:
    """Write a store in which every case of ``CODECS`` on ``folder`` is measured and scored."""
    prepared = prepare(Request(codec=CODECS, dataset=[str(folder)], results=results))
    store = RunStore(results / "default")
    cards = current_cards(METRICS)
    for batch in prepared.plan.batches:
        store.add_cases(record_of(batch, case, prepared.settings) for case in batch.cases)
        store.add_scores(
            ScoreRecord(case=case.id, metric=metric, value=1.0, card=cards.get(metric, "card"))
            for case in batch.cases
            for metric in METRICS
        )
    store.merge()
    return prepared.plan.cases


def record_of(batch: Batch, case: Case, settings: Settings) -> CaseRecord:
    """A finished case's record, as a run writes it."""
    codec = batch.codec
    return CaseRecord(
        case=case.id, codec=codec.name, title=codec.title, family=codec.family, rate=case.rate.id,
        rate_index=codec.rates.index(case.rate), checkpoint="", weights="none", options="{}",
        dataset=batch.dataset, image=case.image.name, image_sha256=case.image.sha256,
        resolution="native", status=Status.OK, device="cpu", threads=settings.threads, repeats=1,
        timing_scope="call", shared_encode=False, machine="", invocation="",
        started=datetime.now(UTC), encode_samples_ms=[1.0], decode_samples_ms=[1.0],
    )  # fmt: skip


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
