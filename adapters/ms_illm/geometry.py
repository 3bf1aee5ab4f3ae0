"""Sizes that MS-ILLM's network works on, and the smallest image that upstream can pad."""

from __future__ import annotations

MULTIPLE = 64
"""Upstream pads images to multiples of it, by reflection."""
LEAST_SIDE = MULTIPLE // 2 + 1
"""What is reflected must be shorter than what is there."""


def missing_to_least(side: int) -> int:
    """How many pixels a side lacks to :data:`LEAST_SIDE`."""
    return max(0, LEAST_SIDE - side)


def padded(height: int, width: int) -> tuple[int, int]:
    """Height and width after all padding."""
    return height + -height % MULTIPLE, width + -width % MULTIPLE
