"""The files that VTM reads and writes: raw planes in, Y4M out."""

from __future__ import annotations

import re

import numpy as np

from harness.codec import BitstreamError

from .colour import Plane, Planes

Y4M = re.compile(rb"YUV4MPEG2 W(\d+) H(\d+) [^\n]*C(420|444)(p10)?\nFRAME\n")


def raw(planes: Planes, depth: int) -> bytes:
    """The planes one after another: a byte a sample at 8 bits, else two, the lower first."""
    kind = np.dtype("<u2" if depth > 8 else "u1")  # noqa: PLR2004 - bits of a byte
    return b"".join(plane.astype(kind).tobytes() for plane in planes)


def read_y4m(data: bytes, chroma: str, depth: int) -> Planes:
    """The planes of a Y4M file of one picture.

    Raises:
        BitstreamError: It holds none, several, or one of another chroma format or depth, as
            happens when the decoder was given a damaged bitstream.
    """
    found = Y4M.match(data)
    if found is None:
        raise BitstreamError("the decoder wrote no picture")
    width, height = int(found[1]), int(found[2])
    written = (f"4:{found[3].decode()[1]}:{found[3].decode()[2]}", 10 if found[4] else 8)
    if written != (chroma, depth):
        raise BitstreamError(f"the decoder wrote {written[0]} at {written[1]} bits")
    small = (height // 2, width // 2) if chroma == "4:2:0" else (height, width)
    sizes = [height * width, small[0] * small[1], small[0] * small[1]]
    kind = np.dtype("<u2" if depth > 8 else "u1")  # noqa: PLR2004 - bits of a byte
    if len(data) != found.end() + sum(sizes) * kind.itemsize:
        raise BitstreamError(f"the decoder wrote {len(data)} bytes for {height} x {width}")
    samples = np.frombuffer(data, kind, offset=found.end())
    luma, blue, red = np.split(samples, np.cumsum(sizes)[:2])

    def plane(part: np.ndarray, shape: tuple[int, int]) -> Plane:
        return part.reshape(shape).astype(np.uint16)

    return plane(luma, (height, width)), plane(blue, small), plane(red, small)
