"""How an image is padded and cut into tiles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.codec import CodecError, Image

from .bitstream import CELL


def padded(image: Image) -> Image:
    """The image with its last row and column repeated, up to whole coarse cells."""
    height, width, _ = image.shape
    return np.pad(image, ((0, -height % CELL), (0, -width % CELL), (0, 0)), mode="edge")


def tiles(height: int, width: int, side: int) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of each tile of the padded image, in raster order.

    Args:
        height: Of the image in pixels, before padding.
        width: Likewise.
        side: Of a tile in pixels; those at the right and at the bottom may be smaller.

    Raises:
        CodecError: ``side`` is not a whole number of coarse cells.
    """
    if side < CELL or side % CELL:
        raise CodecError(f"option 'tile' is {side}", f"give a multiple of {CELL}")
    height, width = height + -height % CELL, width + -width % CELL
    for top in range(0, height, side):
        for left in range(0, width, side):
            yield slice(top, min(top + side, height)), slice(left, min(left + side, width))
