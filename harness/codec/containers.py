"""How many bytes of a file in a known format are not coded image data; the standard library alone.

Each function follows the format's own structure, and takes files that its encoder wrote whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.codec import BitstreamError

VERSION = 1
"""Raised when what these functions count changes.

Part of the identity of every case of an adapter that imports this module.
"""

_START_CODE = re.compile(rb"\x00*\x00\x00\x01")


def jpeg_header(file: bytes) -> int:
    """Bytes outside the entropy-coded segments of a JPEG file (ITU-T T.81, annex B).

    That is all markers and their segments: tables, frame and scan headers, SOI and EOI.

    Raises:
        BitstreamError: It is not a whole JPEG file.
    """
    position, coded = 2, 0
    while file[position : position + 1] == b"\xff" and position + 1 < len(file):
        marker = file[position + 1]
        if marker == 0xD9:  # noqa: PLR2004 - EOI
            return len(file) - coded
        length = int.from_bytes(file[position + 2 : position + 4], "big")
        position += 2 + length
        if marker == 0xDA:  # noqa: PLR2004 - SOS: coded data up to the next marker but RSTn
            end = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL).search(file, position)
            if end is None:
                break
            coded += end.start() - position
            position = end.start()
    raise BitstreamError("not a whole JPEG file")


def jpeg2000_header(codestream: bytes) -> int:
    """Bytes of a bare JPEG 2000 codestream outside its tile-parts' data (ITU-T T.800, annex A).

    That is the main header, each tile-part's header with its SOD, and EOC.

    Raises:
        BitstreamError: It is not a whole codestream.
    """
    sot, end_of_codestream = b"\xff\x90", b"\xff\xd9"
    position = 2
    while codestream[position : position + 2] not in (sot, b""):
        position += 2 + int.from_bytes(codestream[position + 2 : position + 4], "big")
    header = position
    while codestream[position : position + 2] == sot:
        length = int.from_bytes(codestream[position + 6 : position + 10], "big")
        after = position + length if length else len(codestream) - 2
        data = position + 12
        while codestream[data : data + 2] not in (b"\xff\x93", b""):
            data += 2 + int.from_bytes(codestream[data + 2 : data + 4], "big")
        if data + 2 > after:
            break
        header += data + 2 - position
        position = after
    if codestream[position:] != end_of_codestream:
        raise BitstreamError("not a whole JPEG 2000 codestream")
    return header + 2


def riff_header(file: bytes, *data: bytes) -> int:
    """Bytes of a RIFF file (WebP) outside the payload of its chunks named ``data``.

    Raises:
        BitstreamError: It holds none of them.
    """
    position, payload = 12, 0
    while len(name := file[position : position + 4]) == 4:  # noqa: PLR2004 - a FourCC
        length = int.from_bytes(file[position + 4 : position + 8], "little")
        payload += length if name in data else 0
        position += 8 + length + length % 2
    if not payload or position != len(file):
        raise BitstreamError("not a whole RIFF file with image data")
    return len(file) - payload


def isobmff_header(file: bytes) -> int:
    """Bytes of an ISO base media file (HEIC, AVIF) outside the payload of its ``mdat`` boxes.

    Parameter sets that stand in the item properties (``hvcC``, ``av1C``) are header; the same in
    the image data are not (ISO/IEC 14496-12, 4.2).

    Raises:
        BitstreamError: It holds none.
    """
    payload = sum(size for name, size in _boxes(file) if name == b"mdat")
    if not payload:
        raise BitstreamError("not a whole ISO base media file with image data")
    return len(file) - payload


def _boxes(file: bytes) -> Iterator[tuple[bytes, int]]:
    """The name and the size of the payload of each box."""
    position = 0
    while position < len(file):
        size = int.from_bytes(file[position : position + 4], "big")
        name, header = file[position + 4 : position + 8], 8
        if size == 1:
            size, header = int.from_bytes(file[position + 8 : position + 16], "big"), 16
        size = size or len(file) - position
        if size < header or position + size > len(file):
            raise BitstreamError("not a whole ISO base media file")
        yield name, size - header
        position += size


def vvc_header(bitstream: bytes) -> int:
    """Bytes of a VVC byte stream outside its slices: start codes, parameter sets, messages.

    Slices are the NAL units of types 0 to 11 (ITU-T H.266, table 5, and annex B).

    Raises:
        BitstreamError: It holds no slice.
    """
    starts = [*_START_CODE.finditer(bitstream)]
    ends = [*(match.start() for match in starts[1:]), len(bitstream)]
    coded = sum(
        end - start.end()
        for start, end in zip(starts, ends, strict=False)  # no start, and one end
        if start.end() + 1 < end and bitstream[start.end() + 1] >> 3 <= 11  # noqa: PLR2004
    )
    if not coded:
        raise BitstreamError("not a VVC byte stream with a slice")
    return len(bitstream) - coded
