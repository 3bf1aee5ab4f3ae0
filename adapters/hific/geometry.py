"""Sizes of HiFiC's latents, and the smallest image that upstream's padding can pad."""

from __future__ import annotations

LATENT_STEP = 16
"""Pixels to one latent."""
HYPER_STEP = 64
"""Pixels to one hyperlatent."""
LEAST_SIDE = HYPER_STEP + 1
"""Upstream pads by reflection, last between its hyperlatent layers, where 64 pixels are too few."""
LATENT_CHANNELS = 220
HYPER_CHANNELS = 320


def missing_to_least(side: int) -> int:
    """How many pixels a side lacks to :data:`LEAST_SIDE`."""
    return max(0, LEAST_SIDE - side)


def hyper_size(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of the hyperlatents of an image; the latents have four times as many."""
    rows, columns = (-(-max(side, LEAST_SIDE) // HYPER_STEP) for side in (height, width))
    return rows, columns
