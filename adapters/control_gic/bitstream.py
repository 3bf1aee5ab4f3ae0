"""Control-GIC's bitstream, of which upstream has only the parts, each in a file of its own.

======  ===========================================================
bytes   header
======  ===========================================================
1       :data:`MAGIC`, and in the low three bits the :class:`Mode`
2       CRC-16 of the codebook's Huffman code and of all bytes but these two
1 to 4  height in pixels, 7 bits a byte, lowest first
1 to 4  width in pixels, likewise
======  ===========================================================

Then, tile after tile in raster order, the streams that its mode has: the masks of coarse and medium
cells, one bit a cell, then the indices of coarse, medium and fine cells, Huffman coded. Each is
byte for byte the file that upstream writes: how many bits fill it up (1 to 8), the bits, and those
zeros; nothing at all where there is no symbol. No lengths: the masks say how many indices follow.
"""

from __future__ import annotations

import binascii
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from harness.codec import BitstreamError
from harness.codec.bitstream import read_varint, varint

MAGIC = 0xC8
MAX_SIDE = 1 << 20
MAX_PIXELS = 1 << 26
"""The largest image, 64 Mi pixels."""
CELL = 16
"""Pixels of a coarse cell's side; a medium cell has half, a fine cell a quarter of it."""

_MODE_BITS = 0x07
_CRC = slice(1, 3)
_BYTE = 8
_MAX_VARINT_BYTES = 4

Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int64]
Cell = TypeVar("Cell", bound=np.generic)


class Mode(IntEnum):
    """Which grains an image is coded with, numbered as upstream's router does."""

    ALL = 0
    MEDIUM_FINE = 1
    COARSE_FINE = 2
    COARSE_MEDIUM = 3
    COARSE = 4
    MEDIUM = 5
    FINE = 6


@dataclass(frozen=True)
class Codebook:
    """The Huffman code of the indices.

    Attributes:
        codes: The code of each index, as a text of zeros and ones.
        words: The index of each code.
    """

    codes: Mapping[int, str]
    words: Mapping[str, int]

    @functools.cached_property
    def checksum(self) -> int:
        """CRC-16: with other weights the same bits are other indices."""
        listed = ",".join(f"{index}:{self.codes[index]}" for index in sorted(self.codes))
        return binascii.crc_hqx(listed.encode(), 0)


@dataclass(frozen=True)
class Tile:
    """What one tile of h x w coarse cells is coded as.

    Attributes:
        coarse: bool, h x w, the cells that are coded coarse.
        medium: bool, 2h x 2w, those that are coded medium.
        fine: bool, 4h x 4w, the rest.
        indices: int64, 4h x 4w, words of the codebook; those of coarse and medium cells repeated.
    """

    coarse: Mask
    medium: Mask
    fine: Mask
    indices: Indices


def enlarged(cells: npt.NDArray[Cell], factor: int) -> npt.NDArray[Cell]:
    """Each cell as a square of ``factor`` x ``factor``."""
    return cells.repeat(factor, axis=0).repeat(factor, axis=1)


def write(mode: Mode, height: int, width: int, tiles: Sequence[Tile], codebook: Codebook) -> bytes:
    """The bitstream of an image.

    Args:
        mode: Which grains there are.
        height: Of the image in pixels, before padding.
        width: Likewise.
        tiles: In raster order.
        codebook: The code of the indices.
    """
    head = bytes((MAGIC | mode,))
    rest = varint(height) + varint(width)
    rest += b"".join(_write_tile(mode, tile, codebook) for tile in tiles)
    return head + binascii.crc_hqx(head + rest, codebook.checksum).to_bytes(2, "big") + rest


def _write_tile(mode: Mode, tile: Tile, codebook: Codebook) -> bytes:
    masks = {"coarse": tile.coarse, "medium": tile.medium}
    bits = [
        "".join("01"[cell] for cell in masks[name].ravel().tolist()) for name in stored_masks(mode)
    ]
    grains = (
        tile.indices[::4, ::4][tile.coarse],
        tile.indices[::2, ::2][tile.medium],
        tile.indices[tile.fine],
    )
    bits += ["".join(codebook.codes[index] for index in grain.tolist()) for grain in grains]
    return b"".join(map(packed, bits))


def stored_masks(mode: Mode) -> tuple[str, ...]:
    """The masks that a tile of ``mode`` stores; the others follow from them."""
    if mode is Mode.ALL:
        return ("coarse", "medium")
    if mode is Mode.MEDIUM_FINE:
        return ("medium",)
    return ("coarse",) if mode in {Mode.COARSE_FINE, Mode.COARSE_MEDIUM} else ()


