"""DISTS, as the package DISTS_pytorch defines it (Ding et al., TPAMI 2020), without resizing."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from harness.metrics.base import Score
from harness.metrics.cards import dists_card, dists_channels
from harness.metrics.vgg import CHANNELS, Features, pixels

_C1 = _C2 = 1e-6


class Dists:
    """Similarity of the means and the structure of features, weighted by channel."""

    name = "dists"
    smallest_side = 1

    def __init__(self, device: torch.device) -> None:
        alpha, beta = (torch.tensor(values) for values in dists_channels().values())
        total = alpha.double().sum() + beta.double().sum()
        channels = [3, *CHANNELS]
        self._alpha = torch.split((alpha.double() / total).to(device), channels)
        self._beta = torch.split((beta.double() / total).to(device), channels)
        self._filters = {c: _hann_filter(c).to(device) for c in set(CHANNELS)}
        self.card = dists_card()

    def pool(self, strip: Tensor, *, first: bool, last: bool) -> Tensor:
        """The root of the squares averaged by a 3 x 3 Hann window, at every second pixel."""
        height = strip.shape[2]
        below = height % 2 if first else 1 - height % 2
        padding = (1, 1, int(first), below if last else 0)
        squares = functional.pad(strip * strip, padding)
        kernel = self._filters[strip.shape[1]]
        out = functional.conv2d(squares, kernel, stride=2, groups=strip.shape[1])
        return out.add_(1e-12).sqrt_()

    def compare(self, reference: Tensor, image: Tensor) -> DistsComparison:
        """Begin the comparison of two images, 1 x 3 x H x W in [0, 1]."""
        return DistsComparison(self._alpha, self._beta, reference, image)


class Moments:
    """Means, variances and covariance of two P x C sets of vectors, one piece after another.

    The sums are of differences from a fixed vector close to the mean, which keeps digits that a
    plain sum of squares would lose.
    """

    def __init__(self, shift: Tensor) -> None:
        self._shift = shift
        self._sums = torch.zeros(5, len(shift), dtype=torch.float64, device=shift.device)
        self._count = 0

    def add(self, first: Tensor, second: Tensor) -> None:
        """Add a piece of both sets."""
        x, y = first - self._shift, second - self._shift
        sums = [x.sum(0), y.sum(0), (x * y).sum(0), x.square_().sum(0), y.square_().sum(0)]
        self._sums += torch.stack(sums)
        self._count += len(x)

    def similarity(self) -> tuple[Tensor, Tensor]:
        """The similarity of means and of structure for each channel: shapes C and C."""
        x, y, xy, xx, yy = self._sums / self._count
        mean_x, mean_y = self._shift + x, self._shift + y
        variances = (xx - x * x) + (yy - y * y)
        means = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
        return means, (2 * (xy - x * y) + _C2) / (variances + _C2)


class DistsComparison:
    """DISTS of one image, summed up strip by strip."""

    def __init__(
        self,
        alpha: tuple[Tensor, ...],
        beta: tuple[Tensor, ...],
        reference: Tensor,
        image: Tensor,
    ) -> None:
        self._alpha, self._beta = alpha, beta
        self._moments: list[Moments] = []
        self._add(0, reference, image)

    def add(self, reference: Features, image: Features) -> None:
        """Add a strip of features of both images."""
        self._add(image.stage + 1, reference.values, image.values)

    def score(self) -> Score:
        """DISTS."""
        distance = 1.0
        for alpha, beta, moments in zip(self._alpha, self._beta, self._moments, strict=True):
            means, structure = moments.similarity()
            distance -= (alpha @ means + beta @ structure).item()
        return Score.of(distance)

    def _add(self, layer: int, reference: Tensor, image: Tensor) -> None:
        if layer == len(self._moments):
            self._moments.append(Moments(reference.mean((0, 2, 3))))
        moments = self._moments[layer]
        for ours, theirs in zip(pixels(reference), pixels(image), strict=True):
            moments.add(ours, theirs)


def _hann_filter(channels: int) -> Tensor:
    """The package's filter: a 5-point Hann window without its zeros, one copy per channel."""
    window = np.hanning(5)[1:-1]
    kernel = torch.tensor(np.outer(window, window), dtype=torch.float32)
    return (kernel / kernel.sum()).repeat(channels, 1, 1, 1)
