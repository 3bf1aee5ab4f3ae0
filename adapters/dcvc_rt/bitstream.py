"""DCVC-RT's bitstream: ten bytes of header, then what upstream's range coder wrote.

=====  =======================================================================
bytes  meaning
=====  =======================================================================
1      :data:`MAGIC`, plus 1 where coded on a GPU, plus 2 where in half precision
1      QP, 0 to 63
2      height, big-endian
2      width
4      CRC-32 of the rest, begun with the fingerprint of weights and threads
=====  =======================================================================

Upstream's decoder checks nothing: it reads on beyond the end of what it is given. The CRC, in the
place of upstream's field of length, keeps cut and damaged bytes away from it.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from harness.codec import BitstreamError

MAGIC = 0xD4
MAX_SIDE = 0xFFFF
MAX_PIXELS = 1 << 26
"""The largest image, 64 Mi pixels."""
QPS = 64

_FIELDS = struct.Struct(">BBHH")
_CHECK = struct.Struct(">I")
HEADER_BYTES = _FIELDS.size + _CHECK.size


@dataclass(frozen=True)
class Numerics:
    """What the decoder must have in common with the encoder, or it decodes noise."""

    cuda: bool
    half: bool

    def __str__(self) -> str:
        return f"{'on a GPU' if self.cuda else 'on the CPU'} in fp{16 if self.half else 32}"


@dataclass(frozen=True)
class Header:
    """The header's fields. ``height`` and ``width`` are the image's, before padding."""

    numerics: Numerics
    qp: int
    height: int
    width: int


def write(header: Header, payload: bytes, fingerprint: int) -> bytes:
    """The bitstream of ``payload``, the range coder's bytes.

    Args:
        header: Its fields.
        payload: The range coder's bytes.
        fingerprint: 32 bits that stand for the weights and the threads.
    """
    first = MAGIC + header.numerics.cuda + 2 * header.numerics.half
    fields = _FIELDS.pack(first, header.qp, header.height, header.width)
    return fields + _CHECK.pack(_check(fields, payload, fingerprint)) + payload


def read(stream: bytes, numerics: Numerics, fingerprint: int) -> tuple[Header, bytes]:
    """The header and the range coder's bytes.

    Args:
        stream: What :func:`write` made.
        numerics: The decoder's.
        fingerprint: 32 bits that stand for the weights and the threads.

    Raises:
        BitstreamError: The bytes are cut, damaged, of another codec or not for this decoder.
    """
    if len(stream) <= HEADER_BYTES:
        raise BitstreamError(f"{len(stream)} bytes are too few for a bitstream of DCVC-RT")
    first, qp, height, width = _FIELDS.unpack_from(stream)
    if first & ~3 != MAGIC or qp >= QPS or not (height and width):
        raise BitstreamError("the bytes are not a bitstream of DCVC-RT")
    found = Numerics(cuda=bool(first & 1), half=bool(first & 2))
    if found != numerics:
        raise BitstreamError(f"encoded {found}, which does not decode {numerics}", "use the same")
    payload = stream[HEADER_BYTES:]
    (check,) = _CHECK.unpack_from(stream, _FIELDS.size)
    if check != _check(stream[: _FIELDS.size], payload, fingerprint):
        raise BitstreamError(
            "the bytes are cut or damaged, or were encoded with other weights or, on the CPU, "
            "with another number of threads"
        )
    if height * width > MAX_PIXELS:
        raise BitstreamError(f"the header states an image of {height} x {width} pixels")
    return Header(found, qp, height, width), payload


def _check(fields: bytes, payload: bytes, fingerprint: int) -> int:
    return zlib.crc32(payload, zlib.crc32(fields, fingerprint))
