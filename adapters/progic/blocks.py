"""The parts that both transforms are made of.

The backbone is the depth-conv block of DCVC-RT (Jia et al., CVPR 2025) with ReLU; the attention
is that of ELIC (He et al., CVPR 2022) with its residual units replaced by depth-conv blocks. In
the synthesis, every residual branch ends in a scale and a bias that depend on how many stages
are decoded (:class:`StagedConv`).

All maps are float, B x C x H x W, best in channels-last memory: then a 1 x 1 convolution is a
matrix product.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class StagedConv(nn.Conv2d):
    """A 1 x 1 convolution, then a scale and a bias for the number of decoded stages.

    Both are folded into the kernel, which is small, and not applied to the map, which is large.
    """

    def __init__(self, inputs: int, outputs: int, stages: int) -> None:
        super().__init__(inputs, outputs, 1)
        self.stage_scale = nn.Parameter(torch.ones(stages, outputs))
        self.stage_bias = nn.Parameter(torch.zeros(stages, outputs))

    def forward(self, x: Tensor, stages: int) -> Tensor:  # type: ignore[override]
        """Convolve; ``stages`` counts from 1."""
        bias = self.bias
        assert bias is not None  # noqa: S101 - TorchScript needs to know
        scale = self.stage_scale[stages - 1]
        weight = self.weight * scale.view(-1, 1, 1, 1)
        bias = bias * scale + self.stage_bias[stages - 1]
        return functional.conv2d(x, weight, bias, dilation=self.dilation)


class DepthConvBlock(nn.Module):
    """A depthwise-separable convolution and a feed-forward part, each with a residual.

    Attributes:
        band: How many positions the feed-forward part takes at a time, 0 for all. Its result
            does not depend on it; its memory, 4C values a position, and the use of the
            processor's cache do.
    """

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.band = 0
        same = inputs == channels
        self.adapt = nn.Identity() if same else nn.Conv2d(inputs, channels, 1)
        self.mix_in = nn.Conv2d(channels, channels, 1)
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.mix_out = self.projection(channels, channels)
        self.widen = nn.Conv2d(channels, 4 * channels, 1)
        self.narrow = self.projection(2 * channels, channels)

    def projection(self, inputs: int, outputs: int) -> nn.Conv2d:
        """The last convolution of a residual branch."""
        return nn.Conv2d(inputs, outputs, 1)

    def convolved(self, x: Tensor) -> Tensor:
        """The first branch up to its last convolution."""
        out: Tensor = self.depthwise(functional.relu(self.mix_in(x), inplace=True))
        return out

    def widened(self, x: Tensor) -> Tensor:
        """The second branch up to its last convolution: 4C channels, added in halves to 2C."""
        first, second = functional.relu(self.widen(x), inplace=True).chunk(2, 1)
        return first + second

    def bands(self, x: Tensor) -> list[Tensor]:
        """``x`` cut into groups of whole rows of at most :attr:`band` positions."""
        rows = max(1, self.band // (x.shape[0] * x.shape[3]))
        return list(torch.split(x, rows, 2))

    def feed_forward(self, x: Tensor) -> Tensor:
        """The second branch and its residual."""
        out: Tensor = self.narrow(self.widened(x)).add_(x)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """B x inputs x H x W to B x channels x H x W."""
        x = self.adapt(x)
        x = self.mix_out(self.convolved(x)).add_(x)
        if self.band == 0:
            return self.feed_forward(x)
        return torch.cat([self.feed_forward(band) for band in self.bands(x)], 2)


class StagedBlock(DepthConvBlock):
    """A depth-conv block whose residual branches are modulated per stage."""

    def __init__(self, inputs: int, channels: int, stages: int) -> None:
        self.stages = stages
        super().__init__(inputs, channels)

    def projection(self, inputs: int, outputs: int) -> nn.Conv2d:
        """The last convolution of a residual branch."""
        return StagedConv(inputs, outputs, self.stages)

    def feed_forward(self, x: Tensor, stages: int) -> Tensor:  # type: ignore[override]
        """The second branch and its residual."""
        out: Tensor = self.narrow(self.widened(x), stages).add_(x)
        return out

    def forward(self, x: Tensor, stages: int) -> Tensor:  # type: ignore[override]
        """B x inputs x H x W to B x channels x H x W; ``stages`` counts from 1."""
        x = self.adapt(x)
        x = self.mix_out(self.convolved(x), stages).add_(x)
        if self.band == 0:
            return self.feed_forward(x, stages)
        return torch.cat([self.feed_forward(band, stages) for band in self.bands(x)], 2)


class Attention(nn.Module):
    """ELIC's attention: three blocks, gated by three others, with a residual."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.value = nn.Sequential(*(DepthConvBlock(channels, channels) for _ in range(3)))
        self.gate = nn.Sequential(
            *(DepthConvBlock(channels, channels) for _ in range(3)),
            nn.Conv2d(channels, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """B x channels x H x W to the same."""
        out: Tensor = x + self.value(x) * torch.sigmoid(self.gate(x))
        return out


class StagedAttention(nn.Module):
    """The attention of the synthesis: every residual branch is modulated per stage."""

    def __init__(self, channels: int, stages: int) -> None:
        super().__init__()
        self.value = nn.ModuleList(StagedBlock(channels, channels, stages) for _ in range(3))
        self.gate = nn.ModuleList(StagedBlock(channels, channels, stages) for _ in range(3))
        self.gate_out = nn.Conv2d(channels, channels, 1)
        self.stage_scale = nn.Parameter(torch.ones(stages, channels, 1, 1))
        self.stage_bias = nn.Parameter(torch.zeros(stages, channels, 1, 1))

    def forward(self, x: Tensor, stages: int) -> Tensor:
        """B x channels x H x W to the same; ``stages`` counts from 1."""
        value = gate = x
        for block in self.value:
            value = block(value, stages)
        for block in self.gate:
            gate = block(gate, stages)
        gated = value * torch.sigmoid(self.gate_out(gate))
        return x + gated * self.stage_scale[stages - 1] + self.stage_bias[stages - 1]


class StagedUpsample(nn.Module):
    """Twice the height and width by a 1 x 1 convolution and a pixel shuffle, then a block."""

    def __init__(self, inputs: int, channels: int, stages: int) -> None:
        super().__init__()
        self.widen = nn.Conv2d(inputs, 4 * channels, 1)
        self.shuffle = nn.PixelShuffle(2)
        self.block = StagedBlock(channels, channels, stages)

    def forward(self, x: Tensor, stages: int) -> Tensor:
        """B x inputs x H x W to B x channels x 2H x 2W; ``stages`` counts from 1."""
        x = self.shuffle(self.widen(x)).contiguous(memory_format=torch.channels_last)
        out: Tensor = self.block(x, stages)
        return out
