"""MS-ILLM behind the harness's contract."""

from __future__ import annotations

import binascii
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.codec import (
    Codec,
    Image,
    Profile,
    Profiled,
    RatePoint,
    UnsupportedImage,
    WithHeader,
    thread_count,
)
from harness.codec.bitstream import MAX_PIXELS, MAX_SIDE, HyperpriorStream
from harness.codec.checkpoint import fill, fingerprint
from harness.codec.files import weights_path

from . import upstream
from .geometry import missing_to_least, padded

HiFiCAutoencoder, HyperpriorCompressedOutput = upstream.load()

RANDOM_SCALE = 0.6
"""Of the encoder's last layer: random weights then come to some tenths of a bit per pixel."""
PROFILED_SIDE = 256


class MsIllm(Codec, Profiled, WithHeader):
    """A rate point is a checkpoint of one network."""

    def __init__(self, options: Mapping[str, Any], device: str) -> None:
        super().__init__(options, device)
        self._loaded: Path | str | None = None

    def load(self, rate: RatePoint) -> None:
        """Read the network and build its probability tables, unless they are there already.

        The entropy model's part of the network stays on the CPU, as upstream has it.
        """
        super().load(rate)
        torch.set_num_threads(thread_count())
        torch.backends.cudnn.deterministic = True
        path = weights_path(rate, "name the file as ms-illm@FILE, or use --weights random")
        if self._loaded != (path or rate.weights):
            if path is None:
                network = random_network(self.options["seed"])
            else:
                network = HiFiCAutoencoder().eval()
                fill(network, path, "MS-ILLM")
            self._fingerprint = fingerprint(network.parameters())
            self._network = network.to(self.device)
            self._network.update_tensor_devices("compress")
            self._loaded = path or rate.weights
        self._identity = binascii.crc_hqx(f"{rate.id} {self._fingerprint}".encode(), 0)

    def facts(self) -> Mapping[str, str | int | float | bool]:
        """See :class:`harness.codec.Codec`."""
        return {"seed": self.options["seed"], "threads": torch.get_num_threads()}

    @torch.inference_mode()
    def encode(self, image: Image) -> bytes:
        """See :class:`harness.codec.Codec`."""
        height, width, _ = image.shape
        if height * width > MAX_PIXELS or max(height, width) > MAX_SIDE:
            raise UnsupportedImage(
                f"{height} x {width} is more than {MAX_PIXELS} pixels, or {MAX_SIDE} on a side"
            )
        pixels = torch.tensor(image, device=self.device).permute(2, 0, 1)[None].float() / 255
        padding = (0, missing_to_least(width), 0, missing_to_least(height))
        signal = functional.pad(pixels, padding, mode="replicate")
        output = self._network.compress(signal, force_cpu=False)
        (hyperlatents,), (latents,) = output.hyper_latent_strings, output.latent_strings
        return HyperpriorStream(height, width, hyperlatents, latents).to_bytes(self._identity)

    def header_bytes(self, stream: bytes) -> int:
        """See :class:`harness.codec.WithHeader`: what stands before the two strings."""
        coded = HyperpriorStream.read(stream, self._identity, "MS-ILLM")
        return len(stream) - len(coded.hyperlatents) - len(coded.latents)

    @torch.inference_mode()
    def decode(self, stream: bytes) -> Image:
        """See :class:`harness.codec.Codec`."""
        coded = HyperpriorStream.read(stream, self._identity, "MS-ILLM")
        output = HyperpriorCompressedOutput(
            latent_strings=[coded.latents],
            hyper_latent_strings=[coded.hyperlatents],
            image_size=(coded.height, coded.width),
            padded_size=padded(coded.height, coded.width),
        )
        signal = self._network.decompress(output, force_cpu=False)[0]
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

        network = HiFiCAutoencoder().eval()
        unit = profile(Transforms(network), torch.zeros(1, 3, PROFILED_SIDE, PROFILED_SIDE))
        area = math.prod(padded(height, width)) / PROFILED_SIDE**2
        parameters = sum(parameter.numel() for parameter in network.parameters())
        flops, flops_torch = round(area * (unit.flops or 0)), round(area * (unit.flops_torch or 0))
        return Profile(parameters, flops, flops_torch)


class Transforms(nn.Module):
    """All that the network computes to encode and decode, less the entropy coder.

    Args:
        network: Upstream's, all of it on one device.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.encoder, self.decoder = network.encoder, network.decoder
        self.hyper_encoder = network.hyper_analysis
        self.means, self.scales = network.hyper_synthesis_mean, network.hyper_synthesis_scale

    def forward(self, signal: Tensor) -> Tensor:
        """The image of an image: float, 1 x 3 x H x W, multiples of 64."""
        latents = self.encoder(signal)
        hyperlatents = self.hyper_encoder(latents)
        self.scales(hyperlatents)
        image: Tensor = self.decoder(latents + self.means(hyperlatents))
        return image


def random_network(seed: int) -> Any:
    """A network of random weights whose latents are as small as those of trained ones."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = HiFiCAutoencoder().eval()
    with torch.no_grad():
        last_convolution(network.encoder).weight.mul_(RANDOM_SCALE)
    return network


def last_convolution(network: nn.Module) -> nn.Conv2d:
    """The last of a network's convolutions."""
    return [module for module in network.modules() if isinstance(module, nn.Conv2d)][-1]
