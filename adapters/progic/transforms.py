"""Analysis and synthesis: from an image to the latent at 1/f, and back."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from .blocks import Attention, DepthConvBlock, StagedAttention, StagedBlock, StagedUpsample
from .presets import Settings

PATCH = 8
"""Side of the squares of pixels that become channels at the image side of both transforms."""


def halvings(settings: Settings) -> int:
    """How many x 2 steps lie between 1/8 and 1/f."""
    return (settings.factor // PATCH).bit_length() - 1


class Analysis(nn.Module):
    """Pixel-unshuffle x 8, blocks, x 2 downsampling until 1/f, attention."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        width, latent = settings.width, settings.latent
        self.to_patches = nn.PixelUnshuffle(PATCH)
        layers: list[nn.Module] = [DepthConvBlock(3 * PATCH**2, width)]
        layers += [DepthConvBlock(width, width) for _ in range(settings.analysis_blocks - 1)]
        layers += [nn.Conv2d(width, latent, 2, stride=2)]
        for _ in range(halvings(settings) - 1):
            layers += [DepthConvBlock(latent, latent), nn.Conv2d(latent, latent, 2, stride=2)]
        self.layers = nn.Sequential(*layers)
        self.attention = Attention(latent)

    def forward(self, image: Tensor) -> Tensor:
        """The latent of an image.

        Args:
            image: float, B x 3 x H x W, RGB in [-1, 1]; H and W are multiples of f.

        Returns:
            float, B x latent x H/f x W/f.
        """
        patches = self.to_patches(image).contiguous(memory_format=torch.channels_last)
        latent: Tensor = self.attention(self.layers(patches))
        return latent


class Synthesis(nn.Module):
    """Attention, x 2 upsampling until 1/8, blocks, pixel-shuffle x 8; modulated per stage."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        width, latent, stages = settings.width, settings.latent, settings.stages
        self.attention = StagedAttention(latent, stages)
        widths = [latent] * halvings(settings) + [width]
        self.blocks = nn.ModuleList(
            StagedUpsample(inputs, outputs, stages) for inputs, outputs in pairwise(widths)
        )
        for _ in range(settings.synthesis_blocks - 1):
            self.blocks.append(StagedBlock(width, width, stages))
        self.head = nn.Conv2d(width, 3 * PATCH**2, 1)
        self.from_patches = nn.PixelShuffle(PATCH)

    def forward(self, latent: Tensor, stages: int) -> Tensor:
        """The image of a quantized latent.

        Args:
            latent: float, B x latent x h x w, the sum of the codewords of ``stages`` stages.
            stages: How many stages the latent holds, from 1; one number for the whole batch.

        Returns:
            float, B x 3 x f*h x f*w, RGB, nominally in [-1, 1], not clamped.
        """
        x = self.attention(latent, stages)
        for block in self.blocks:
            x = block(x, stages)
        image: Tensor = self.from_patches(self.head(x))
        return image
