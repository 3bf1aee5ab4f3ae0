"""Header bytes of files that real encoders wrote, counted another way than by their structure."""

from __future__ import annotations

import io

import numpy as np
import pytest
import skimage.data
from PIL import Image as Pillow

from harness.codec import BitstreamError
from harness.codec.containers import isobmff_header, jpeg2000_header, jpeg_header, riff_header

photograph = Pillow.fromarray(skimage.data.chelsea()[:192, :256])


def webp_header(file: bytes) -> int:
    return riff_header(file, b"VP8 ")


def saved(kind: str, picture: Pillow.Image = photograph, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 4}])
def test_a_jpeg_without_its_tables_has_a_header_shorter_by_exactly_those(options):
    """Pillow's streamtype 2 is the same scans without tables, 1 the tables alone."""
    whole, scans, tables = (saved("JPEG", quality=30, streamtype=n, **options) for n in (0, 2, 1))
    assert len(scans) < len(whole)
    assert len(whole) - jpeg_header(whole) == len(scans) - jpeg_header(scans)
    assert jpeg_header(tables) == len(tables)


def test_the_parts_of_a_baseline_jpeg_add_up():
    """SOI, JFIF, two tables of steps, frame, four of the standard's Huffman tables, scan, EOI."""
    huffman = sum(2 + 2 + 17 + symbols for symbols in (12, 162, 12, 162))  # ITU-T T.81 annex K
    parts = 2 + 18 + 2 * (2 + 2 + 65) + (2 + 8 + 9) + huffman + (2 + 6 + 6) + 2
    assert jpeg_header(saved("JPEG", quality=40)) == parts
    assert jpeg_header(saved("JPEG", quality=40, comment=b"x" * 1000)) == parts + 1000 + 4


def test_what_follows_a_jpeg_2000_header_is_its_tiles():
    options = {"no_jp2": True, "quality_layers": [40], "comment": "\0"}
    stream = saved("JPEG2000", **options)
    main_and_tile = stream.index(b"\xff\x93") + 2
    assert jpeg2000_header(stream) == main_and_tile + len(b"\xff\xd9")
    tiles = saved("JPEG2000", tile_size=(64, 64), **options)
    assert tiles.count(b"\xff\x90\x00\x0a") == 3 * 4
    assert jpeg2000_header(tiles) == jpeg2000_header(stream) + 11 * (12 + 2)


def test_metadata_in_a_webp_is_header():
    plain, tagged = saved("WEBP"), saved("WEBP", exif=b"Exif\0\0" + b"x" * 500)
    assert plain[23:26] == b"\x9d\x01\x2a", "VP8's own start code is behind its frame tag"
    assert webp_header(plain) == 20
    assert len(tagged) - webp_header(tagged) == len(plain) - 20


def obu_end(stream: bytes, position: int) -> int:
    """Where an AV1 open bitstream unit that states its length ends (AV1 specification, 5.3)."""
    assert stream[position] & 0x02, "it states its length"
    length, position = 0, position + 1 + (stream[position] >> 2 & 1)
    for shift in range(0, 56, 7):
        byte, position = stream[position], position + 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
    return position + length


def test_the_coded_data_of_an_avif_is_whole_av1_units():
    file = saved("AVIF", quality=50)
    position = isobmff_header(file)  # libavif writes all boxes before the payload
    while position < len(file):
        position = obu_end(file, position)
    assert position == len(file)


@pytest.mark.parametrize("size", [(256, 192), (255, 191)])
def test_the_coded_data_of_a_heic_is_whole_nal_units(size):
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    file = saved("HEIF", photograph.crop((0, 0, *size)), quality=20, chroma="420", tile_size=0)
    position = isobmff_header(file)
    while position < len(file):
        position += 4 + int.from_bytes(file[position : position + 4], "big")
    assert position == len(file)


FILES = {
    jpeg_header: saved("JPEG", quality=5),
    jpeg2000_header: saved("JPEG2000", no_jp2=True, quality_layers=[200]),
    webp_header: saved("WEBP", quality=1),
    isobmff_header: saved("AVIF", quality=1),
}


@pytest.mark.parametrize("count", FILES)
def test_files_that_are_cut_are_refused(count):
    file = FILES[count]
    for length in (*range(0, len(file), 7), len(file) - 1):
        with pytest.raises(BitstreamError):
            count(file[:length])


@pytest.mark.parametrize("count", FILES)
def test_damaged_files_are_counted_within_their_length_or_refused(count):
    random, file = np.random.default_rng(0), np.frombuffer(FILES[count], np.uint8)
    for _ in range(1000):
        damaged = file.copy()
        damaged[random.integers(0, min(400, len(file)), 3)] = random.integers(0, 256, 3)
        try:
            found = count(damaged.tobytes())
        except BitstreamError:
            continue
        assert 0 <= found <= len(file)
