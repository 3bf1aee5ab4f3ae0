"""The harness's own cost per case: what is left when the codec's time is taken away.

A whole run of JPEG on 24 photographs of 512 x 768, PSNR, is timed. From it are taken the encode
and decode calls, the metrics, the lossless writing of the kept reconstructions, and starting the
two processes of each batch (the goal speaks of loaded models). What is left is reading images,
the wire, hashing, bitstream files, records, locks and the plan of it all.

Goal: at most 5 ms a case. Prints a Markdown table.
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

import harness.execute
import harness.resident
from harness.metrics import Scorer
from harness.request import Request, prepare
from harness.runner import Silent, run
from harness.store.load import load_results

IMAGES = 24
SPENT: dict[str, float] = defaultdict(float)


def timed(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, which adds its time to ``SPENT[name]``."""

    def wrapper(*arguments: Any, **options: Any) -> Any:
        start = time.perf_counter()
        try:
            return call(*arguments, **options)
        finally:
            SPENT[name] += time.perf_counter() - start

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
    harness.execute.write_png = timed("png", harness.execute.write_png)
    resident = harness.resident.ResidentCodec
    resident._ready = timed("start", resident._ready)  # type: ignore[method-assign] # noqa: SLF001
    Scorer.score = timed("metrics", Scorer.score)  # type: ignore[method-assign]
    Scorer.reference = timed("metrics", Scorer.reference)  # type: ignore[method-assign]
    Scorer.__init__ = timed("start", Scorer.__init__)  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "photographs"
        folder.mkdir()
        photographs(folder)
        for name in ("warm-up", "measured"):
            SPENT.clear()
            request = Request(
                codec=["jpeg"], dataset=[str(folder)], metrics=["psnr"], threads=1, warmup=0,
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
    own = total - codec - sum(SPENT.values())
    print(f"{len(frame)} cases of jpeg, 512 x 768")
    print()
    print("| part | per case (ms) |")
    print("|---|---:|")
    for name, value in [*parts.items(), ("the harness's own", own)]:
        print(f"| {name} | {value / len(frame) * 1e3:.2f} |")


if __name__ == "__main__":
    main()
