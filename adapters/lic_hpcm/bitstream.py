"""LIC-HPCM's bitstream, which upstream has none of: a header and its coder's two strings.

======  ======================================================================
bytes   meaning
======  ======================================================================
1       :data:`MAGIC`
1       threads that encoded on the CPU; 0 where a GPU did
2       height, big-endian
2       width
1 to 5  words of 4 bytes in the string z: 7 bits a byte, the lowest first, the
        high bit set in all but the last
4       CRC-32 of the rest, begun with the fingerprint of the weights
======  ======================================================================

Then the string of z, then that of y, neither of them empty. Upstream's decoder checks nothing: it
reads on beyond the end of what it is given. The CRC keeps cut and damaged bytes away from it.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from harness.codec import BitstreamError
from harness.codec.bitstream import read_varint, varint

MAGIC = 0xA6
MAX_SIDE = 0xFFFF
MAX_PIXELS = 1 << 26
"""The largest image, 64 Mi pixels."""
MAX_THREADS = 0xFF
WORD_BYTES = 4

_FIELDS = struct.Struct(">BBHH")
_CHECK = struct.Struct(">I")
_MAX_VARINT_BYTES = 5


@dataclass(frozen=True)
class Header:
    """The header's fields. ``height`` and ``width`` are the image's, before padding."""

    threads: int
    height: int
    width: int


def write(header: Header, z: bytes, y: bytes, fingerprint: int) -> bytes:
    """The bitstream of the strings of the hyperlatent ``z`` and the latent ``y``.

    Args:
        header: Its fields.
        z: Whole words of 4 bytes.
        y: Whole words of 4 bytes.
        fingerprint: 32 bits that stand for the weights.
    """
    fields = _FIELDS.pack(MAGIC, header.threads, header.height, header.width)
    fields += varint(len(z) // WORD_BYTES)
    strings = z + y
    return fields + _CHECK.pack(_check(fields, strings, fingerprint)) + strings


def read(stream: bytes, threads: int, fingerprint: int) -> tuple[Header, bytes, bytes]:
    """The header and the strings of z and y.

    Args:
        stream: What :func:`write` made.
        threads: The decoder's; 0 on a GPU.
        fingerprint: 32 bits that stand for the weights.

    Raises:
        BitstreamError: The bytes are cut, damaged, of another codec or not for this decoder.
    """
    if len(stream) <= _FIELDS.size:
        raise BitstreamError(f"{len(stream)} bytes are too few for a bitstream of LIC-HPCM")
    magic, encoded_with, height, width = _FIELDS.unpack_from(stream)
    if magic != MAGIC or not (height and width):
        raise BitstreamError("the bytes are not a bitstream of LIC-HPCM")
    if encoded_with != threads:
        raise BitstreamError(
            f"encoded {_place(encoded_with)}, which does not decode {_place(threads)}; "
            "use the same, see the option 'threads'"
        )
    words, start = read_varint(stream, _FIELDS.size, _MAX_VARINT_BYTES)
    begin = start + _CHECK.size
    strings = stream[begin:]
    damaged = begin > len(stream)
    if not damaged:
        (check,) = _CHECK.unpack_from(stream, start)
        damaged = check != _check(stream[:start], strings, fingerprint)
    if damaged:
        raise BitstreamError("the bytes are cut or damaged, or were encoded with other weights")
    if height * width > MAX_PIXELS:
        raise BitstreamError(f"the header states an image of {height} x {width} pixels")
    split = words * WORD_BYTES
    if not 0 < split < len(strings) or len(strings) % WORD_BYTES:
        raise BitstreamError("the coder's strings are empty or not whole words")
    return Header(encoded_with, height, width), strings[:split], strings[split:]


def _place(threads: int) -> str:
    return f"on the CPU with {threads} threads" if threads else "on a GPU"


def _check(fields: bytes, strings: bytes, fingerprint: int) -> int:
    return zlib.crc32(strings, zlib.crc32(fields, fingerprint))
