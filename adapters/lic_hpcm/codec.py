"""LIC-HPCM behind the harness's contract."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from harness.codec import (
    Codec,
    CodecError,
    Image,
    Profile,
    Profiled,
    RatePoint,
    UnsupportedImage,
    thread_count,
)
from harness.codec.checkpoint import fill, fingerprint
from harness.codec.files import checkout, weights_path

from . import bitstream
from .bitstream import MAX_PIXELS, MAX_SIDE, MAX_THREADS, Header
from .padding import MULTIPLE, margins, padded
from .upstream import load, without_cuda

HYPER_STEP = 64
"""Pixels to one element of the hyperlatent."""
SCALES = (0.12, 64.0, 60)
"""The smallest and largest scale of the entropy model, and how many: upstream's test."""

AMPLIFIED = {"g_a": 2.5, "h_a": 3.0, "h_s": 20.0}
"""Parts of the network, and by how much the last layer of each is raised in random weights."""


class LicHpcm(Codec, Profiled):
    """A rate point is a checkpoint."""

    def __init__(self, options: Mapping[str, Any], device: str) -> None:
        super().__init__(options, device)
        self._loaded: Path | str | None = None
        self._threads = 0 if device != "cpu" else checked_threads(options["threads"])

    def load(self, rate: RatePoint) -> None:
        """Build the network, unless it is there already."""
        super().load(rate)
        torch.set_num_threads(self._threads or thread_count())
        torch.backends.cudnn.deterministic = True
        path = weights_path(rate, "run 'harness weights fetch lic-hpcm'")
        if self._loaded == (path or rate.weights):
            return
        module = load(checkout(rate, "lic-hpcm"), self.options["model"])
        torch.manual_seed(self.options["seed"])
        with without_cuda():
            network = module.HPCM().eval()
        if path is None:
            amplify(network)
        else:
            fill(network, path, self.options["model"])
        self._fingerprint = fingerprint(network.state_dict().values())
        smallest, largest, count = SCALES
        scales = torch.linspace(math.log(smallest), math.log(largest), count).exp()
        network.update(scales)
        self._network = network.to(self.device).requires_grad_(requires_grad=False)
        self._loaded = path or rate.weights

    def facts(self) -> Mapping[str, str | int | float | bool]:
        """See :class:`harness.codec.Codec`."""
        return {
            "model": self.options["model"],
            "threads": torch.get_num_threads(),
            "seed": self.options["seed"],
        }

    @torch.inference_mode()
    def encode(self, image: Image) -> bytes:
        """See :class:`harness.codec.Codec`."""
        height, width, _ = image.shape
        if height * width > MAX_PIXELS or max(height, width) > MAX_SIDE:
            raise UnsupportedImage(
                f"{height} x {width} is more than {MAX_PIXELS} pixels, or {MAX_SIDE} on a side"
            )
        pixels = torch.from_numpy(image).to(self.device).permute(2, 0, 1)[None]
        signal = functional.pad(pixels.float() / 255, margins(height, width))
        y, z = self._network.compress(signal)["strings"]
        return bitstream.write(Header(self._threads, height, width), z, y, self._fingerprint)

    @torch.inference_mode()
    def decode(self, stream: bytes) -> Image:
        """See :class:`harness.codec.Codec`."""
        header, z, y = bitstream.read(stream, self._threads, self._fingerprint)
        height, width = header.height, header.width
        rows, columns = padded(height, width)
        shape = (rows // HYPER_STEP, columns // HYPER_STEP)
        signal = self._network.decompress([y, z], shape)["x_hat"]
        left, _, above, _ = margins(height, width)
        signal = signal[0, :, above : above + height, left : left + width]
        pixels = (signal * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous()
        result: Image = pixels.cpu().numpy()
        return result

    @torch.inference_mode()
    def profile(self, height: int, width: int) -> Profile:
        """See :class:`harness.codec.Profiled`.

        Counted at 256 x 256: the network is convolutions and attention within windows, so its
        operations are in proportion to the padded area.
        """
        from harness.codec.flops import profile

        signal = torch.zeros(1, 3, MULTIPLE, MULTIPLE, device=self.device)
        unit = profile(self._network, signal)
        units = math.prod(padded(height, width)) // MULTIPLE**2
        return Profile(unit.parameters, units * (unit.flops or 0), units * (unit.flops_torch or 0))


def checked_threads(threads: int) -> int:
    """The option ``threads``.

    Raises:
        CodecError: It does not fit the header.
    """
    if not 1 <= threads <= MAX_THREADS:
        raise CodecError(f"option 'threads' is {threads}", f"give 1 to {MAX_THREADS}")
    return threads


@torch.no_grad()
def amplify(network: Any) -> None:
    """Raise the latents of random weights, which would all be zero, to those of a real codec."""
    for name, gain in AMPLIFIED.items():
        layers = [m for m in getattr(network, name).modules() if hasattr(m, "weight")]
        layers[-1].weight.mul_(gain)
