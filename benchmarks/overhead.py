"""The harness's own cost per case: what is left when the codec's time is taken away.

JPEG on 24 photographs of 512 x 768 at eight rate points, with PSNR, carried out as a run does it,
with clocks around what is not the harness's own: the encode and decode calls (which the worker
times), the metrics, the lossless writing of the kept reconstructions, and starting the two
processes of each batch (timed on their own: the goal speaks of loaded models). What is left is
reading images, the wire, hashing, bitstream files, records, locks and the plan of it all.

Goal: at most 5 ms for the median case. The mean beside it shares out what is done once for many
cases: reading each photograph, starting the run, ending the processes. Prints Markdown tables.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image as Pillow

from harness.codec import Image
from harness.environments.client import Limits
from harness.environments.ready import Ready
from harness.environments.resident import ResidentCodec, WorkerSettings
from harness.measure.images import Images, Written
from harness.measure.observer import Observer
from harness.measure.runner import Work
from harness.measure.scoring import Scoring, groups
from harness.metrics.base import Score
from harness.metrics.scorer import Reference, Scorer
from harness.plan.cases import Batch, Case, Plan
from harness.plan.prepare import prepare
from harness.plan.request import Request
from harness.store.load import load_results
from harness.store.run_store import RunStore

IMAGES = 24


class TimedImages(Images):
    """The images of a run, and how long each reconstruction took to write, in ms by case."""

    written: dict[str, float]

    def keep(self, batch: Batch, case: Case, image: Image) -> Written:
        """See :class:`Images`."""
        start = time.perf_counter()
        written = super().keep(batch, case, image)
        self.written[case.id] = (time.perf_counter() - start) * 1e3
        return written


class TimedScorer(Scorer):
    """A scorer that knows how long its metrics took, in s."""

    seconds = 0.0

    def reference(self, image: Image) -> Reference:
        """See :class:`Scorer`."""
        start = time.perf_counter()
        reference = super().reference(image)
        self.seconds += time.perf_counter() - start
        return reference

    def score(self, reference: Reference, image: Image) -> dict[str, Score]:
        """See :class:`Scorer`."""
        start = time.perf_counter()
        scores = super().score(reference, image)
        self.seconds += time.perf_counter() - start
        return scores


@dataclass
class Spent:
    """Where the time of one run went, in s; of reconstructions in ms by case."""

    run: float = 0.0
    scoring: float = 0.0
    metrics: float = 0.0
    start: float = 0.0
    written: dict[str, float] = field(default_factory=dict)


def photographs(folder: Path) -> None:
    """24 different crops of 512 x 768 of photographs, as PNG."""
    names = ("coffee", "rocket", "astronaut")
    sources = [getattr(skimage.data, name)() for name in names]
    rng = np.random.default_rng(0)
    for number in range(IMAGES):
        source = Pillow.fromarray(sources[number % len(sources)]).resize((1152, 768))
        left, top = int(rng.integers(384)), int(rng.integers(256))
        source.crop((left, top, left + 768, top + 512)).save(folder / f"{number:02}.png")


def carry_out(request: Request) -> Spent:
    """What :func:`harness.measure.runner.run` does, with clocks."""
    spent = Spent()
    begin = time.perf_counter()
    prepared = prepare(request)
    once = replace(prepared.settings, cap_seconds=0.0)  # every call is the last of its case
    prepared = replace(prepared, settings=once)
    store = RunStore(request.folder)
    work = Work(prepared, store, Observer())
    images = TimedImages(store, prepared.settings)
    images.written = spent.written
    work.images = images
    work.measure(work.remaining(prepared.plan))
    scorer = TimedScorer(list(request.metric))
    for card in scorer.cards.values():
        store.write_card(card.id, card.as_dict())
    scoring = Scoring(store, scorer, images, work.observer)
    start = time.perf_counter()
    for group in groups(work.unscored()):
        scoring.score(group)
    spent.scoring = time.perf_counter() - start
    store.merge()
    spent.run = time.perf_counter() - begin
    spent.metrics = scorer.seconds
    spent.start = 2 * seconds_to_start(prepared.plan, request.folder / "start.log")
    return spent


def seconds_to_start(plan: Plan, log: Path) -> float:
    """How long it takes to start a process for each batch, and load its model."""
    seconds = 0.0
    settings = WorkerSettings(1, Limits(60, 60, 1 << 40), log)
    for batch in plan.batches:
        assert isinstance(batch.model.ready, Ready)
        with ResidentCodec(batch.model.ready, batch.rates[0], settings) as codec:
            start = time.perf_counter()
            with codec.use():
                seconds += time.perf_counter() - start
    return seconds


def main() -> None:
    """Run once to warm the file system's cache, then measure."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "photographs"
        folder.mkdir()
        photographs(folder)
        for name in ("warm-up", "measured"):
            request = Request(
                codec=["jpeg"], dataset=[str(folder)], metric=["psnr"], threads=1, warmup=0,
                results=Path(scratch) / "results", name=name,
            )  # fmt: skip
            spent = carry_out(request)
        frame = load_results(request.folder)
    cases = len(frame)
    written = frame["case"].map(spent.written)
    measured = frame["wall_ms"] - frame["encode_ms"] - frame["decode_ms"] - written
    scoring = (spent.scoring - spent.metrics) / cases * 1e3
    parts = {
        "whole run": spent.run,
        "encode and decode calls": (frame["encode_ms"].sum() + frame["decode_ms"].sum()) / 1e3,
        "metrics": spent.metrics,
        "lossless writing of reconstructions": written.sum() / 1e3,
        "starting processes, loading": spent.start,
    }
    own = 2 * spent.run - sum(parts.values())
    print(f"{cases} cases of jpeg, 512 x 768")
    print()
    print("| the harness's own cost | per case (ms) |")
    print("|---|---:|")
    print(f"| median case, its share of scoring with it | {measured.median() + scoring:.2f} |")
    print(f"| mean, all that is done once shared out | {own / cases * 1e3:.2f} |")
    print()
    print("| mean of the whole run | per case (ms) |")
    print("|---|---:|")
    for name, value in parts.items():
        print(f"| {name} | {value / cases * 1e3:.2f} |")


if __name__ == "__main__":
    main()
