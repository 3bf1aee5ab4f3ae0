"""What symbols cost in upstream's range coder, whose buffer holds one byte for each of them.

Upstream reserves as many bytes as there are symbols, and writes in front of its buffer where
they cost more: noise and flat images can. So the cost is counted before it writes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

PRECISION = 16
ESCAPE_BITS = 2
SYMBOLS = np.arange(-128, 128)
FLUSHED_BYTES = 4
MARGIN = 1.01
"""The coder's own loss: its state holds 23 bits or more where the probabilities have 16."""


def symbol_bits(
    cdf: npt.NDArray[np.integer],
    lengths: npt.NDArray[np.integer],
    offsets: npt.NDArray[np.integer],
) -> npt.NDArray[np.float32]:
    """Bits of each symbol from -128 to 127 under each distribution.

    A value outside a distribution's support is coded as its last slot, then as the number of its
    pairs of bits in base 4, then as those pairs.

    Args:
        cdf: distributions x slots + 1, cumulative frequencies of 16 bits.
        lengths: distributions, the entries of ``cdf`` that count.
        offsets: distributions, the symbol of the first slot.

    Returns:
        float32, distributions x 256.
    """
    last = lengths[:, None] - 2
    value = SYMBOLS[None] - offsets[:, None]
    escaped = (value < 0) | (value >= last)
    raw = np.where(value < 0, -2 * value - 1, 2 * (value - last))
    slot = np.where(escaped, last, value)
    width = np.take_along_axis(cdf, slot + 1, 1) - np.take_along_axis(cdf, slot, 1)
    bits = PRECISION - np.log2(width)
    pairs = np.ceil(np.log2(np.maximum(raw, 0) + 1) / ESCAPE_BITS)
    escape = ESCAPE_BITS * (pairs // (2**ESCAPE_BITS - 1) + 1 + pairs)
    result: npt.NDArray[np.float32] = (bits + escaped * escape).astype(np.float32)
    return result


def missing_bytes(bits: float, symbols: int, coders: int) -> int:
    """How many bytes the coders' buffers are too small by; 0 where they hold what is written.

    Args:
        bits: What all symbols cost together.
        symbols: How many there are, split evenly between the coders.
        coders: 1, or 2 of which either may get the dearer half.
    """
    needed = int(bits * MARGIN / 8) + FLUSHED_BYTES + 1
    return max(0, needed - (symbols // coders - 8))
