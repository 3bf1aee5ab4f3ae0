"""The bytes of ProGIC: a header, then the indices stage after stage.

========  =====================================================================
bytes     header
========  =====================================================================
1         magic and version, ``0x51``
1         preset (7 bits), and in the highest bit whether stages are range coded
1         number of stages that were written, 1 to 255
1 to 3    height in pixels, 7 bits a byte, lowest first
1 to 3    width in pixels, likewise
4         checkpoint: the first bytes of the weights' sha256
2         CRC-16 of the bytes before (``binascii.crc_hqx``)
========  =====================================================================

A stage is its h x w indices in raster order, L bits each, highest bit first, filled up with
zeros to a whole byte. Range-coded stages begin with their length, as the size is written.
Every prefix that holds at least one whole stage is a bitstream.
"""

from __future__ import annotations

import binascii
import itertools
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from harness.codec import BitstreamError
from harness.codec.bitstream import read_varint, varint

from .presets import Settings

MAGIC_AND_VERSION = 0x51
MAX_PIXELS = 1 << 26
"""The largest image, 64 Mi pixels: twice 8K."""
MAX_SIDE = (1 << 21) - 1
"""The longest side that the header can state."""
CHECKPOINT_BYTES = 4

_RANGE_CODED = 0x80
_FIXED_BYTES = 3
_SHORTEST_HEADER = _FIXED_BYTES + 2 + CHECKPOINT_BYTES + 2
VARINT_BYTES = 3

Indices = npt.NDArray[np.uint16]


@dataclass(frozen=True)
class Header:
    """What stands before the stages.

    Attributes:
        preset: Number of the preset, 0 to 127.
        stages: How many stages the encoder wrote.
        height: Of the image, in pixels.
        width: Of the image, in pixels.
        checkpoint: The weights' id, :data:`CHECKPOINT_BYTES` long.
        range_coded: Whether the indices are range coded.
    """

    preset: int
    stages: int
    height: int
    width: int
    checkpoint: bytes
    range_coded: bool = False

    def to_bytes(self) -> bytes:
        """The header as it is written."""
        fields = bytes((MAGIC_AND_VERSION, self.preset | _RANGE_CODED * self.range_coded))
        fields += bytes((self.stages,)) + varint(self.height) + varint(self.width)
        fields += self.checkpoint
        return fields + binascii.crc_hqx(fields, 0).to_bytes(2, "big")


class StageCoder(Protocol):
    """How the indices of one stage become bytes."""

    def encode(self, stage: int, indices: Indices) -> bytes:
        """The bytes of a stage; ``stage`` counts from 0, ``indices`` are flat."""

    def length(self, rest: memoryview, count: int) -> int | None:
        """Length of the stage of ``count`` indices that ``rest`` begins with.

        ``None`` when ``rest`` ends before that is known.
        """

    def decode(self, stage: int, data: memoryview, count: int) -> Indices:
        """The indices of a whole stage.

        Raises:
            BitstreamError: No encoder writes such bytes.
        """


