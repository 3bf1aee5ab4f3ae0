"""Speed of ProGIC: encode and decode time, GFLOP/s, share of the machine's peak, memory.

    python benchmarks/progic.py --threads 1,2
    python benchmarks/progic.py --device cuda

Times are of the codec's own calls, from an 8-bit image to bytes and back, with random weights;
the median of the repeats. The peak is the best single-precision (on a GPU: half-precision)
matrix product that PyTorch reaches on the machine with the same threads, measured in the same
run. Run it on an idle machine.
"""

from __future__ import annotations

import functools
import importlib
import os
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from harness.catalog.codec_manifest import read_codec
from harness.codec import Codec, RatePoint
from harness.worker.adapter import PACKAGE, codec_class
from harness.worker.clock import timed
from harness.worker.memory import read_peaks, reset_peaks

FOLDER = Path(__file__).parents[1] / "adapters" / "progic"
COLUMNS = (
    "codec",
    "size",
    "threads",
    "enc ms",
    "dec ms",
    "enc GFLOP/s",
    "dec GFLOP/s",
    "enc of peak",
    "dec of peak",
    "memory GB",
)


def matrix_product_peak(device: str) -> float:
    """The best GFLOP/s of matrix products, by the BLAS and by oneDNN or cuDNN."""
    on_gpu = device.startswith("cuda")
    options: dict[str, Any] = {"device": device, "dtype": torch.half if on_gpu else torch.float}
    shapes = [(1024, 1024, 1024), (4096, 512, 512), (6144, 832, 416), (2048, 2048, 2048)]
    if on_gpu:
        shapes += [(8192, 8192, 8192), (129600, 416, 1664)]
    best = 0.0
    for rows, inner, outer in shapes:
        left = torch.randn(rows, inner, **options)
        right = torch.randn(inner, outer, **options)
        # A 1 x 1 convolution is a product; dilated, so that oneDNN takes it at one thread.
        image = left.view(1, rows // 32, 32, inner).permute(0, 3, 1, 2)
        kernel = right.t().reshape(outer, inner, 1, 1)
        for operator, operands in (
            (torch.mm, (left, right)),
            (functools.partial(functional.conv2d, dilation=2), (image, kernel)),
        ):
            best = max(best, 2e-6 * rows * inner * outer / least_ms(operator, operands))
    return best


@torch.inference_mode()
def least_ms(operator: Callable[..., Tensor], operands: tuple[Tensor, ...]) -> float:
    """The least time of a call within half a second of calls."""
    samples: list[float] = []
    while sum(samples) < 500:
        samples.append(timed(lambda: operator(*operands))[1])
    return min(samples)


def flops_of_halves(name: str, height: int, width: int) -> tuple[int, int]:
    """Operations of the encoder and of the decoder with all stages, 1 FLOP = 2 MACs."""
    network_module = importlib.import_module(f"{PACKAGE}.network")
    presets = importlib.import_module(f"{PACKAGE}.presets")
    settings = presets.PRESETS[name]
    rows, columns = settings.latent_size(height, width)
    padded = (rows * settings.factor, columns * settings.factor)
    with torch.device("meta"), torch.inference_mode():
        network = network_module.Network(settings).eval()
        with FlopCounterMode(display=False) as encoder:
            network.encoder()(torch.empty(1, *padded, 3, dtype=torch.uint8))
        indices = torch.empty(1, settings.stages, rows, columns, dtype=torch.int64)
        with FlopCounterMode(display=False) as decoder:
            network.decoder()(indices)
    return encoder.get_total_flops(), decoder.get_total_flops()


def loaded_codec(name: str, device: str, options: dict[str, object]) -> Codec:
    """The codec of the manifest with random weights, at its last rate point."""
    spec = next(spec for spec in read_codec(FOLDER / "codec.toml") if spec.name == name)
    codec = codec_class(spec.folder, spec.entry)({**spec.options, **options}, device)
    last = spec.rates[-1]
    codec.load(RatePoint(last.id, last.options, "random"))
    return codec


def row(codec: Codec, name: str, size: tuple[int, int], peak: float, repeats: int) -> list[str]:
    """Measure one codec at one size."""
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    stream = codec.encode(image)
    codec.decode(stream)
    reset_peaks()
    encode_ms = statistics.median(timed(lambda: codec.encode(image))[1] for _ in range(repeats))
    decode_ms = statistics.median(timed(lambda: codec.decode(stream))[1] for _ in range(repeats))
    peaks = read_peaks()
    memory = peaks.rss if peaks.device is None else peaks.device
    rates = [
        flops / ms / 1e6
        for flops, ms in zip(flops_of_halves(name, *size), (encode_ms, decode_ms), strict=True)
    ]
    return [
        name,
        f"{size[0]} x {size[1]}",
        str(torch.get_num_threads()),
        f"{encode_ms:.1f}",
        f"{decode_ms:.1f}",
        *(f"{rate:.0f}" for rate in rates),
        *(f"{rate / peak:.0%}" for rate in rates),
        f"{memory / 1e9:.2f}",
    ]


@click.command()
@click.option("--codec", "names", default="progic,progic-s,progic-tiny", show_default=True)
@click.option("--sizes", default="256x256,512x768,2160x3840", show_default=True)
@click.option("--threads", default="1", show_default=True, help="Commas between several.")
@click.option("--device", default="cpu", show_default=True)
@click.option("--repeats", default=5, show_default=True)
@click.option("--compile", "compiled", is_flag=True, help="Use torch.compile.")
@click.option("--single", is_flag=True, help="Single precision on a GPU.")
def main(
    names: str,
    sizes: str,
    threads: str,
    device: str,
    repeats: int,
    *,
    compiled: bool,
    single: bool,
) -> None:
    """Print the table as Markdown."""
    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + "---|" * len(COLUMNS))
    peaks = {}
    for count in threads.split(","):
        os.environ["HARNESS_THREADS"] = count
        torch.set_num_threads(int(count))
        peaks[count] = peak = matrix_product_peak(device)
        for name in names.split(","):
            codec = loaded_codec(name, device, {"compile": compiled, "half": not single})
            for size in sizes.split(","):
                height, width = map(int, size.split("x"))
                cells = row(codec, name, (height, width), peak, repeats)
                print("| " + " | ".join(cells) + " |", flush=True)
    for count, peak in peaks.items():
        print(f"\nPeak with {count} threads: {peak:.0f} GFLOP/s. PyTorch {torch.__version__}.")


main()
