"""LPIPS and DISTS together, in one pass through VGG16."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import Tensor

from harness.codec import Image
from harness.metrics.base import Measure, Score, to_tensor
from harness.metrics.vgg import CHANNELS, Features, Head, Vgg16


@dataclass(frozen=True)
class PreparedFeatures:
    """The reference, and as many of its features as fit; the rest is computed again each time.

    Attributes:
        image: 1 x 3 x H x W in [0, 1].
        heads: The metrics that are defined for images of this size.
        kept: Features in the order of the pass: all, all but the first stage's, or none.
    """

    image: Tensor
    heads: Sequence[Head]
    kept: Sequence[Features]


class Perceptual(Measure):
    """LPIPS, DISTS, or both.

    Args:
        heads: The metrics.
        vgg: The network whose features they use.
        kept_bytes: The most memory that a reference's kept features may take, in bytes.
    """

    def __init__(self, heads: Sequence[Head], vgg: Vgg16, kept_bytes: int = 4 << 30) -> None:
        self._heads = heads
        self._vgg = vgg
        self._kept_bytes = kept_bytes
        self.cards = {head.name: head.card for head in heads}

    def prepare(self, reference: Image) -> PreparedFeatures:
        """The reference, with as many of its features as fit."""
        image = to_tensor(reference, self._vgg.device, full_scale=1.0)
        heads = [head for head in self._heads if min(reference.shape[:2]) >= head.smallest_side]
        height, width = image.shape[2:]
        first, later = _feature_bytes(height, width, len(heads))
        if not heads or later > self._kept_bytes:
            return PreparedFeatures(image, heads, [])
        everything = first + later <= self._kept_bytes
        walk = self._vgg.walk(image, heads)
        kept = [features for features in walk if everything or features.stage > 0]
        return PreparedFeatures(image, heads, kept)

    def score(self, prepared: PreparedFeatures, image: Image) -> dict[str, Score]:
        """The metrics of ``image``; blank where it is too small for one."""
        scores = {
            head.name: Score(None, f"undefined under {head.smallest_side} pixels")
            for head in self._heads
        }
        if not prepared.heads:
            return scores
        tensor = to_tensor(image, self._vgg.device, full_scale=1.0)
        comparisons = {h.name: h.compare(prepared.image, tensor) for h in prepared.heads}
        walk = self._vgg.walk(tensor, prepared.heads)
        for reference, features in zip(self._features(prepared), walk, strict=True):
            for name in features.heads:
                comparisons[name].add(reference, features)
        return scores | {name: comparison.score() for name, comparison in comparisons.items()}

    def _features(self, prepared: PreparedFeatures) -> Iterable[Features]:
        """All features of the reference, in the order of the pass."""
        if not prepared.kept:
            return self._vgg.walk(prepared.image, prepared.heads)
        if prepared.kept[0].stage == 0:
            return prepared.kept
        first = self._vgg.first_stage(prepared.image, prepared.heads)
        return itertools.chain(first, prepared.kept)


def _feature_bytes(height: int, width: int, heads: int) -> tuple[int, int]:
    """The size of the first stage's features and of all the others, in bytes."""
    sizes = [4 * c * (height >> k) * (width >> k) for k, c in enumerate(CHANNELS)]
    return sizes[0], sum(sizes[1:]) * heads
