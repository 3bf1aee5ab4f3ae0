"""The whole network: analysis, residual vector quantizer, synthesis."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .presets import Settings
from .quantizer import ResidualVectorQuantizer
from .transforms import Analysis, Synthesis


class Encoder(nn.Module):
    """From an image to the indices of all stages: what a sender needs."""

    def __init__(self, analysis: Analysis, quantizer: ResidualVectorQuantizer) -> None:
        super().__init__()
        self.analysis = analysis
        self.quantizer = quantizer

    def forward(self, image: Tensor) -> Tensor:
        """B x 3 x H x W in [-1, 1], H and W multiples of f, to int64, B x N x H/f x W/f."""
        latent: Tensor = self.analysis(image)
        return self.quantizer.encode(latent)


class Decoder(nn.Module):
    """From the indices of the first n stages to an image: what a receiver needs."""

    def __init__(self, quantizer: ResidualVectorQuantizer, synthesis: Synthesis) -> None:
        super().__init__()
        self.quantizer = quantizer
        self.synthesis = synthesis

    def forward(self, indices: Tensor) -> Tensor:
        """int64, B x n x h x w, to B x 3 x f*h x f*w, nominally in [-1, 1], not clamped."""
        latent = self.quantizer.decode(indices)
        image: Tensor = self.synthesis(latent, indices.shape[1])
        return image


class Network(nn.Module):
    """ProGIC's network; training uses its three parts, coding its :attr:`encoder` and decoder."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        self.analysis = Analysis(settings)
        self.quantizer = ResidualVectorQuantizer(settings)
        self.synthesis = Synthesis(settings)

    @property
    def encoder(self) -> Encoder:
        """The encoder, which shares this network's parameters."""
        return Encoder(self.analysis, self.quantizer)

    @property
    def decoder(self) -> Decoder:
        """The decoder, which shares this network's parameters."""
        return Decoder(self.quantizer, self.synthesis)

    def forward(self, image: Tensor) -> Tensor:
        """Encode and decode with all stages: B x 3 x H x W in [-1, 1] to the same shape."""
        reconstruction: Tensor = self.decoder(self.encoder(image))
        return reconstruction


def random_network(settings: Settings, seed: int = 0) -> Network:
    """A network with the weights that ``seed`` draws, the same on every machine."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Network(settings).eval()
