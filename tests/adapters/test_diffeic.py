"""DiffEIC's adapter: its manifest and bitstream; upstream's code itself where it is at hand."""

from __future__ import annotations

import binascii
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from diffeic.bitstream import MAX_SIDE, Stream, padded, read
from lacking import lack_of

from harness.catalog.codec_manifest import read_codec
from harness.codec import BitstreamError
from harness.environments.client import Limits, WorkerFailure
from harness.environments.resident import ResidentCodec, WorkerSettings
from harness.readiness.ready import Readiness
from tests.patience import HANG_SECONDS

FOLDER = Path(__file__).parents[2] / "adapters" / "diffeic"
SPECS = {spec.name: spec for spec in read_codec(FOLDER / "codec.toml")}
STREAM = Stream(rate=3, height=512, width=768, hyper=bytes(range(64)), latent=b"latent..")


def test_the_rate_points_rise_and_are_numbered_in_order():
    rates = SPECS["diffeic"].rates
    bitrates = [rate.nominal_bpp for rate in rates]
    assert bitrates == sorted(bitrates)
    assert [rate.options["number"] for rate in rates] == list(range(5))


def test_a_rate_point_needs_only_stable_diffusion_and_its_own_file():
    spec = SPECS["diffeic"]
    for rate in spec.rates:
        files = [weights.file for weights in spec.weights_of(rate)]
        assert files == ["v2-1_512-ema-pruned.ckpt", f"{rate.id}/lc.ckpt"]


def test_the_paper_takes_50_steps_and_the_quick_variant_2():
    assert SPECS["diffeic"].options["steps"] == 50
    assert SPECS["diffeic-2-steps"].options["steps"] == 2
    assert not SPECS["diffeic-2-steps"].in_all


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (127, 128), (512, 768), (4096, 8192), (1, MAX_SIDE)]
)
def test_a_bitstream_reads_back(height, width):
    stream = dataclasses.replace(STREAM, height=height, width=width)
    assert read(stream.to_bytes()) == stream


def test_the_header_of_a_kodak_image_takes_8_bytes():
    assert len(STREAM.to_bytes()) == 8 + len(STREAM.hyper) + len(STREAM.latent)


def test_every_cut_is_noticed():
    whole = STREAM.to_bytes()
    for length in range(len(whole)):
        with pytest.raises(BitstreamError):
            read(whole[:length])


def test_every_flipped_bit_is_noticed():
    whole = STREAM.to_bytes()
    for position in range(len(whole) * 8):
        damaged = bytearray(whole)
        damaged[position // 8] ^= 1 << position % 8
        with pytest.raises(BitstreamError):
            read(bytes(damaged))


def test_bytes_of_another_codec_are_named_as_such():
    with pytest.raises(BitstreamError, match="not a DiffEIC bitstream"):
        read(b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize(("height", "width"), [(0, 64), (MAX_SIDE, MAX_SIDE)])
def test_a_size_that_no_encoder_writes_is_refused(height, width):
    stream = dataclasses.replace(STREAM, height=height, width=width)
    with pytest.raises(BitstreamError, match=f"{height} x {width} pixels"):
        read(stream.to_bytes())


def test_a_hyper_latent_longer_than_the_bytes_is_refused_behind_a_right_checksum():
    whole = STREAM.to_bytes()
    assert whole[7] == len(STREAM.hyper) // 4
    rest = whole[3:7] + b"\x7f" + whole[8:]
    checksum = binascii.crc_hqx(whole[:1] + rest, 0).to_bytes(2, "big")
    with pytest.raises(BitstreamError, match="strings are cut"):
        read(whole[:1] + checksum + rest)


def test_images_are_padded_to_multiples_of_64():
    assert padded(512, 768) == (512, 768)
    assert padded(1, 65) == (64, 128)


def test_what_is_not_whole_words_is_not_written():
    with pytest.raises(ValueError, match="whole words"):
        dataclasses.replace(STREAM, latent=b"abc").to_bytes()


def quick(**options):
    """The quick variant, with other options."""
    spec = SPECS["diffeic-2-steps"]
    return dataclasses.replace(spec, options={**spec.options, **options})


LIMITS = Limits(call_seconds=HANG_SECONDS, load_seconds=HANG_SECONDS, memory_bytes=12 << 30)
ABSENT = lack_of(quick(), weights="random")
needs_upstream = pytest.mark.skipif(
    ABSENT is not None, reason=f"NOT CHECKED: DiffEIC's own code; {ABSENT}"
)


@pytest.fixture
def resident(tmp_path):
    """Starts a codec with random weights in a process of its own."""
    opened = []

    def start(*, rate=-1, threads=1, **options):
        spec = quick(**options)
        ready = Readiness(weights="random").of(spec, spec.rates)
        conditions = WorkerSettings(threads, LIMITS, tmp_path / "log")
        codec = ResidentCodec(ready, spec.rates[rate], conditions)
        opened.append(codec)
        return codec.__enter__()

    yield start
    for codec in opened:
        codec.__exit__(None, None, None)


@pytest.fixture(scope="module")
def photograph():
    return np.ascontiguousarray(skimage.data.astronaut()[:64, 200:290])


@needs_upstream
def test_two_processes_with_other_thread_counts_code_a_photograph(resident, photograph):
    with resident(threads=2).use() as worker:
        bitstream = worker.encode(photograph)[0]
        there = worker.decode(bitstream)[0]
        negative = worker.decode(worker.encode(255 - photograph)[0])[0]
        with pytest.raises(WorkerFailure, match=f"{MAX_SIDE} a side") as refused:
            worker.encode(np.zeros((1, MAX_SIDE + 1, 3), np.uint8))
    assert (refused.value.status, refused.value.reason) == ("unavailable", "image")
    assert (there != negative).any()
    with resident(threads=1).use() as worker:
        image = worker.decode(bitstream)[0]
        assert worker.encode(photograph)[0] == bitstream
    assert image.shape == photograph.shape
    assert np.abs(image.astype(int) - there).max() <= 2
    assert image.std() > 1


@needs_upstream
def test_another_seed_is_another_image_and_another_rate_is_refused(resident, photograph):
    with resident().use() as worker:
        bitstream = worker.encode(photograph)[0]
        image = worker.decode(bitstream)[0]
    with resident(rate=0, seed=1).use() as worker:
        with pytest.raises(WorkerFailure, match="rate point 4"):
            worker.decode(bitstream)
        other = worker.decode(worker.encode(photograph)[0])[0]
    assert np.abs(image.astype(int) - other).mean() > 1


@needs_upstream
def test_one_step_is_refused_by_name(resident):
    with pytest.raises(WorkerFailure, match="option steps is 1"), resident(steps=1).use():
        pass
