"""Scoring 5 codecs x 5 rates of the same photographs: the harness against a plain loop.

The plain loop calls pytorch-msssim, lpips and DISTS_pytorch for every pair, as a script would.
Each side runs in a process of its own with the same threads, and times the scoring alone; the
sides take turns, image by image, so that neither has the quieter machine. Run
``python benchmarks/scoring.py [photograph ...]``; without photographs it takes two that
scikit-image ships.
"""

from __future__ import annotations

import io
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image

from harness.codec import Image as Pixels

TARGET = 2.5
TOLERANCE = 1e-5
METRICS = ("psnr", "ms_ssim", "lpips", "dists")
CODECS: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "jpeg": ("JPEG", [{"quality": q} for q in (5, 15, 30, 60, 90)]),
    "webp": ("WEBP", [{"quality": q} for q in (5, 20, 40, 70, 90)]),
    "avif": ("AVIF", [{"quality": q, "speed": 9} for q in (10, 30, 50, 70, 90)]),
    "jpeg2000": ("JPEG2000", [{"quality_layers": [r]} for r in (120, 60, 30, 15, 6)]),
    "jpeg-xl": ("JXL", [{"quality": q, "effort": 3} for q in (10, 30, 50, 70, 90)]),
}

Score = Callable[[Pixels, list[Pixels]], list[dict[str, float]]]


def main(photographs: list[str]) -> int:
    """Run both sides, print the table; 1 when values differ or the target is missed."""
    names = photographs or ["astronaut", "coffee"]
    sides = {side: _start(side) for side in ("plain", "harness")}
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    farthest = 0.0
    for name in names:
        values = {}
        for side, process in sides.items():
            answer = _ask(process, name)
            seconds[side].append(answer["seconds"])
            values[side] = answer["values"]
        farthest = max(farthest, _distance(values["plain"], values["harness"]))
    for process in sides.values():
        process.communicate()
    ratios = [p / h for p, h in zip(seconds["plain"], seconds["harness"], strict=True)]
    ratio = statistics.median(ratios)

    cases = sum(len(rates) for _, rates in CODECS.values())
    print("| what | value |\n|---|---|")
    print(f"| photographs x decoded images of each | {len(names)} x {cases} |")
    print(f"| threads | {_threads()} |")
    for side, times in seconds.items():
        print(f"| {side}, s a pair (median) | {statistics.median(times) / cases:.3f} |")
    print(f"| plain / harness (median of photographs) | {ratio:.2f} |")
    print(f"| target | {TARGET} |\n| largest difference of a value | {farthest:.1e} |")
    return int(ratio < TARGET or farthest > TOLERANCE)


def serve(side: str) -> None:
    """Score the photographs whose names come in, one line each."""
    import torch

    torch.set_num_threads(_threads())
    score = {"plain": _plain, "harness": _harness}[side]()
    original = _open("astronaut")[:192, :192]
    score(original, [original])  # warm up
    for line in sys.stdin:
        image = _open(line.strip())
        decoded = list(_decoded(image))
        start = time.perf_counter()
        values = score(image, decoded)
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "values": values}), flush=True)


def _plain() -> Score:
    import DISTS_pytorch
    import lpips
    import torch
    import torchvision
    from pytorch_msssim import ms_ssim

    from harness.assets.networks import load_network
    from harness.metrics.vgg import VGG16

    # The packages would download torchvision's file; these are the same numbers.
    vgg = torchvision.models.vgg16(weights=None)
    tensors = load_network(VGG16).items()
    state = {name.removeprefix("features."): torch.from_numpy(t) for name, t in tensors}
    vgg.features.load_state_dict(state)
    torchvision.models.vgg16 = lambda **_: vgg
    lpips_model = lpips.LPIPS(net="vgg", verbose=False)
    dists_model = DISTS_pytorch.DISTS()

    def pair(original: Pixels, decoded: Pixels) -> dict[str, float]:
        error = np.mean((original.astype(np.float64) - decoded) ** 2)
        x, y = (
            torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float()
            for image in (original, decoded)
        )
        with torch.no_grad():
            return {
                "psnr": 10 * math.log10(255**2 / error) if error else math.inf,
                "ms_ssim": ms_ssim(x, y, data_range=255).item(),
                "lpips": lpips_model(x / 127.5 - 1, y / 127.5 - 1).item(),
                "dists": dists_model(x / 255, y / 255).item(),
            }

    return lambda original, decoded: [pair(original, image) for image in decoded]


def _harness() -> Score:
    from harness.metrics import Scorer

    scorer = Scorer(METRICS)
    if scorer.unavailable:
        sys.exit(str(scorer.unavailable))

    def score(original: Pixels, decoded: list[Pixels]) -> list[dict[str, float]]:
        reference = scorer.reference(original)
        scores = [scorer.score(reference, image) for image in decoded]
        return [
            {name: s.value for name, s in case.items() if s.value is not None} for case in scores
        ]

    return score


def _open(name: str) -> Pixels:
    if os.path.sep in name:
        return np.asarray(Image.open(name).convert("RGB"))
    import skimage.data

    return np.asarray(getattr(skimage.data, name)())


def _decoded(original: Pixels) -> Iterator[Pixels]:
    import pillow_jxl  # noqa: F401  (registers JPEG XL with Pillow)

    for format_name, rates in CODECS.values():
        for options in rates:
            file = io.BytesIO()
            Image.fromarray(original).save(file, format_name, **options)
            yield np.asarray(Image.open(file).convert("RGB"))


def _start(side: str) -> subprocess.Popen[str]:
    threads = str(_threads())
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    command = [sys.executable, "-W", "ignore", __file__, "--serve", side]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)


def _ask(process: subprocess.Popen[str], name: str) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{name}\n")
    process.stdin.flush()
    answer: dict[str, Any] = json.loads(process.stdout.readline())
    return answer


def _distance(first: list[dict[str, float]], second: list[dict[str, float]]) -> float:
    pairs = zip(first, second, strict=True)
    return max(abs(a[name] - b[name]) if a != b else 0.0 for a, b in pairs for name in METRICS)


def _threads() -> int:
    return int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2])
    else:
        sys.exit(main(sys.argv[1:]))
