"""DCVC-RT's adapter: its manifest and bitstream; upstream's code itself where it is at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage.data
from dcvc_rt.bitstream import (
    HEADER_BYTES,
    MAX_PIXELS,
    Header,
    Numerics,
    read,
    write,
)
from dcvc_rt.capacity import missing_bytes, symbol_bits
from lacking import lack_of

from harness.catalog.codec_manifest import read_codec
from harness.codec import BitstreamError
from harness.environments.client import Limits, WorkerFailure
from harness.environments.resident import ResidentCodec, WorkerSettings
from harness.readiness.ready import Readiness
from tests.patience import HANG_SECONDS

FOLDER = Path(__file__).parents[2] / "adapters" / "dcvc_rt"
(SPEC,) = read_codec(FOLDER / "codec.toml")
CPU = Numerics(cuda=False, half=False)
GPU = Numerics(cuda=True, half=True)
HEADER = Header(CPU, qp=27, height=512, width=768)
PAYLOAD = bytes(range(100))
WEIGHTS = 0x12345678


def test_the_rate_points_are_qps_from_the_worst_to_the_best_of_one_checkpoint():
    qps = [rate.options["qp"] for rate in SPEC.rates]
    assert qps == sorted(qps)
    assert (qps[0], qps[-1]) == (0, 63)
    assert [weights.file for weights in SPEC.weights] == ["cvpr2025_image.pth.tar"]


def test_a_bitstream_reads_back():
    for numerics in (CPU, GPU, Numerics(cuda=True, half=False)):
        header = Header(numerics, qp=63, height=1, width=65535)
        assert read(write(header, PAYLOAD, WEIGHTS), numerics, WEIGHTS) == (header, PAYLOAD)


def test_the_header_takes_ten_bytes_two_less_than_upstreams():
    assert HEADER_BYTES == 10
    assert len(write(HEADER, PAYLOAD, WEIGHTS)) == 10 + len(PAYLOAD)


def test_every_cut_is_noticed():
    whole = write(HEADER, PAYLOAD, WEIGHTS)
    for length in range(len(whole)):
        with pytest.raises(BitstreamError):
            read(whole[:length], CPU, WEIGHTS)


def test_every_flipped_bit_is_noticed():
    whole = write(HEADER, PAYLOAD, WEIGHTS)
    for position in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[position // 8] ^= 1 << position % 8
        with pytest.raises(BitstreamError):
            read(bytes(damaged), CPU, WEIGHTS)


@pytest.mark.parametrize(("height", "width"), [(8193, 8192), (65535, 65535), (1025, 65535)])
def test_a_header_of_more_pixels_than_the_bound_is_refused_before_anything_is_made(height, width):
    assert height * width > MAX_PIXELS
    with pytest.raises(BitstreamError, match=f"an image of {height} x {width} pixels"):
        read(write(Header(CPU, 27, height, width), PAYLOAD, WEIGHTS), CPU, WEIGHTS)


def test_a_bitstream_from_a_gpu_is_refused_on_the_cpu_by_name():
    stream = write(Header(GPU, 27, 512, 768), PAYLOAD, WEIGHTS)
    with pytest.raises(BitstreamError, match="encoded on a GPU in fp16"):
        read(stream, CPU, WEIGHTS)


def test_a_bitstream_of_other_weights_is_refused_by_name():
    with pytest.raises(BitstreamError, match="other weights"):
        read(write(HEADER, PAYLOAD, WEIGHTS), CPU, WEIGHTS + 1)


def test_bytes_of_another_codec_are_named_as_such():
    with pytest.raises(BitstreamError, match="not a bitstream of DCVC-RT"):
        read(b"\x89PNG\r\n\x1a\n" * 4, CPU, WEIGHTS)


def test_a_symbol_costs_its_information_and_an_escaped_one_its_bits_beside():
    cdf = np.array([[0, 1 << 15, 3 << 14, (1 << 16) - 1, 1 << 16]])
    (bits,) = symbol_bits(cdf, np.array([5]), np.array([-1]))
    assert bits[128 - 1] == 1
    assert bits[128 + 0] == 2
    assert bits[128 + 1] == pytest.approx(2, abs=1e-3)
    # 2 is the slot of escapes: 16 bits, and no pair of bits but their number, itself a pair
    assert bits[128 + 2] == 16 + 2
    # -2 is 1 beyond: one pair, which its number tells
    assert bits[128 - 2] == 16 + 2 + 2
    # 127 is 250 beyond: four pairs, whose number takes two
    assert bits[255] == 16 + 4 + 8


def test_room_is_missing_only_where_symbols_cost_more_than_a_byte_each():
    assert missing_bytes(4.0 * 10_000, 10_000, coders=1) == 0
    assert missing_bytes(8.5 * 10_000, 10_000, coders=1) > 600
    assert missing_bytes(5.0 * 10_000, 10_000, coders=2) > 1000


ABSENT = lack_of(SPEC, weights="random")
needs_upstream = pytest.mark.skipif(
    ABSENT is not None, reason=f"NOT CHECKED: DCVC-RT's own code; {ABSENT}"
)


@pytest.fixture
def resident(tmp_path):
    """Starts the codec with random weights in a process of its own."""
    opened = []

    def start(rate=-1):
        ready = Readiness(weights="random").of(SPEC, SPEC.rates)
        limits = Limits(call_seconds=HANG_SECONDS, load_seconds=HANG_SECONDS, memory_bytes=8 << 30)
        conditions = WorkerSettings(1, limits, tmp_path / "log")
        codec = ResidentCodec(ready, SPEC.rates[rate], conditions)
        opened.append(codec)
        return codec.__enter__()

    yield start
    for codec in opened:
        codec.__exit__(None, None, None)


@needs_upstream
def test_another_process_at_another_qp_decodes_the_same_photograph(resident):
    photograph = np.ascontiguousarray(skimage.data.astronaut()[:100, 200:290])
    with resident().use() as worker:
        bitstream = worker.encode(photograph)[0]
        here = worker.decode(bitstream)[0]
    with resident(rate=0).use() as worker:
        there = worker.decode(bitstream)[0]
        with pytest.raises(WorkerFailure, match="cut or damaged"):
            worker.decode(bitstream[:-1])
        with pytest.raises(WorkerFailure, match="1 x 65536 has a side over 65535") as refused:
            worker.encode(np.zeros((1, 65536, 3), np.uint8))
    assert (refused.value.status, refused.value.reason) == ("unavailable", "image")
    assert here.shape == photograph.shape
    assert (here == there).all()
    assert here.std() > 1


@needs_upstream
def test_noise_that_costs_more_than_a_byte_a_symbol_does_not_end_the_process(resident):
    noise = np.random.default_rng(1).integers(0, 256, (65, 130, 3), np.uint8)
    with resident().use() as worker:
        bitstream = worker.encode(noise)[0]
        assert worker.decode(bitstream)[0].shape == noise.shape
        assert worker.encode(noise)[0] == bitstream
