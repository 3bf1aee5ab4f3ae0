"""The one byte before VTM's own bitstream: what that does not hold and the decoder needs.

======  ============================  =======
bits    meaning                       if 1
======  ============================  =======
7       always 1
6       chroma                        4:4:4
5       matrix                        bt601
4       range                         limited
3       depth of Y'CbCr               10
2       siting of chroma, in 4:2:0    center
2       chroma of gray, in 4:4:4      half
1       the height, one less than     coded
0       the width, one less than      coded
======  ============================  =======

VTM's bitstream holds the height and width that it codes, which are even in 4:2:0.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.codec import BitstreamError

from .colour import Conversion

MARK = 0x80
FLAGS = (("chroma", "4:4:4", 6), ("matrix", "bt601", 5), ("range", "limited", 4), ("depth", 10, 3))
OF_CHROMA = {"4:2:0": ("siting", "center", 2), "4:4:4": ("gray", "half", 2)}


@dataclass(frozen=True)
class Header:
    """How many rows and columns (0 or 1) were added to make the sides even."""

    rows: int
    columns: int

    def pack(self, conversion: Conversion) -> bytes:
        """The byte, which states the conversion as well."""
        return bytes([MARK | bits(conversion) | self.rows << 1 | self.columns])

    @classmethod
    def read(cls, bitstream: bytes, conversion: Conversion) -> Header:
        """The header of ``bitstream``.

        Raises:
            BitstreamError: There is none, or the bitstream is of another conversion.
        """
        if not bitstream or not bitstream[0] & MARK:
            raise BitstreamError("not a bitstream of this adapter: its first byte is not a header")
        byte = bitstream[0]
        different = (byte ^ bits(conversion)) & 0b0111_1100
        for name, _, bit in flags(conversion):
            if different >> bit & 1:
                expected = getattr(conversion, name)
                raise BitstreamError(f"the bitstream was not made with {name} = {expected!r}")
        return cls(byte >> 1 & 1, byte & 1)


def flags(conversion: Conversion) -> tuple[tuple[str, str | int, int], ...]:
    """Which option of a conversion a bit states, and its value where the bit is 1."""
    return (*FLAGS, OF_CHROMA[conversion.chroma])


def bits(conversion: Conversion) -> int:
    """The bits of the header that state the conversion."""
    states = flags(conversion)
    return sum((getattr(conversion, name) == value) << bit for name, value, bit in states)
