"""LPIPS and DISTS together, on one walk through VGG16."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.codec import Image
from harness.metrics.base import Measure, Score, to_tensor
from harness.metrics.dists import Dists
from harness.metrics.lpips import Lpips
from harness.metrics.vgg import CHANNELS, VGG16, Features, Vgg16
from harness.weights import load_network

_KEPT_BYTES = 4 << 30
"""How much of a reference's features is kept between comparisons."""


@dataclass(frozen=True)
class PreparedFeatures:
    """The reference, and as much of its features as fits; the rest is computed again.

    Attributes:
        image: 1 x 3 x H x W in [0, 1].
        kept: Features in the order of the walk: all, all but the first stage's, or none.
    """

    image: Tensor
    kept: Sequence[Features]


class Perceptual(Measure):
    """LPIPS, DISTS, or both.

    Raises:
        WeightsUnavailable: VGG16's weights cannot be had.
    """

    def __init__(self, heads: Sequence[Lpips | Dists], device: torch.device) -> None:
        self._heads = heads
        self._vgg = Vgg16(load_network(VGG16), device)
        self.cards = {head.name: head.card for head in self._heads}

    def prepare(self, reference: Image) -> PreparedFeatures:
        """The reference's features, as far as they fit."""
        image = to_tensor(reference, self._vgg.device, full_scale=1.0)
        first, later = self._feature_bytes(*reference.shape[:2])
        if later > _KEPT_BYTES:
            return PreparedFeatures(image, [])
        everything = first + later <= _KEPT_BYTES
        walk = self._vgg.walk(image, self._heads)
        kept = [features for features in walk if everything or features.stage > 0]
        return PreparedFeatures(image, kept)

    def score(self, prepared: PreparedFeatures, image: Image) -> dict[str, Score]:
        """LPIPS and DISTS of ``image``."""
        tensor = to_tensor(image, self._vgg.device, full_scale=1.0)
        comparisons = {h.name: h.compare(prepared.image, tensor) for h in self._heads}
        pairs = zip(self._features(prepared), self._vgg.walk(tensor, self._heads), strict=True)
        for reference, features in pairs:
            for name in features.heads:
                comparisons[name].add(reference, features)
        return {name: comparison.score() for name, comparison in comparisons.items()}

    def _features(self, prepared: PreparedFeatures) -> Iterator[Features]:
        if not prepared.kept:
            return self._vgg.walk(prepared.image, self._heads)
        if prepared.kept[0].stage == 0:
            return iter(prepared.kept)
        return itertools.chain(self._vgg.first_stage(prepared.image, self._heads), prepared.kept)

    def _feature_bytes(self, height: int, width: int) -> tuple[int, int]:
        """What the first stage's features take, and what all the others take."""
        sizes = [4 * c * (height >> k) * (width >> k) for k, c in enumerate(CHANNELS)]
        return sizes[0], sum(sizes[1:]) * len(self._heads)
