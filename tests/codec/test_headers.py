"""What of a file is header: files put together by hand, of known parts."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from harness.codec import BitstreamError
from harness.codec.containers import (
    isobmff_header,
    jpeg2000_header,
    jpeg_header,
    riff_header,
    vvc_header,
)


def segment(marker, content):
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


def box(name, content):
    return (len(content) + 8).to_bytes(4, "big") + name + content


def test_of_a_jpeg_file_the_scans_are_data_with_stuffed_bytes_and_restarts():
    scan = b"data\xff\x00more\xff\xd0rest"
    header = b"\xff\xd8" + segment(0xE0, b"JFIF") + segment(0xDB, bytes(65))
    file = header + segment(0xDA, bytes(10)) + scan + segment(0xDA, bytes(6)) + scan + b"\xff\xd9"
    assert jpeg_header(file) == len(file) - 2 * len(scan)


def test_a_progressive_jpeg_of_a_photograph_counts_all_its_scans():
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", progressive=True, quality=90)
    assert 300 < jpeg_header(file.getvalue()) < 1500


def test_of_a_jpeg2000_codestream_the_tile_parts_packets_are_data():
    main = b"\xff\x4f" + segment(0x51, bytes(40)) + segment(0x5C, bytes(20))
    data = b"packets \x00\x01"

    def part(length):
        sot = (
            b"\xff\x90" + (10).to_bytes(2, "big") + bytes(2) + length.to_bytes(4, "big") + bytes(2)
        )
        return sot + segment(0x58, b"PLT") + b"\xff\x93" + data

    size = len(part(0))
    stream = main + part(size) + part(0) + b"\xff\xd9"
    assert jpeg2000_header(stream) == len(stream) - 2 * len(data)


def test_of_riff_the_named_chunks_payload_is_data_and_padding_is_not():
    chunks = (
        b"VP8 " + (5).to_bytes(4, "little") + b"frame\x00" + b"EXIF" + bytes([2, 0, 0, 0]) + b"no"
    )
    file = b"RIFF" + (len(chunks) + 4).to_bytes(4, "little") + b"WEBP" + chunks
    assert riff_header(file, b"VP8 ") == len(file) - 5


def test_of_an_iso_media_file_the_payload_of_mdat_is_data_whatever_the_box_s_size_field():
    top = box(b"ftyp", b"avif") + box(b"meta", bytes(99))
    assert isobmff_header(top + box(b"mdat", b"12345")) == len(top) + 8
    large = (1).to_bytes(4, "big") + b"mdat" + (21).to_bytes(8, "big") + b"12345"
    assert isobmff_header(top + large) == len(top) + 16
    assert isobmff_header(top + bytes(4) + b"mdat" + b"12345") == len(top) + 8


def test_of_a_vvc_byte_stream_the_slices_are_data():
    def unit(kind, content):
        return b"\x00\x00\x00\x01" + bytes([0, kind << 3 | 1]) + content

    sets = unit(14, b"vps") + unit(15, b"sps!") + unit(16, b"pps")
    stream = sets + unit(8, b"a slice") + unit(24, b"hash")
    assert vvc_header(stream) == len(stream) - len(b"a slice") - 2


@pytest.mark.parametrize(
    "count",
    [jpeg_header, jpeg2000_header, isobmff_header, vvc_header, lambda f: riff_header(f, b"VP8 ")],
)
@pytest.mark.parametrize("file", [b"", b"\xff", b"\xff\xd8\xff", bytes(40), b"RIFF" + bytes(40)])
def test_what_is_no_whole_file_is_refused(count, file):
    with pytest.raises(BitstreamError):
        count(file)
