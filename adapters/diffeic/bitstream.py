"""The bytes of a DiffEIC image: a header, then the two strings of upstream's range coder.

========  =====================================================================
bytes     header
========  =====================================================================
1         magic and version (5 bits), number of the rate point (3 bits)
2         CRC-16 of all bytes but these two (``binascii.crc_hqx``)
1 to 3    height in pixels, 7 bits a byte, lowest first
1 to 3    width in pixels, likewise
1 to 3    length of the hyper latent's string in words of 4 bytes, likewise
========  =====================================================================

The hyper latent's string follows, then the latent's, which goes on to the end. Both are whole
words, as the range coder writes them. The latents' sizes follow from the image's.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass

from harness.codec import BitstreamError
from harness.codec.bitstream import read_varint, varint

MULTIPLE = 64
"""Images are padded to multiples of this: the pitch of the hyper latent, in pixels."""
MAX_PIXELS = 1 << 26
"""The largest image that is written and read, 64 Mi pixels."""
MAX_SIDE = (1 << 21) - 1
"""The longest side that the header can state."""

_MAGIC_AND_VERSION = 0b11010_000
_RATE = 0b111
_WORD = 4
_CRC = slice(1, 3)
_VARINT_BYTES = 3


@dataclass(frozen=True)
class Stream:
    """What is written of an image.

    Attributes:
        rate: Number of the rate point, 0 to 7.
        height: Of the image, in pixels.
        width: Of the image, in pixels.
        hyper: The hyper latent, range coded.
        latent: The latent, range coded.
    """

    rate: int
    height: int
    width: int
    hyper: bytes
    latent: bytes

    def to_bytes(self) -> bytes:
        """The bitstream."""
        if len(self.hyper) % _WORD or len(self.latent) % _WORD:
            raise ValueError("the range coder's strings are not whole words")
        head = bytes((_MAGIC_AND_VERSION | self.rate,))
        rest = varint(self.height) + varint(self.width) + varint(len(self.hyper) // _WORD)
        rest += self.hyper + self.latent
        return head + binascii.crc_hqx(head + rest, 0).to_bytes(2, "big") + rest


def read(bitstream: bytes) -> Stream:
    """What :meth:`Stream.to_bytes` wrote.

    Raises:
        BitstreamError: The bytes are another bitstream, or not a whole one.
    """
    if not bitstream:
        raise BitstreamError("the bitstream is empty")
    if bitstream[0] & ~_RATE != _MAGIC_AND_VERSION:
        raise BitstreamError("these bytes are not a DiffEIC bitstream of this version")
    rest = bitstream[_CRC.stop :]
    if binascii.crc_hqx(bitstream[:1] + rest, 0) != int.from_bytes(bitstream[_CRC], "big"):
        raise BitstreamError("the bitstream is cut or damaged: its checksum does not agree")
    height, position = read_varint(rest, 0, _VARINT_BYTES)
    width, position = read_varint(rest, position, _VARINT_BYTES)
    words, position = read_varint(rest, position, _VARINT_BYTES)
    if not 0 < height * width <= MAX_PIXELS:
        raise BitstreamError(f"the header states an image of {height} x {width} pixels")
    end = position + words * _WORD
    if end > len(rest) or (len(rest) - end) % _WORD:
        raise BitstreamError("the range coder's strings are cut")
    return Stream(bitstream[0] & _RATE, height, width, rest[position:end], rest[end:])


def padded(height: int, width: int) -> tuple[int, int]:
    """Height and width of the image as the network sees it."""
    return -(-height // MULTIPLE) * MULTIPLE, -(-width // MULTIPLE) * MULTIPLE
