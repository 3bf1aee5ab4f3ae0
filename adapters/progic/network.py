"""The whole network, and the two halves of it that are deployed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .blocks import DepthConvBlock
from .presets import Settings
from .quantizer import ResidualVectorQuantizer
from .transforms import Analysis, Synthesis

CPU_BAND = 2048
"""A good :attr:`.blocks.DepthConvBlock.band` on a CPU: its values stay in the last cache."""


def to_signal(pixels: Tensor) -> Tensor:
    """uint8, B x H x W x 3, to float, B x 3 x H x W, in [-1, 1] and channels-last memory."""
    return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1


def to_pixels(signal: Tensor) -> Tensor:
    """float, B x 3 x H x W, clamped to [-1, 1], to uint8, B x H x W x 3, rounded."""
    scaled = (signal.float().clamp(-1, 1) + 1) * 127.5
    return scaled.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


class Encoder(nn.Module):
    """From pixels to the indices of all stages: what a sender needs."""

    def __init__(self, analysis: Analysis, quantizer: ResidualVectorQuantizer) -> None:
        super().__init__()
        self.analysis = analysis
        self.quantizer = quantizer
        self.dtype = next(analysis.parameters()).dtype

    def forward(self, pixels: Tensor) -> Tensor:
        """uint8, B x H x W x 3, H and W multiples of f, to int64, B x N x H/f x W/f."""
        latent = self.analysis(to_signal(pixels).to(self.dtype)).float()
        return self.quantizer.encode(latent)


class Decoder(nn.Module):
    """From the indices of the first n stages to pixels: what a receiver needs."""

    def __init__(self, quantizer: ResidualVectorQuantizer, synthesis: Synthesis) -> None:
        super().__init__()
        self.quantizer = quantizer
        self.synthesis = synthesis
        self.dtype = next(synthesis.parameters()).dtype

    def forward(self, indices: Tensor) -> Tensor:
        """int64, B x n x h x w, n from 1 to N, to uint8, B x f*h x f*w x 3."""
        latent = self.quantizer.decode(indices).to(self.dtype)
        return to_pixels(self.synthesis(latent, indices.shape[1]))


class Network(nn.Module):
    """ProGIC's network. Training uses its three parts, coding its encoder and its decoder."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        self.analysis = Analysis(settings)
        self.quantizer = ResidualVectorQuantizer(settings)
        self.synthesis = Synthesis(settings)

    def encoder(self) -> Encoder:
        """The encoder, which shares this network's parameters."""
        return Encoder(self.analysis, self.quantizer)

    def decoder(self) -> Decoder:
        """The decoder, which shares this network's parameters."""
        return Decoder(self.quantizer, self.synthesis)

    def half_transforms(self) -> Network:
        """Both transforms in half precision; the search among the words stays in single."""
        self.analysis.half()
        self.synthesis.half()
        return self

    def set_band(self, positions: int) -> Network:
        """Set :attr:`.blocks.DepthConvBlock.band` of every block."""
        for module in self.modules():
            if isinstance(module, DepthConvBlock):
                module.band = positions
        return self

    def dilate_pointwise(self) -> Network:
        """Mark the 1 x 1 convolutions as dilated, which changes nothing but who computes them.

        With one thread, PyTorch keeps undilated ones from oneDNN, which on some processors is
        twice as fast as what it takes instead.
        """
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1):
                module.dilation = (2, 2)
        return self

    def forward(self, signal: Tensor) -> Tensor:
        """Encode and decode with all stages: float, B x 3 x H x W in [-1, 1], to the same."""
        indices = self.quantizer.encode(self.analysis(signal))
        latent = self.quantizer.decode(indices)
        reconstruction: Tensor = self.synthesis(latent, self.settings.stages)
        return reconstruction


def random_network(settings: Settings, seed: int = 0) -> Network:
    """A network with the weights that ``seed`` draws, the same on every machine."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Network(settings).eval()
