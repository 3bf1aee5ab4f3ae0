"""HiFiC behind the harness's contract."""

from __future__ import annotations

import binascii
import math
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.codec import (
    BitstreamError,
    Codec,
    CodecError,
    Image,
    Profile,
    Profiled,
    RatePoint,
    UnsupportedImage,
    WithHeader,
    thread_count,
)
from harness.codec.bitstream import MAX_PIXELS, MAX_SIDE, HyperpriorStream
from harness.codec.checkpoint import fingerprint
from harness.codec.files import checkout, weights_path

from . import upstream
from .geometry import (
    HYPER_CHANNELS,
    HYPER_STEP,
    LATENT_CHANNELS,
    hyper_size,
    missing_to_least,
)

PROFILED_SIDE = 256
CODERS = ("exact", "vectorized")
WORD = "<u4"
"""The coder's words, in the bytes."""
DAMAGE = (ArithmeticError, AssertionError, LookupError, TypeError, ValueError)
"""What upstream's coder raises on words that it did not write."""


class HiFiC(Codec, Profiled, WithHeader):
    """A rate point is a checkpoint."""

    def __init__(self, options: Mapping[str, Any], device: str) -> None:
        super().__init__(options, device)
        self._loaded: Path | str | None = None
        if options["coder"] not in CODERS:
            raise CodecError(
                f"option 'coder' is {options['coder']!r}", f"give {' or '.join(CODERS)}"
            )

    def load(self, rate: RatePoint) -> None:
        """Read the network and build its probability tables, unless they are there already."""
        super().load(rate)
        torch.set_num_threads(thread_count())
        torch.backends.cudnn.deterministic = True
        path = weights_path(rate, "run 'harness weights fetch hific', or use --weights random")
        folder = checkout(rate, "hific")
        if self._loaded != (path or rate.weights):
            self._module = upstream.load(folder)
            if path is None:
                self._network = upstream.random_network(self._module, self.options["seed"])
            else:
                self._network = upstream.read_checkpoint(self._module, path)
            self._prior = self._network.Hyperprior
            self._fingerprint = fingerprint(self._network.state_dict().values())
            self._network.to(self.device).requires_grad_(requires_grad=False)
            self._build_tables()
            self._prior.vectorize_encoding = self.options["coder"] == "vectorized"
            self._loaded = path or rate.weights
        name = f"{self.options['coder']} {rate.id} {self._fingerprint}"
        self._identity = binascii.crc_hqx(name.encode(), 0)

    def _build_tables(self) -> None:
        """Thousands of steps on tensors so small that a second thread only makes them slower."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with upstream.on_device(self._module, self.device):
                self._prior.hyperprior_entropy_model.build_tables()
        finally:
            torch.set_num_threads(threads)

    def facts(self) -> Mapping[str, str | int | float | bool]:
        """See :class:`harness.codec.Codec`."""
        return {
            "coder": self.options["coder"],
            "seed": self.options["seed"],
            "threads": torch.get_num_threads(),
        }

    @torch.inference_mode()
    def encode(self, image: Image) -> bytes:
        """See :class:`harness.codec.Codec`."""
        height, width, _ = image.shape
        if height * width > MAX_PIXELS or max(height, width) > MAX_SIDE:
            raise UnsupportedImage(
                f"{height} x {width} is more than {MAX_PIXELS} pixels, or {MAX_SIDE} on a side"
            )
        with upstream.on_device(self._module, self.device):
            output = self._network.compress(self._signal(image), silent=True)
        return HyperpriorStream(
            height, width, words(output.hyperlatents_encoded), words(output.latents_encoded)
        ).to_bytes(self._identity)

    def header_bytes(self, stream: bytes) -> int:
        """See :class:`harness.codec.WithHeader`: what stands before the two strings."""
        coded = HyperpriorStream.read(stream, self._identity, "HiFiC")
        return len(stream) - len(coded.hyperlatents) - len(coded.latents)

    @torch.inference_mode()
    def decode(self, stream: bytes) -> Image:
        """See :class:`harness.codec.Codec`."""
        coded = HyperpriorStream.read(stream, self._identity, "HiFiC")
        rows, columns = hyper_size(coded.height, coded.width)
        hyper_area, latent_area = (rows, columns), (4 * rows, 4 * columns)
        if self._prior.vectorize_encoding:  # upstream then codes one position after the other
            hyper_area = latent_area = (1, 1)
        output = SimpleNamespace(
            hyperlatents_encoded=np.frombuffer(coded.hyperlatents, WORD),
            latents_encoded=np.frombuffer(coded.latents, WORD),
            hyperlatent_spatial_shape=(rows, columns),
            batch_shape=1,
            spatial_shape=(coded.height, coded.width),
            hyper_coding_shape=(HYPER_CHANNELS, *hyper_area),
            latent_coding_shape=(LATENT_CHANNELS, *latent_area),
        )
        try:
            with upstream.on_device(self._module, self.device):
                signal = self._network.decompress(output)[0]
        except DAMAGE as error:
            raise BitstreamError(f"upstream's coder cannot read the bytes: {error}") from error
        pixels = (signal * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous()
        result: Image = pixels.cpu().numpy()
        return result

    @torch.inference_mode()
    def profile(self, height: int, width: int) -> Profile:
        """See :class:`harness.codec.Profiled`.

        Counted at 256 x 256: all is convolution and normalization over channels, so the operations
        are in proportion to the area, which is padded to multiples of 64.
        """
        from harness.codec.flops import profile

        signal = torch.zeros(1, 3, PROFILED_SIDE, PROFILED_SIDE, device=self.device)
        unit = profile(Transforms(self._network), signal)
        area = math.prod(hyper_size(height, width)) * HYPER_STEP**2 / PROFILED_SIDE**2
        flops, flops_torch = round(area * (unit.flops or 0)), round(area * (unit.flops_torch or 0))
        return Profile(unit.parameters, flops, flops_torch)

    def _signal(self, image: Image) -> Tensor:
        """The image as upstream takes it: float, 1 x 3 x H x W; short sides repeat their edge."""
        height, width, _ = image.shape
        pixels = torch.tensor(image, device=self.device).permute(2, 0, 1)[None].float() / 255
        if self._network.args.normalize_input_image:
            pixels = pixels * 2 - 1
        padding = (0, missing_to_least(width), 0, missing_to_least(height))
        return functional.pad(pixels, padding, mode="replicate")


class Transforms(nn.Module):
    """All that a network of HiFiC computes to encode and decode, less the entropy coder.

    Args:
        network: Upstream's.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.encoder, self.generator = network.Encoder, network.Generator
        prior = network.Hyperprior
        self.hyper_encoder = prior.analysis_net
        self.means, self.scales = prior.synthesis_mu, prior.synthesis_std

    def forward(self, signal: Tensor) -> Tensor:
        """The image of an image: float, 1 x 3 x H x W, multiples of 64."""
        latents = self.encoder(signal)
        hyperlatents = self.hyper_encoder(latents)
        self.scales(hyperlatents)
        image: Tensor = self.generator(latents + self.means(hyperlatents))
        return image


def words(encoded: npt.NDArray[np.uint32]) -> bytes:
    """The bytes of the coder's words."""
    return encoded.astype(WORD).tobytes()
