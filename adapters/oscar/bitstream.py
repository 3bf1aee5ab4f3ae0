"""OSCAR's bitstream, of which upstream has none: its bitrates are nominal.

======  =====================================================================
bytes   meaning
======  =====================================================================
1       :data:`MAGIC`, and in the low three bits the level
2       CRC-16 of all bytes but these two (``binascii.crc_hqx``)
1 to 4  height in pixels, 7 bits a byte, lowest first
1 to 4  width in pixels, likewise
16      the L2 norm of each of the latent's four channels: float32, big-endian
======  =====================================================================

Then the indices in raster order, at the fixed length that their codebook needs: whole bytes, as
the padded image is a multiple of 64 x 64 pixels. The norms are side information: upstream's
decoder takes them from the original, and does not count them.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.codec import BitstreamError
from harness.codec.bitstream import read_varint, varint

from .levels import LEVELS, Level

MAGIC = 0xA8
MAX_SIDE = 1 << 20
MAX_PIXELS = 1 << 26
"""The largest image, 64 Mi pixels."""
CHANNELS = 4

_LEVEL_BITS = 0x07
_CRC = slice(1, 3)
_NORM_BYTES = 4 * CHANNELS
_MAX_VARINT_BYTES = 4
_WIDE = 16

Norms = npt.NDArray[np.float32]
Indices = npt.NDArray[np.uint16]


@dataclass(frozen=True)
class Coded:
    """What an image is coded as.

    Attributes:
        level: Number of the level, 0 to 7.
        height: Of the image in pixels, before padding.
        width: Likewise.
        norms: float32, 4, at least 0.
        indices: uint16, in raster order.
    """

    level: int
    height: int
    width: int
    norms: Norms
    indices: Indices


def write(coded: Coded) -> bytes:
    """The bitstream."""
    head = bytes((MAGIC | coded.level,))
    rest = varint(coded.height) + varint(coded.width) + coded.norms.astype(">f4").tobytes()
    bits = LEVELS[coded.level].bits
    as_bytes = coded.indices.astype(">u2").view(np.uint8).reshape(-1, 2)
    rest += np.packbits(np.unpackbits(as_bytes, axis=1)[:, _WIDE - bits :]).tobytes()
    return head + binascii.crc_hqx(head + rest, 0).to_bytes(2, "big") + rest


def read(stream: bytes) -> Coded:
    """What :func:`write` was given.

    Raises:
        BitstreamError: The bytes are cut, damaged, or of another codec.
    """
    if not stream:
        raise BitstreamError("the bitstream is empty")
    if stream[0] & ~_LEVEL_BITS != MAGIC:
        raise BitstreamError("these bytes are not an OSCAR bitstream")
    begin = _CRC.stop
    if binascii.crc_hqx(stream[:1] + stream[begin:], 0) != int.from_bytes(stream[_CRC], "big"):
        raise BitstreamError("the bitstream is cut or damaged: its checksum does not agree")
    number = stream[0] & _LEVEL_BITS
    height, position = read_varint(stream, begin, _MAX_VARINT_BYTES)
    width, position = read_varint(stream, position, _MAX_VARINT_BYTES)
    if not (height and width) or max(height, width) > MAX_SIDE or height * width > MAX_PIXELS:
        raise BitstreamError(f"the header states an image of {height} x {width} pixels")
    level = LEVELS[number]
    rows, columns = level.grid(height, width)
    begin = position + _NORM_BYTES
    length = begin + rows * columns * level.bits // 8
    if len(stream) != length:
        raise BitstreamError(f"{len(stream)} bytes, where the header asks for {length}")
    norms = np.frombuffer(stream[position:begin], ">f4").astype(np.float32)
    if not (np.isfinite(norms).all() and (norms >= 0).all()):
        raise BitstreamError("a norm of the latent is not a length")
    return Coded(number, height, width, norms, _unpacked(stream[begin:], rows * columns, level))


def _unpacked(data: bytes, count: int, level: Level) -> Indices:
    wide = np.zeros((count, _WIDE), np.uint8)
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    wide[:, _WIDE - level.bits :] = bits.reshape(count, level.bits)
    return np.packbits(wide, axis=1).view(">u2")[:, 0].astype(np.uint16)
