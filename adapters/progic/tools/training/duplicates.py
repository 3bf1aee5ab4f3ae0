"""Looks for photographs to train on that show what a held-out one shows.

Two images are compared by the correlation of thumbnails, of the whole of one with windows of the
other, mirrored or not: a copy is found whatever its size, its compression and its brightness, and
so is a part of at least half of each side. A rotated copy, or a smaller part, is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL.Image

from harness.errors import ImageError
from harness.images.files import read_image

SIDE = 32
SUSPICIOUS = 0.9
"""Correlation from which a pair is to be looked at."""

_MIDDLE = 512
_PLACES = (0.0, 0.5, 1.0)
_WINDOWS = [(1.0, 0.0, 0.0), *product((0.75, 0.5), _PLACES, _PLACES)]
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, order=True)
class Pair:
    """How much a held-out image looks like the training image that is most like it.

    Attributes:
        correlation: Of the two thumbnails that agree best, from -1 to 1.
        held_out: The one image.
        training: The other.
    """

    correlation: float
    held_out: Path
    training: Path


def closest(held_out: Sequence[Path], training: Sequence[Path]) -> list[Pair]:
    """For every held-out image the training image most like it, the most alike first.

    An image that cannot be read is passed over, as training passes it over.
    """
    ours = {path: views for path in held_out if (views := _views(path)) is not None}
    whole = {path: _wholes(views) for path, views in ours.items()}
    best = {path: Pair(-1.0, path, path) for path in ours}
    for path in training:
        views = _views(path)
        if views is None:
            continue
        wholes = _wholes(views)
        for other, its_views in ours.items():
            either = max((whole[other] @ views.T).max(), (wholes @ its_views.T).max())
            best[other] = max(best[other], Pair(float(either), other, path))
    return sorted(best.values(), reverse=True)


def _views(path: Path) -> Vectors | None:
    """Windows of an image, and the same mirrored: unit vectors, 38 x SIDE²; the whole first."""
    try:
        image = PIL.Image.fromarray(read_image(path)).convert("L")
    except ImageError:
        return None
    image.thumbnail((_MIDDLE, _MIDDLE))
    views = []
    for scale, right, down in _WINDOWS:
        width, height = image.width * scale, image.height * scale
        left, top = (image.width - width) * right, (image.height - height) * down
        box = (left, top, left + width, top + height)
        view = image.resize((SIDE, SIDE), PIL.Image.Resampling.BOX, box=box)
        pixels = np.asarray(view, np.float32)
        views += [pixels, pixels[:, ::-1]]
    vectors = np.stack(views).reshape(len(views), -1)
    vectors -= vectors.mean(1, keepdims=True)
    unit: Vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
    return unit


def _wholes(views: Vectors) -> Vectors:
    return views[:2]
