"""The parsers of bitstreams, which a decoder begins with.

Where a stream is canonical, what was accepted must be written again as the same bytes.
"""

from __future__ import annotations

import binascii
import struct
import zlib
from collections.abc import Callable

from campaigns.parsing.parser import ROOT, Parser, adapter, refused_by

IDENTITY = 0xBEEF
WEIGHTS = 0x12345678
STRINGS = bytes(range(24)), bytes(range(100, 180))
SIZES = (1, 1), (64, 64), (512, 768), (2160, 3840), (8192, 8192)


def hyperprior() -> Parser:
    """The stream of HiFiC and MS-ILLM."""
    from harness.codec import BitstreamError
    from harness.codec.bitstream import MAX_PIXELS, HyperpriorStream

    def parse(data: bytes) -> None:
        coded = HyperpriorStream.read(data, IDENTITY, "the codec")
        assert 0 < coded.height * coded.width <= MAX_PIXELS
        assert coded.to_bytes(IDENTITY) == data

    def repair(data: bytes) -> bytes:
        at = _after_numbers(data, 0, 3)
        check = binascii.crc_hqx(data[at + 2 :], binascii.crc_hqx(data[:at], IDENTITY))
        return data[:at] + check.to_bytes(2, "big") + data[at + 2 :]

    seeds = [HyperpriorStream(h, w, *STRINGS).to_bytes(IDENTITY) for h, w in SIZES]
    return Parser(refused_by(BitstreamError, parse), seeds, repair)


def varint() -> Parser:
    """A number of 7 bits a byte."""
    from harness.codec import BitstreamError
    from harness.codec.bitstream import read_varint, varint

    def parse(data: bytes) -> None:
        value, end = read_varint(data, 0, 4)
        assert varint(value) == data[:end]

    seeds = [varint(n) for n in (0, 127, 128, 65535, (1 << 28) - 1)]
    return Parser(refused_by(BitstreamError, parse), seeds)


def lic_hpcm() -> Parser:
    """LIC-HPCM's stream."""
    adapter("lic_hpcm")
    from lic_hpcm.bitstream import MAX_PIXELS, Header, read, write

    from harness.codec import BitstreamError

    def parse(data: bytes) -> None:
        header, z, y = read(data, 1, WEIGHTS)
        assert 0 < header.height * header.width <= MAX_PIXELS
        assert min(len(z), len(y)) > 0
        assert not len(z) % 4
        assert not len(y) % 4
        assert write(header, z, y, WEIGHTS) == data

    def repair(data: bytes) -> bytes:
        at = _after_numbers(data, 6, 1)
        check = zlib.crc32(data[at + 4 :], zlib.crc32(data[:at], WEIGHTS))
        return data[:at] + check.to_bytes(4, "big") + data[at + 4 :]

    seeds = [write(Header(1, min(h, 65535), w), *STRINGS, WEIGHTS) for h, w in SIZES]
    return Parser(refused_by(BitstreamError, parse), seeds, repair)


def dcvc_rt() -> Parser:
    """DCVC-RT's stream."""
    adapter("dcvc_rt")
    from dcvc_rt.bitstream import MAX_PIXELS, Header, Numerics, read, write

    from harness.codec import BitstreamError

    numerics = Numerics(cuda=False, half=False)

    def parse(data: bytes) -> None:
        header, payload = read(data, numerics, WEIGHTS)
        assert 0 < header.height * header.width <= MAX_PIXELS
        assert payload
        assert write(header, payload, WEIGHTS) == data

    def repair(data: bytes) -> bytes:
        check = zlib.crc32(data[10:], zlib.crc32(data[:6], WEIGHTS))
        return data[:6] + struct.pack(">I", check) + data[10:]

    seeds = [write(Header(numerics, 27, h, w), STRINGS[1], WEIGHTS) for h, w in SIZES]
    return Parser(refused_by(BitstreamError, parse), seeds, repair)


def diffeic() -> Parser:
    """DiffEIC's stream."""
    adapter("diffeic")
    from diffeic.bitstream import MAX_PIXELS, Stream, read

    from harness.codec import BitstreamError

    def parse(data: bytes) -> None:
        coded = read(data)
        assert 0 < coded.height * coded.width <= MAX_PIXELS
        assert coded.to_bytes() == data

    seeds = [Stream(2, h, w, *STRINGS).to_bytes() for h, w in SIZES]
    return Parser(refused_by(BitstreamError, parse), seeds, _crc16_in_front(0))


def oscar() -> Parser:
    """OSCAR's stream, indices included."""
    adapter("oscar")
    import numpy as np
    from oscar.bitstream import MAX_PIXELS, Coded, read, write
    from oscar.levels import LEVELS

    from harness.codec import BitstreamError

    def parse(data: bytes) -> None:
        coded = read(data)
        level = LEVELS[coded.level]
        assert 0 < coded.height * coded.width <= MAX_PIXELS
        assert coded.indices.max() < level.words
        assert write(coded) == data

    seeds = []
    for number, level in enumerate(LEVELS):
        rows, columns = level.grid(64, 65)
        indices = (np.arange(rows * columns) % level.words).astype(np.uint16)
        seeds.append(write(Coded(number, 64, 65, np.ones(4, np.float32), indices)))
    return Parser(refused_by(BitstreamError, parse), seeds, _crc16_in_front(0))


