"""The harness's own cost per case: what is left when the codec's time is taken away.

A whole run of JPEG on 24 photographs of 512 x 768, PSNR, is timed. From it are taken the encode
and decode calls, the metrics, the lossless writing of the kept reconstructions, and starting the
two processes of each batch (the goal speaks of loaded models). What is left is reading images,
the wire, hashing, bitstream files, records, locks and the plan of it all.

Goal: at most 5 ms for the median case. The mean beside it shares out what is done once for many
cases: reading each photograph, starting the run, ending the processes. Prints Markdown tables.
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
from PIL import Image

import harness.environments.resident
import harness.measure.batch
import harness.measure.scoring
from harness.measure.runner import Silent, run
from harness.metrics import Scorer
from harness.plan.request import Request, prepare
from harness.store.load import load_results

IMAGES = 24
SPENT: dict[str, float] = defaultdict(float)
KEPT: dict[str, float] = {}


def timed(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, which adds its time to ``SPENT[name]``."""

    def wrapper(*arguments: Any, **options: Any) -> Any:
        start = time.perf_counter()
        try:
            return call(*arguments, **options)
        finally:
            SPENT[name] += time.perf_counter() - start

    return wrapper


def by_case(keep: Callable[..., Any]) -> Callable[..., Any]:
    """``Passes._keep``, which notes the time of each case's lossless writing."""

    def wrapper(passes: Any, item: Any, image: Any) -> None:
        start = time.perf_counter()
        keep(passes, item, image)
        KEPT[item.case.id] = (time.perf_counter() - start) * 1e3

    return wrapper


def photographs(folder: Path) -> None:
    """24 different crops of 512 x 768 of photographs, as PNG."""
    sources = [skimage.data.coffee(), skimage.data.rocket(), skimage.data.astronaut()]
    rng = np.random.default_rng(0)
    for number in range(IMAGES):
        source = Image.fromarray(sources[number % len(sources)]).resize((1152, 768))
        left, top = int(rng.integers(384)), int(rng.integers(256))
        source.crop((left, top, left + 768, top + 512)).save(folder / f"{number:02}.png")


def main() -> None:
    """Run once to warm the file system's cache, then measure."""
    harness.measure.batch.write_png = timed("png", harness.measure.batch.write_png)
    passes = harness.measure.batch.Passes
    passes._keep = by_case(passes._keep)  # type: ignore[method-assign] # noqa: SLF001
    resident = harness.environments.resident.ResidentCodec
    resident._ready = timed("start", resident._ready)  # type: ignore[method-assign] # noqa: SLF001
    Scorer.score = timed("metrics", Scorer.score)  # type: ignore[method-assign]
    Scorer.reference = timed("metrics", Scorer.reference)  # type: ignore[method-assign]
    harness.measure.scoring.score_group = timed("scoring", harness.measure.scoring.score_group)
    Scorer.__init__ = timed("start", Scorer.__init__)  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "photographs"
        folder.mkdir()
        photographs(folder)
        for name in ("warm-up", "measured"):
            SPENT.clear()
            request = Request(
                codec=["jpeg"], dataset=[str(folder)], metric=["psnr"], threads=1, warmup=0,
                results=Path(scratch) / "results", name=name,
            )  # fmt: skip
            start = time.perf_counter()
            outcome = run(prepare(request), Silent())
            total = time.perf_counter() - start
        frame = load_results(outcome.folder)
    codec = (frame["encode_ms"].sum() + frame["decode_ms"].sum()) / 1e3
    parts = {
        "whole run": total,
        "encode and decode calls": codec,
        "metrics": SPENT["metrics"],
        "lossless writing of reconstructions": SPENT["png"],
        "starting processes, loading": SPENT["start"],
    }
    own = total - codec - sum(v for k, v in SPENT.items() if k != "scoring")
    kept = frame["case"].map(KEPT)
    cases = frame["wall_ms"] - frame["encode_ms"] - frame["decode_ms"] - kept
    scoring = (SPENT["scoring"] - SPENT["metrics"]) / len(frame) * 1e3
    print(f"{len(frame)} cases of jpeg, 512 x 768")
    print()
    print("| the harness's own cost | per case (ms) |")
    print("|---|---:|")
    print(f"| median case, its share of scoring with it | {cases.median() + scoring:.2f} |")
    print(f"| mean, all that is done once shared out | {own / len(frame) * 1e3:.2f} |")
    print()
    print("| mean of the whole run | per case (ms) |")
    print("|---|---:|")
    for name, value in parts.items():
        print(f"| {name} | {value / len(frame) * 1e3:.2f} |")


if __name__ == "__main__":
    main()
