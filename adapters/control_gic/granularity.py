"""Granularity: which share of an image is coded fine, medium and coarse, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.codec import CodecError

TOLERANCE = 1e-6
"""Ratios nearer to each other than this are equal: sums of decimals are not exact."""
PERCENT = 100
MAX_BITS = 10
"""Of an index: the codebook has 1024 words. A trained codebook's Huffman code spends fewer."""
FINE_PIXELS, MEDIUM_PIXELS, COARSE_PIXELS = 4 * 4, 8 * 8, 16 * 16
"""Pixels that one index stands for."""


@dataclass(frozen=True)
class Ratios:
    """Shares of the image, which sum to one."""

    fine: float
    medium: float
    coarse: float

    @property
    def router_options(self) -> dict[str, float]:
        """What upstream's router takes, such that it finds the zeros.

        It computes the share of fine cells as ``1 - coarse - medium`` and compares it with 0,
        which 1 - 0.9 - 0.1 is not in floating point; 1 - c - (1 - c) is, for any c.
        """
        medium = self.medium if self.fine else 1 - self.coarse
        return {"coarse_grain_ratio": self.coarse, "medium_grain_ratio": medium}

    @property
    def nominal_bpp(self) -> float:
        """Bits per pixel at 10 bits an index, and one for each cell of a mask."""
        indices = self.fine / FINE_PIXELS + self.medium / MEDIUM_PIXELS
        indices += self.coarse / COARSE_PIXELS
        grains = sum(map(bool, (self.fine, self.medium, self.coarse)))
        masks = 0.0
        if grains > 1 and self.coarse:
            masks += 1 / COARSE_PIXELS
        if grains > 1 and self.fine and self.medium:
            masks += 1 / MEDIUM_PIXELS
        return MAX_BITS * indices + masks

    @property
    def id(self) -> str:
        """Name of the rate point, in percent, such as ``f50-m40-c10``."""
        fine, medium, coarse = (
            f"{PERCENT * share:.6g}" for share in (self.fine, self.medium, self.coarse)
        )
        return f"f{fine}-m{medium}-c{coarse}"


def read_ratios(options: Mapping[str, Any]) -> Ratios:
    """The ratios of a rate point's options ``fine``, ``medium`` and ``coarse``.

    Raises:
        CodecError: They are not shares of one image.
    """
    shares = [float(options[name]) for name in ("fine", "medium", "coarse")]
    if min(shares) < -TOLERANCE or abs(sum(shares) - 1) > TOLERANCE:
        raise CodecError(f"fine, medium and coarse are {shares}", "they must sum to 1")
    return Ratios(*(0.0 if share < TOLERANCE else min(share, 1.0) for share in shares))


def grid(step: int) -> list[Ratios]:
    """All ratios in steps of ``step`` percent, in order of bitrate.

    Raises:
        CodecError: 100 is not a multiple of ``step``.
    """
    if step < 1 or PERCENT % step:
        raise CodecError(f"a step of {step} % does not divide 100 %")
    shares = [
        (fine, medium, PERCENT - fine - medium)
        for fine in range(0, PERCENT + 1, step)
        for medium in range(0, PERCENT + 1 - fine, step)
    ]
    ratios = [Ratios(*(share / PERCENT for share in triple)) for triple in shares]
    return sorted(ratios, key=lambda one: one.nominal_bpp)