def packed(bits: str) -> bytes:
    """Bits as upstream's files hold them."""
    if not bits:
        return b""
    filling = _BYTE - len(bits) % _BYTE
    return bytes((filling,)) + int(bits + "0" * filling, 2).to_bytes(len(bits) // _BYTE + 1, "big")


def read_header(stream: bytes, codebook: Codebook) -> tuple[Mode, int, int, int]:
    """Mode, height and width, and where the first tile begins.

    Raises:
        BitstreamError: The bytes do not begin with a sound header, or are not those that were
            written with this codebook.
    """
    if not stream:
        raise BitstreamError("the bitstream is empty")
    number = stream[0] & _MODE_BITS
    if stream[0] & ~_MODE_BITS != MAGIC or number > max(Mode):
        raise BitstreamError("these bytes are not a Control-GIC bitstream")
    begin = _CRC.stop
    found = binascii.crc_hqx(stream[:1] + stream[begin:], codebook.checksum)
    if found != int.from_bytes(stream[_CRC], "big"):
        raise BitstreamError(
            "the bitstream is cut or damaged, or other weights wrote it: "
            "its checksum does not agree"
        )
    height, position = read_varint(stream, begin, _MAX_VARINT_BYTES)
    width, position = read_varint(stream, position, _MAX_VARINT_BYTES)
    if not (height and width) or max(height, width) > MAX_SIDE or height * width > MAX_PIXELS:
        raise BitstreamError(f"the header states an image of {height} x {width} pixels")
    return Mode(number), height, width, position


class TileReader:
    """Reads the tiles of a bitstream, one after the other."""

    def __init__(self, stream: bytes, position: int, mode: Mode, codebook: Codebook) -> None:
        """Begin at the byte ``position`` of ``stream``."""
        rest = stream[position:]
        self._bits = f"{int.from_bytes(rest, 'big'):0{len(rest) * _BYTE}b}" if rest else ""
        self._position = 0
        self._mode = mode
        self._codebook = codebook

    def read(self, rows: int, columns: int) -> Tile:
        """The next tile, of ``rows`` x ``columns`` coarse cells.

        Raises:
            BitstreamError: The bytes end before it does, or no encoder writes such.
        """
        coarse, medium, fine = self._masks(rows, columns)
        indices = np.zeros((4 * rows, 4 * columns), np.int64)
        for mask, factor in ((coarse, 4), (medium, 2), (fine, 1)):
            cells = np.zeros(mask.shape, np.int64)
            cells[mask] = self._symbols(int(mask.sum()))
            indices += enlarged(cells, factor)
        return Tile(coarse, medium, fine, indices)

    def end(self) -> None:
        """See that nothing is left.

        Raises:
            BitstreamError: Bytes follow the last tile.
        """
        if self._position != len(self._bits):
            raise BitstreamError("the bitstream goes on after its last tile")

    def _masks(self, rows: int, columns: int) -> tuple[Mask, Mask, Mask]:
        mode = self._mode
        stored = stored_masks(mode)
        coarse = np.full((rows, columns), mode is Mode.COARSE)
        medium = np.full((2 * rows, 2 * columns), mode is Mode.MEDIUM)
        if "coarse" in stored:
            coarse = self._mask(rows, columns)
        if "medium" in stored:
            medium = self._mask(2 * rows, 2 * columns)
        elif mode is Mode.COARSE_MEDIUM:
            medium = ~enlarged(coarse, 2).astype(bool)
        taken = enlarged(coarse, 4).astype(np.int8) + enlarged(medium, 2).astype(np.int8)
        if taken.max() > 1:
            raise BitstreamError("a cell is both coarse and medium")
        return coarse, medium, taken == 0

    def _mask(self, rows: int, columns: int) -> Mask:
        bits = self._stream(rows * columns)
        mask: Mask = np.frombuffer(bits.encode(), np.uint8).reshape(rows, columns) == ord("1")
        return mask

    def _stream(self, count: int) -> str:
        """A stream of ``count`` bits."""
        filling = self._filling()
        bits = self._bits[self._position : self._position + count]
        self._position += count
        self._skip(filling)
        return bits

    def _symbols(self, count: int) -> list[int]:
        """A stream of ``count`` Huffman codes."""
        if not count:
            return []
        filling = self._filling()
        words, bits = self._codebook.words, self._bits
        symbols: list[int] = []
        begin = end = self._position
        while len(symbols) < count:
            end += 1
            if end > len(bits):
                raise BitstreamError("the bitstream ends before its indices do")
            symbol = words.get(bits[begin:end])
            if symbol is not None:
                symbols.append(symbol)
                begin = end
        self._position = end
        self._skip(filling)
        return symbols

    def _filling(self) -> int:
        """How many zeros a stream begins to say that it ends with."""
        if self._position + _BYTE > len(self._bits):
            raise BitstreamError("the bitstream ends before its tiles do")
        filling = int(self._bits[self._position : self._position + _BYTE], 2)
        self._position += _BYTE
        return filling

    def _skip(self, filling: int) -> None:
        """Go over the zeros that fill up a stream."""
        expected = _BYTE - self._position % _BYTE
        zeros = self._bits[self._position : self._position + expected]
        if filling != expected or zeros != "0" * expected:
            raise BitstreamError("a stream is not filled up as it says; the bytes are damaged")
        self._position += expected
