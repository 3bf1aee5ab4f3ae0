"""OSCAR's eight levels: their codebooks and the cells that one index stands for."""

from __future__ import annotations

import math
from dataclasses import dataclass

MULTIPLE = 64
"""Padded height and width are multiples of this: the network's latent is halved three times."""


@dataclass(frozen=True)
class Level:
    """One level.

    Attributes:
        pitch: Pixels of a cell's side; an index stands for a cell.
        words: Of its codebook.
    """

    pitch: int
    words: int

    @property
    def bits(self) -> int:
        """Bits of an index."""
        return int(math.log2(self.words))

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of the indices of an image of ``height`` x ``width`` pixels."""
        rows, columns = padded_size(height, width)
        return rows // self.pitch, columns // self.pitch


LEVELS = (
    Level(pitch=64, words=256),
    Level(pitch=32, words=1024),
    Level(pitch=16, words=256),
    Level(pitch=16, words=2048),
    Level(pitch=8, words=16),
    Level(pitch=8, words=32),
    Level(pitch=8, words=64),
    Level(pitch=8, words=256),
)
"""As upstream's ``utils/rate_config.py`` has them, the lowest bitrate first."""


def padded_size(height: int, width: int) -> tuple[int, int]:
    """Height and width after padding, in pixels."""
    return height + -height % MULTIPLE, width + -width % MULTIPLE
