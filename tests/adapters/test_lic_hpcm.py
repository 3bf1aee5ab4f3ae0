"""LIC-HPCM's adapter: its manifest and bitstream; upstream's code itself where it is at hand."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from lacking import lack_of
from lic_hpcm.bitstream import MAX_PIXELS, Header, read, write
from lic_hpcm.padding import margins, padded

from harness.catalog.codec_manifest import read_codec
from harness.codec import BitstreamError
from harness.codec.bitstream import varint
from harness.environments.client import Limits, WorkerFailure
from harness.environments.resident import ResidentCodec, WorkerSettings
from harness.readiness.ready import Readiness
from tests.patience import HANG_SECONDS

FOLDER = Path(__file__).parents[2] / "adapters" / "lic_hpcm"
SPECS = {spec.name: spec for spec in read_codec(FOLDER / "codec.toml")}
HEADER = Header(threads=1, height=512, width=768)
Z, Y = bytes(range(200)), bytes(range(100, 180))
WEIGHTS = 0x12345678


@pytest.mark.parametrize("name", SPECS)
def test_each_rate_point_is_a_checkpoint_of_its_own_in_order_of_bitrate(name):
    rates = SPECS[name].rates
    bitrates = [rate.nominal_bpp for rate in rates]
    assert bitrates == sorted(bitrates)
    assert [rate.weights for rate in rates] == [(w.file,) for w in SPECS[name].weights]


def test_no_two_checkpoints_share_a_name_or_an_address():
    weights = [weights for spec in SPECS.values() for weights in spec.weights]
    assert len({w.file for w in weights}) == len({w.sources for w in weights}) == 24


@pytest.mark.parametrize("words", [2, 127, 128, 20_000])
def test_a_bitstream_reads_back(words):
    z = bytes(4 * words)
    assert read(write(HEADER, z, Y, WEIGHTS), 1, WEIGHTS) == (HEADER, z, Y)


def test_the_header_of_a_kodak_image_takes_12_bytes_or_less():
    z = bytes(8000)
    assert len(write(HEADER, z, Y, WEIGHTS)) - len(z + Y) == 12


def test_every_cut_is_noticed():
    whole = write(HEADER, Z, Y, WEIGHTS)
    for length in range(len(whole)):
        with pytest.raises(BitstreamError):
            read(whole[:length], 1, WEIGHTS)


def test_every_flipped_bit_is_noticed():
    whole = write(HEADER, Z, Y, WEIGHTS)
    for position in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[position // 8] ^= 1 << position % 8
        with pytest.raises(BitstreamError):
            read(bytes(damaged), 1, WEIGHTS)


@pytest.mark.parametrize(
    ("z", "y"),
    [(b"", Y), (Z, b""), (b"", b""), (Z + b"?", Y), (Z, Y[:-1])],
    ids=["no z", "no y", "nothing", "z not whole", "y not whole"],
)
def test_strings_that_no_range_coder_writes_are_refused(z, y):
    with pytest.raises(BitstreamError, match="strings are empty or not whole words"):
        read(write(HEADER, z, y, WEIGHTS), 1, WEIGHTS)


def test_the_string_of_z_cannot_reach_beyond_the_bytes():
    whole = write(HEADER, Z, Y, WEIGHTS)
    for words in (len(Z + Y) // 4, 1 << 20, (1 << 35) - 1):
        fields = whole[:6] + varint(words)
        check = zlib.crc32(Z + Y, zlib.crc32(fields, WEIGHTS)).to_bytes(4, "big")
        with pytest.raises(BitstreamError, match="strings are empty or not whole words"):
            read(fields + check + Z + Y, 1, WEIGHTS)


@pytest.mark.parametrize(("height", "width"), [(8193, 8192), (65535, 65535), (1025, 65535)])
def test_a_header_of_more_pixels_than_the_bound_is_refused_before_anything_is_made(height, width):
    assert height * width > MAX_PIXELS
    with pytest.raises(BitstreamError, match=f"an image of {height} x {width} pixels"):
        read(write(Header(1, height, width), Z, Y, WEIGHTS), 1, WEIGHTS)


def test_another_number_of_threads_is_refused_by_name():
    stream = write(HEADER, Z, Y, WEIGHTS)
    with pytest.raises(BitstreamError, match=r"on the CPU with 1 threads.*with 2 threads"):
        read(stream, 2, WEIGHTS)
    with pytest.raises(BitstreamError, match="does not decode on a GPU"):
        read(stream, 0, WEIGHTS)


def test_a_bitstream_of_another_checkpoint_is_refused_by_name():
    with pytest.raises(BitstreamError, match="other weights"):
        read(write(HEADER, Z, Y, WEIGHTS), 1, WEIGHTS + 1)


def test_bytes_of_another_codec_are_named_as_such():
    with pytest.raises(BitstreamError, match="not a bitstream of LIC-HPCM"):
        read(b"\x89PNG\r\n\x1a\n" * 4, 1, WEIGHTS)


def test_padding_is_centred_to_multiples_of_256():
    assert margins(512, 768) == (0, 0, 0, 0)
    assert margins(1, 255) == (0, 1, 127, 128)
    assert padded(1, 257) == (256, 512)


SPEC = SPECS["lic-hpcm"]
ABSENT = lack_of(SPEC, weights="random")
needs_upstream = pytest.mark.skipif(
    ABSENT is not None, reason=f"NOT CHECKED: LIC-HPCM's own code; {ABSENT}"
)


@pytest.fixture
def resident(tmp_path):
    """Starts the codec with random weights in a process of its own."""
    opened = []

    def start(*, threads):
        spec = replace(SPEC, options={**SPEC.options, "threads": threads})
        ready = Readiness(weights="random").of(spec, spec.rates)
        limits = Limits(call_seconds=HANG_SECONDS, load_seconds=HANG_SECONDS, memory_bytes=8 << 30)
        conditions = WorkerSettings(2, limits, tmp_path / "log")
        codec = ResidentCodec(ready, spec.rates[0], conditions)
        opened.append(codec)
        return codec.__enter__()

    yield start
    for codec in opened:
        codec.__exit__(None, None, None)


@needs_upstream
def test_another_process_decodes_the_same_photograph(resident):
    photograph = np.ascontiguousarray(skimage.data.astronaut()[:100, 200:290])
    with resident(threads=1).use() as worker:
        bitstream = worker.encode(photograph)[0]
        here = worker.decode(bitstream)[0]
        negative = worker.decode(worker.encode(255 - photograph)[0])[0]
    with resident(threads=1).use() as worker:
        there = worker.decode(bitstream)[0]
        with pytest.raises(WorkerFailure, match="cut or damaged"):
            worker.decode(bitstream[:-4])
        with pytest.raises(WorkerFailure, match="1 x 65536 has a side over 65535") as refused:
            worker.encode(np.zeros((1, 65536, 3), np.uint8))
    assert (refused.value.status, refused.value.reason) == ("unavailable", "image")
    assert here.shape == photograph.shape
    assert (here == there).all()
    assert (here != negative).any()


@needs_upstream
def test_more_threads_than_the_header_holds_are_refused_by_name(resident):
    failing = pytest.raises(WorkerFailure, match="option 'threads' is 256")
    with failing, resident(threads=256).use():
        pass
