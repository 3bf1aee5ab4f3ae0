"""Upstream's padding: centred, to multiples of 256 pixels."""

from __future__ import annotations

MULTIPLE = 256


def margins(height: int, width: int) -> tuple[int, int, int, int]:
    """Pixels to add left, right, above and below, in the order of ``torch.nn.functional.pad``."""
    across, down = -width % MULTIPLE, -height % MULTIPLE
    left, above = across // 2, down // 2
    return left, across - left, above, down - above


def padded(height: int, width: int) -> tuple[int, int]:
    """Height and width with the margins."""
    return height + -height % MULTIPLE, width + -width % MULTIPLE
