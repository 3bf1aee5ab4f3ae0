"""What adapters build their bitstreams from; the standard library alone.

A hyperprior codec's two strings, behind a header that says no more than a decoder needs:

========  =====================================================================
bytes     header of a :class:`HyperpriorStream`
========  =====================================================================
1 to 3    height in pixels, as :func:`varint` writes it
1 to 3    width in pixels, likewise
1 to 4    length of the hyperlatents' string in words of 32 bits, likewise
2         CRC-16 (``binascii.crc_hqx``) of all other bytes, begun with the identity
========  =====================================================================

The identity is a number that both sides know and that is not written: it stands for the rate point
and the weights. Bytes of another identity, cut or damaged bytes are thus refused before an entropy
coder reads them, which may read on beyond the end of what it is given.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass

from harness.codec import BitstreamError

VERSION = 1
"""Raised when the bytes that these helpers write change.

Part of the identity of every case of an adapter that imports this module.
"""

MAX_SIDE = (1 << 16) - 1
"""The longest side of a :class:`HyperpriorStream`'s image, in pixels."""
MAX_PIXELS = 1 << 26
"""The largest image of a :class:`HyperpriorStream`, 64 Mi pixels."""
WORD_BYTES = 4
"""Range coders' strings are whole words of 32 bits."""

_CHECK_BYTES = 2
_SIZE_BYTES = 3
_LENGTH_BYTES = 4


def varint(value: int) -> bytes:
    """A number from 0 on, 7 bits a byte, lowest first, the high bit set where more follow."""
    encoded = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits
        encoded.append(0x80 | value & 0x7F)
        value >>= 7
    return bytes((*encoded, value))


def read_varint(data: bytes | memoryview, position: int, longest: int) -> tuple[int, int]:
    """A number that :func:`varint` wrote, and the position after it.

    Args:
        data: What holds it.
        position: Where it begins.
        longest: How many bytes it may take.

    Raises:
        BitstreamError: The data ends inside it, it is too long, or not in its shortest form.
    """
    value = 0
    for count, byte in enumerate(data[position : position + longest]):
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:  # noqa: PLR2004 - the high bit
            if count and not byte:
                break
            return value, position + count + 1
    raise BitstreamError("a number in the bitstream is cut, too long or not in its shortest form")


@dataclass(frozen=True)
class HyperpriorStream:
    """What a hyperprior codec writes for an image.

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
        header = varint(self.height) + varint(self.width) + varint(words)
        payload = self.hyperlatents + self.latents
        return header + _check(header, payload, identity) + payload

    @classmethod
    def read(cls, stream: bytes, identity: int, title: str) -> HyperpriorStream:
        """What :meth:`to_bytes` wrote.

        Args:
            stream: The bitstream.
            identity: 16 bits, see above.
            title: The codec's, for the error.

        Raises:
            BitstreamError: The bytes are cut or damaged, or their identity is another.
        """
        height, position = read_varint(stream, 0, _SIZE_BYTES)
        width, position = read_varint(stream, position, _SIZE_BYTES)
        words, position = read_varint(stream, position, _LENGTH_BYTES)
        begin = position + _CHECK_BYTES
        payload = stream[begin:]
        if stream[position:begin] != _check(stream[:position], payload, identity):
            raise BitstreamError(
                f"the bytes are cut, damaged, or not of {title} with these weights and options"
            )
        split = words * WORD_BYTES
        sound = 0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE and 0 < split < len(payload)
        if not sound or height * width > MAX_PIXELS or len(payload) % WORD_BYTES:
            raise BitstreamError(f"the header states {height} x {width} pixels and {words} words")
        return cls(height, width, payload[:split], payload[split:])


def _check(header: bytes, payload: bytes, identity: int) -> bytes:
    crc = binascii.crc_hqx(payload, binascii.crc_hqx(header, identity))
    return crc.to_bytes(_CHECK_BYTES, "big")
