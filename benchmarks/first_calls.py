"""Whether the times of a run are those of a codec, or of its first calls.

For every classical codec, at each of its rate points: photographs of 512 x 768 are encoded and
decoded as ``run`` does it by default, and then 15 times more in the same worker. Prints the median
over all of the ratio of the two, and the extremes. Goal: JPEG's ``decode_ms`` within 5 %.

    python benchmarks/first_calls.py [--codec jpeg,webp] [--images 4]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image as Pillow

from harness.catalog.codecs import load_catalog
from harness.codec import Image
from harness.environments.client import Limits
from harness.environments.ready import Ready
from harness.environments.resident import ResidentCodec, WorkerSettings
from harness.readiness.ready import Readiness
from harness.worker.timing import Calls

CLASSICAL = "jpeg,webp,avif,heic,jpeg_xl,jpeg2000"
AGAIN = Calls(repeats=15)


def photographs(count: int) -> list[Image]:
    """Crops of 512 x 768, of photographs that come with scikit-image."""
    sources = [getattr(skimage.data, name)() for name in ("coffee", "astronaut", "rocket")]
    rng = np.random.default_rng(0)
    crops = []
    for number in range(count):
        source = Pillow.fromarray(sources[number % len(sources)]).resize((1152, 768))
        left, top = int(rng.integers(384)), int(rng.integers(256))
        crops.append(np.asarray(source.crop((left, top, left + 768, top + 512))))
    return crops


def ratios(ready: Ready, images: list[Image], log: Path) -> dict[str, list[tuple[float, float]]]:
    """By pass: what ``run`` reports and the median of 15 calls after it, both in ms."""
    found: dict[str, list[tuple[float, float]]] = {"encode": [], "decode": []}
    settings = WorkerSettings(1, Limits.of(600.0, 1 << 40), log)
    for rate in ready.codec.rates:
        streams = []
        with ResidentCodec(ready, rate, settings) as codec, codec.use() as worker:
            for image in images:
                calls = Calls(warmup=codec.warmup(image.shape, 1), steady=True)
                stream, measured, _ = worker.encode(image, calls)
                again = worker.encode(image, AGAIN)[1].samples_ms
                streams.append(stream)
                found["encode"].append(
                    (statistics.median(measured.samples_ms), statistics.median(again))
                )
        with ResidentCodec(ready, rate, settings) as codec, codec.use() as worker:
            for stream, image in zip(streams, images, strict=True):
                calls = Calls(warmup=codec.warmup(image.shape, 1), steady=True)
                _, measured = worker.decode(stream, calls)
                again = worker.decode(stream, AGAIN)[1].samples_ms
                found["decode"].append(
                    (statistics.median(measured.samples_ms), statistics.median(again))
                )
    return found


def main() -> None:
    """Print one row for each codec and pass."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--codec", default=CLASSICAL)
    parser.add_argument("--images", type=int, default=4)
    options = parser.parse_args()
    images = photographs(options.images)
    catalog = load_catalog()
    readiness = Readiness(weights="pretrained", device="cpu", environment="inline")
    print("| codec | pass | run, ms | 15 more calls, ms | ratio, median | least | greatest |")
    print("|---|---|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for name in options.codec.split(","):
            ready = readiness.of(catalog.get(name), catalog.get(name).rates)
            assert isinstance(ready, Ready), f"{name}: {ready}"
            for which, pairs in ratios(ready, images, Path(folder) / "log").items():
                share = sorted(run / again for run, again in pairs)
                run, again = (statistics.median(column) for column in zip(*pairs, strict=True))
                numbers = (statistics.median(share), share[0], share[-1])
                shown = " | ".join(f"{number:.3f}" for number in numbers)
                print(f"| {name} | {which} | {run:.2f} | {again:.2f} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
