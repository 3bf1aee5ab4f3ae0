"""HiFiC's bytes: a header, then the string of the hyperlatents and that of the latents.

Upstream's file states shapes that follow from the size, and fences: 42 bytes where 9 do.

========  =====================================================================
bytes     header
========  =====================================================================
1 to 3    height in pixels, 7 bits a byte, lowest first
1 to 3    width in pixels, likewise
1 to 4    length of the hyperlatents' string in words of 32 bits, likewise
2         CRC-16 (``binascii.crc_hqx``) of all other bytes, begun with the identity
========  =====================================================================

The identity is a number that both sides know and that is not written: it tells
coder, rate point and weights.
Bytes of another identity, cut or damaged bytes are
thus told before upstream's coder reads them, which may take them for an image of any
size.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass

from harness.codec import BitstreamError

MAX_SIDE = (1 << 16) - 1
"""The longest side of an image, in pixels."""
WORD_BYTES = 4
"""The coder's strings are whole words of 32 bits."""

_CHECK_BYTES = 2
_SIZE_BYTES = 3
_LENGTH_BYTES = 4


@dataclass(frozen=True)
class Coded:
    """What a bitstream holds.

    Attributes:
        height: Of the image, in pixels, before padding.
        width: Likewise.
        hyperlatents: Their string, whole words.
        latents: Likewise.
    """

    height: int
    width: int
    hyperlatents: bytes
    latents: bytes

    def to_bytes(self, identity: int) -> bytes:
        """The bitstream.

        Args:
            identity: 16 bits, see above.
        """
        words = len(self.hyperlatents) // WORD_BYTES
        header = _varint(self.height) + _varint(self.width) + _varint(words)
        payload = self.hyperlatents + self.latents
        return header + _check(header, payload, identity) + payload


def read(stream: bytes, identity: int) -> Coded:
    """What :meth:`Coded.to_bytes` wrote.

    Args:
        stream: The bitstream.
        identity: 16 bits, see above.

    Raises:
        BitstreamError: The bytes are cut or damaged, or their identity is another.
    """
    height, position = _read_varint(stream, 0, _SIZE_BYTES)
    width, position = _read_varint(stream, position, _SIZE_BYTES)
    words, position = _read_varint(stream, position, _LENGTH_BYTES)
    begin = position + _CHECK_BYTES
    payload = stream[begin:]
    if stream[position:begin] != _check(stream[:position], payload, identity):
        raise BitstreamError(
            "the bytes are cut, damaged, or not of HiFiC with these weights and options"
        )
    split = words * WORD_BYTES
    sound = 0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE and 0 < split < len(payload)
    if not sound or len(payload) % WORD_BYTES:
        raise BitstreamError(f"the header states {height} x {width} pixels and {words} words")
    return Coded(height, width, payload[:split], payload[split:])


def _check(header: bytes, payload: bytes, identity: int) -> bytes:
    crc = binascii.crc_hqx(payload, binascii.crc_hqx(header, identity))
    return crc.to_bytes(_CHECK_BYTES, "big")


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - 7 bits a byte
        encoded.append(0x80 | value & 0x7F)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _read_varint(stream: bytes, start: int, longest: int) -> tuple[int, int]:
    """The number that begins at ``start``, and where it ends."""
    value = 0
    for index, byte in enumerate(stream[start : start + longest]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:  # noqa: PLR2004 - the last byte
            return value, start + index + 1
    raise BitstreamError("the bytes end inside the header, or are damaged")