def control_gic() -> Parser:
    """Control-GIC's stream: header, masks and Huffman codes of a small image."""
    adapter("control_gic")
    import numpy as np
    from control_gic.bitstream import (
        CELL,
        MAX_PIXELS,
        Codebook,
        Mode,
        Tile,
        TileReader,
        read_header,
        write,
    )

    from harness.codec import BitstreamError

    codes = {0: "0", 1: "10", 2: "110", 3: "111"}
    codebook = Codebook(codes, {code: index for index, code in codes.items()})

    def parse(data: bytes) -> None:
        mode, height, width, position = read_header(data, codebook)
        assert 0 < height * width <= MAX_PIXELS
        rows, columns = -(-height // CELL), -(-width // CELL)
        if rows * columns > 64:
            return  # whose tiles only take longer
        reader = TileReader(data, position, mode, codebook)
        tile = reader.read(rows, columns)
        reader.end()
        assert set(np.unique(tile.indices)) <= set(codes)
        assert write(mode, height, width, [tile], codebook) == data

    seeds = []
    for mode in Mode:
        coarse = np.array([[mode in {Mode.COARSE, Mode.COARSE_FINE, Mode.COARSE_MEDIUM}, False]])
        coarse |= mode is Mode.COARSE
        medium = np.full((2, 4), mode in {Mode.MEDIUM, Mode.COARSE_MEDIUM})
        medium &= ~coarse.repeat(2, 0).repeat(2, 1)
        if mode in {Mode.ALL, Mode.MEDIUM_FINE}:
            medium[0, 3] = True
        fine = ~(coarse.repeat(4, 0).repeat(4, 1) | medium.repeat(2, 0).repeat(2, 1))
        tile = Tile(coarse, medium, fine, np.full((4, 8), 2))
        seeds.append(write(mode, 16, 32, [tile], codebook))
    return Parser(refused_by(BitstreamError, parse), seeds, _crc16_in_front(codebook.checksum))


def progic() -> Parser:
    """ProGIC's stream, as its decoder reads it: header and fixed-length stages."""
    adapter("progic")
    from progic.bitstream import Packed

    return _progic(Packed(10))


def progic_range_coded() -> Parser:
    """The same with range-coded stages, which are decoded by constriction."""
    adapter("progic")
    import numpy as np
    from progic.entropy import RangeCoded

    usage = np.random.default_rng(0).integers(0, 50, (5, 1024)).astype(np.float32)
    return _progic(RangeCoded(usage))


def _progic(coder: object) -> Parser:
    from typing import Any, cast

    import numpy as np
    from progic.bitstream import MAX_PIXELS, Header, read, read_header, write
    from progic.presets import Settings

    from harness.codec import BitstreamError

    settings = Settings(8, 1, 1, 8)
    coding = cast("Any", coder)

    def parse(data: bytes) -> None:
        header, _ = read_header(data)
        assert 0 < header.height * header.width <= MAX_PIXELS
        if header.height * header.width > 1 << 18 and len(data) > 1 << 16:
            return  # whose stages only take longer
        indices = read(data, settings, coding)
        assert 1 <= len(indices) <= header.stages
        assert indices.max() < settings.words
        assert data.startswith(write(header, indices, coding))

    def repair(data: bytes) -> bytes:
        at = _after_numbers(data, 3, 2) + 4
        return data[:at] + binascii.crc_hqx(data[:at], 0).to_bytes(2, "big") + data[at + 2 :]

    seeds = []
    for height, width, stages in ((16, 16, 1), (33, 70, 5), (128, 96, 3)):
        shape = (stages, *settings.latent_size(height, width))
        indices = np.random.default_rng(stages).integers(0, 1024, shape).astype(np.uint16)
        header = Header(1, stages, height, width, b"\1\2\3\4")
        seeds.append(write(header, indices, coding))
    return Parser(refused_by(BitstreamError, parse), seeds, repair)


def vtm() -> Parser:
    """The byte before VTM's own bitstream."""
    adapter("vtm")
    from vtm import bitstream
    from vtm.colour import Conversion

    from harness.catalog.codec_manifest import read_codec
    from harness.codec import BitstreamError

    plain = Conversion.of(read_codec(ROOT / "adapters" / "vtm" / "codec.toml")[0].options)

    def parse(data: bytes) -> None:
        header = bitstream.Header.read(data, plain)
        assert header.pack(plain) == data[:1]

    seeds = [bitstream.Header(r, c).pack(plain) + b"x" for r in (0, 1) for c in (0, 1)]
    return Parser(refused_by(BitstreamError, parse), seeds)


def _after_numbers(data: bytes, begin: int, count: int) -> int:
    """Where ``count`` numbers of 7 bits a byte end that begin at ``begin``."""
    position = begin
    for _ in range(count):
        while position < len(data) and data[position] & 0x80:
            position += 1
        position += 1
    return position


def _crc16_in_front(begin: int) -> Callable[[bytes], bytes]:
    """Mends the CRC-16 in the bytes 1 and 2, of all others."""

    def repair(data: bytes) -> bytes:
        check = binascii.crc_hqx(data[:1] + data[3:], begin)
        return data[:1] + check.to_bytes(2, "big") + data[3:]

    return repair
