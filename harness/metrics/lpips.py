"""LPIPS on VGG16, as the package lpips defines it (Zhang et al., CVPR 2018; weights v0.1)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from harness.metrics.base import Score
from harness.metrics.cards import lpips_card, lpips_layers
from harness.metrics.vgg import STAGES, Features, pixels

_EPSILON = 1e-10


class Lpips:
    """The distance between normalised features, weighted by channel, averaged over each map."""

    name = "lpips"
    smallest_side = 16  # four halvings leave one pixel

    def __init__(self, device: torch.device) -> None:
        layers = [torch.tensor(layer) for layer in lpips_layers().values()]
        self._weights = [layer.flatten().double().to(device) for layer in layers]
        self.card = lpips_card()

    def pool(self, strip: Tensor, *, first: bool, last: bool) -> Tensor:  # noqa: ARG002
        """The maximum of each 2 x 2 block; an odd row or column at the end is dropped."""
        return functional.max_pool2d(strip if first else strip[:, :, 1:], 2)

    def compare(self, reference: Tensor, image: Tensor) -> LpipsComparison:
        """Begin the comparison of two images, 1 x 3 x H x W in [0, 1]."""
        del reference, image
        return LpipsComparison(self._weights)


class LpipsComparison:
    """LPIPS of one image, summed up strip by strip."""

    def __init__(self, weights: list[Tensor]) -> None:
        self._weights = weights
        self._sums = [torch.zeros_like(w) for w in weights]
        self._pixels = [0] * len(STAGES)

    def add(self, reference: Features, image: Features) -> None:
        """Add a strip of features of both images."""
        stage = image.stage
        for ours, theirs in zip(pixels(reference.values), pixels(image.values), strict=True):
            difference = torch.addcmul(
                ours * _inverse_norm(ours), theirs, _inverse_norm(theirs), value=-1
            )
            self._sums[stage] += difference.square_().sum(0)
            self._pixels[stage] += len(ours)

    def score(self) -> Score:
        """LPIPS."""
        layers = zip(self._weights, self._sums, self._pixels, strict=True)
        return Score.of(sum((w @ s).item() / p for w, s, p in layers))


def _inverse_norm(vectors: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    return norm.add_(_EPSILON).reciprocal_()