class Packed:
    """Indices of ``bits`` bits each, one after the other."""

    def __init__(self, bits: int) -> None:
        self.bits = bits

    def encode(self, stage: int, indices: Indices) -> bytes:  # noqa: ARG002 - all are alike
        """See :class:`StageCoder`."""
        as_bytes = indices.astype(">u2").view(np.uint8).reshape(-1, 2)
        bits = np.unpackbits(as_bytes, axis=1)[:, 16 - self.bits :]
        return np.packbits(bits).tobytes()

    def length(self, rest: memoryview, count: int) -> int:  # noqa: ARG002 - it is fixed
        """See :class:`StageCoder`."""
        return -(-count * self.bits // 8)

    def decode(self, stage: int, data: memoryview, count: int) -> Indices:
        """See :class:`StageCoder`."""
        bits = np.unpackbits(np.frombuffer(data, np.uint8))
        if bits[count * self.bits :].any():
            raise BitstreamError(f"stage {stage + 1} is not filled up with zeros")
        wide = np.zeros((count, 16), np.uint8)
        wide[:, 16 - self.bits :] = bits[: count * self.bits].reshape(count, self.bits)
        return np.packbits(wide, axis=1).view(">u2")[:, 0].astype(np.uint16)


def write(header: Header, indices: Indices, coder: StageCoder) -> bytes:
    """The bitstream of ``header.stages`` stages.

    Args:
        header: What to write before the stages.
        indices: uint16, stages x h x w.
        coder: How to write them.
    """
    stages = (coder.encode(n, stage.reshape(-1)) for n, stage in enumerate(indices))
    return header.to_bytes() + b"".join(stages)


def read_header(bitstream: bytes) -> tuple[Header, int]:
    """The header and its length in bytes.

    Raises:
        BitstreamError: The bytes do not begin with a whole and sound header.
    """
    if not bitstream:
        raise BitstreamError("the bitstream is empty")
    if bitstream[0] & 0xF0 != MAGIC_AND_VERSION & 0xF0:
        raise BitstreamError("these bytes are not a ProGIC bitstream")
    if bitstream[0] != MAGIC_AND_VERSION:
        known = MAGIC_AND_VERSION & 0x0F
        raise BitstreamError(
            f"ProGIC bitstream of version {bitstream[0] & 0x0F}; this decoder knows {known}"
        )
    if len(bitstream) < _SHORTEST_HEADER:
        raise BitstreamError("the bitstream ends inside its header")
    _, preset, stages = bitstream[:_FIXED_BYTES]
    height, position = read_varint(bitstream, _FIXED_BYTES, VARINT_BYTES)
    width, position = read_varint(bitstream, position, VARINT_BYTES)
    checkpoint = bitstream[position : position + CHECKPOINT_BYTES]
    position += CHECKPOINT_BYTES
    checksum = bitstream[position : position + 2]
    if len(checksum) < 2:  # noqa: PLR2004 - a CRC-16 has two bytes
        raise BitstreamError("the bitstream ends inside its header")
    if binascii.crc_hqx(bitstream[:position], 0) != int.from_bytes(checksum, "big"):
        raise BitstreamError("the header is damaged: its checksum does not agree")
    if stages == 0 or height == 0 or width == 0:
        raise BitstreamError(f"the header states {stages} stages of {height} x {width} pixels")
    if height * width > MAX_PIXELS:
        raise BitstreamError(f"{height} x {width} pixels are more than the {MAX_PIXELS} allowed")
    range_coded = bool(preset & _RANGE_CODED)
    fields = (preset & ~_RANGE_CODED, stages, height, width, checkpoint, range_coded)
    return Header(*fields), position + 2


def stage_ends(bitstream: bytes, settings: Settings, coder: StageCoder) -> list[int]:
    """Where the whole stages of a bitstream end: byte offsets, the header's length first.

    The differences are the accounting: header, then payload stage by stage.

    Raises:
        BitstreamError: The header is unsound, no stage is whole, or bytes are left over.
    """
    header, position = read_header(bitstream)
    if header.stages > settings.stages:
        raise BitstreamError(f"{header.stages} stages, where the codec has {settings.stages}")
    rows, columns = settings.latent_size(header.height, header.width)
    view, ends = memoryview(bitstream), [position]
    for _ in range(header.stages):
        length = coder.length(view[position:], rows * columns)
        if length is None or position + length > len(bitstream):
            break
        position += length
        ends.append(position)
    if len(ends) == 1:
        raise BitstreamError("the bitstream ends inside its first stage")
    if len(ends) == header.stages + 1 and position < len(bitstream):
        raise BitstreamError(
            f"{len(bitstream) - position} bytes follow the last of {header.stages} stages"
        )
    return ends


def read(bitstream: bytes, settings: Settings, coder: StageCoder) -> Indices:
    """The indices of all whole stages: uint16, n x h x w, n from 1.

    Raises:
        BitstreamError: As :func:`stage_ends`, or a stage that no encoder writes.
    """
    header, _ = read_header(bitstream)
    rows, columns = settings.latent_size(header.height, header.width)
    ends, view = stage_ends(bitstream, settings, coder), memoryview(bitstream)
    stages = [
        coder.decode(n, view[start:end], rows * columns)
        for n, (start, end) in enumerate(itertools.pairwise(ends))
    ]
    return np.stack(stages).reshape(-1, rows, columns)
