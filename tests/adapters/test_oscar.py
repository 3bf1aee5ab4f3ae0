"""OSCAR's adapter: its levels and bitstream; upstream's network where it is at hand."""

from __future__ import annotations

import binascii
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from lacking import lack_of
from oscar.bitstream import Coded, read, write
from oscar.levels import LEVELS, padded_size
from oscar.stable_diffusion import CONFIGS, FILES, folder
from oscar.stable_diffusion import FOLDER as STABLE

from harness.assets.checkout import upstream_folder
from harness.catalog.codec_manifest import read_codec
from harness.codec import BitstreamError, Unavailable
from harness.environments import choose
from harness.environments.client import Limits, WorkerFailure
from harness.worker.wire import rate_fields
from tests.patience import HANG_SECONDS

FOLDER = Path(__file__).parents[2] / "adapters" / "oscar"
(SPEC,) = read_codec(FOLDER / "codec.toml")
CHECKOUT = upstream_folder(SPEC)
ABSENT = lack_of(SPEC, weights="random")
needs_network = pytest.mark.skipif(
    ABSENT is not None, reason=f"NOT CHECKED: OSCAR's network; {ABSENT}"
)
LIMITS = Limits(call_seconds=HANG_SECONDS, load_seconds=HANG_SECONDS, memory_bytes=12 << 30)
NUMBERS = range(len(LEVELS))


def coded(level, height=130, width=70, seed=0):
    random = np.random.default_rng(seed)
    rows, columns = LEVELS[level].grid(height, width)
    indices = random.integers(0, LEVELS[level].words, rows * columns, np.uint16)
    return Coded(level, height, width, random.random(4, np.float32) * 100, indices)


def sealed(stream):
    """With a right checksum, as a forger would write it."""
    checksum = binascii.crc_hqx(stream[:1] + stream[3:], 0)
    return stream[:1] + checksum.to_bytes(2, "big") + stream[3:]


def test_the_rate_points_are_the_levels_in_order_of_bitrate():
    assert [rate.options["level"] for rate in SPEC.rates] == list(NUMBERS)
    bitrates = [rate.nominal_bpp for rate in SPEC.rates]
    assert bitrates == sorted(bitrates)
    for bpp, level in zip(bitrates, LEVELS, strict=True):
        assert level.bits / level.pitch**2 == pytest.approx(bpp, abs=1e-4)


@pytest.mark.parametrize("level", NUMBERS)
def test_what_is_written_reads_back(level):
    written = coded(level)
    found = read(write(written))
    assert replace(found, norms=written.norms, indices=written.indices) == written
    np.testing.assert_array_equal(found.norms, written.norms)
    np.testing.assert_array_equal(found.indices, written.indices)


@pytest.mark.parametrize("level", NUMBERS)
def test_a_kodak_image_takes_its_nominal_bits_and_23_bytes(level):
    stream = write(coded(level, 512, 768))
    indices = 512 * 768 // LEVELS[level].pitch ** 2
    assert len(stream) == 23 + indices * LEVELS[level].bits // 8


@pytest.mark.parametrize("level", NUMBERS)
def test_every_cut_and_every_byte_too_many_is_noticed(level):
    stream = write(coded(level, 65, 65))
    for length in range(len(stream)):
        with pytest.raises(BitstreamError):
            read(stream[:length])
    for stream_of_wrong_length in (stream[:-1], stream + b"\0"):
        with pytest.raises(BitstreamError, match="where the header asks for"):
            read(sealed(stream_of_wrong_length))


def test_every_flipped_bit_is_noticed():
    stream = write(coded(2))
    for position in range(8 * len(stream)):
        damaged = bytearray(stream)
        damaged[position // 8] ^= 1 << position % 8
        with pytest.raises(BitstreamError):
            read(bytes(damaged))


def test_bytes_of_another_codec_are_named():
    with pytest.raises(BitstreamError, match="not an OSCAR bitstream"):
        read(b"\xff\xd8\xff\xe0")


def test_a_norm_that_is_not_a_number_is_refused():
    for norm in (np.nan, np.inf, -1):
        stream = write(replace(coded(0), norms=np.array([1, norm, 1, 1], np.float32)))
        with pytest.raises(BitstreamError, match="norm"):
            read(stream)


def test_a_header_that_states_more_pixels_than_any_image_has_is_refused():
    nothing = np.zeros(0, np.uint16)
    for size in ((1 << 20, 1 << 20), (0, 5)):
        with pytest.raises(BitstreamError, match="states an image of"):
            read(write(Coded(0, *size, np.zeros(4, np.float32), nothing)))


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (65, 64), (512, 768), (1080, 1920)])
def test_every_level_has_whole_cells_in_a_padded_image(size):
    height, width = padded_size(*size)
    assert height >= size[0] and width >= size[1]  # noqa: PT018 - one claim
    assert height - size[0] < 64 and width - size[1] < 64  # noqa: PT018
    for level in LEVELS:
        assert height % level.pitch == width % level.pitch == 0


def test_the_files_of_stable_diffusion_must_lie_in_one_folder(tmp_path):
    files = {}
    for name in FILES:
        path = tmp_path / "here" / STABLE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        files[f"{STABLE}/{name}"] = path
    assert folder(files) == tmp_path / "here" / STABLE
    elsewhere = tmp_path / "there" / "vae" / "config.json"
    elsewhere.parent.mkdir(parents=True)
    elsewhere.touch()
    with pytest.raises(Unavailable, match="in one folder"):
        folder({**files, f"{STABLE}/vae/config.json": elsewhere})
    with pytest.raises(Unavailable, match="harness weights fetch oscar"):
        folder({})


def test_the_manifest_names_every_file_that_the_network_reads():
    named = {weights.file for weights in SPEC.weights}
    assert named == {"oscar.pkl", *(f"{STABLE}/{name}" for name in FILES)}


def stable_diffusion_files(folder):
    """Right configurations, and files of weights that were cut."""
    classes = dict(zip(("scheduler", "unet", "vae"), CONFIGS, strict=True))
    files = {}
    for name in FILES:
        path = folder / STABLE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        config = CONFIGS[classes[path.parent.name]]
        path.write_text(json.dumps(config) if path.suffix == ".json" else "cut")
        files[f"{STABLE}/{name}"] = path
    return files


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Starts a worker with the codec open, and loads a level in it."""
    log = tmp_path_factory.mktemp("log") / "log"

    def start():
        return choose(SPEC).worker(log, 1, LIMITS, reads=[CHECKOUT])

    def load(worker, level, files=None):
        rate = SPEC.rates[level]
        weights = "pretrained" if files else "random"
        worker.load(rate_fields(rate.id, rate.options, weights, files or {}, CHECKOUT))

    return start, load


@needs_network
@pytest.mark.slow
def test_a_photograph_travels_as_bytes_between_processes_at_every_level(start):
    start, load = start
    photograph = np.ascontiguousarray(skimage.data.astronaut()[60:124, 100:150])
    streams = []
    with start() as encoder:
        encoder.open(SPEC.folder, SPEC.entry, SPEC.options, "cpu")
        for level in NUMBERS:
            load(encoder, level)
            streams.append(encoder.encode(photograph)[0])
        image = encoder.decode(streams[-1])[0]
    with start() as decoder:
        decoder.open(SPEC.folder, SPEC.entry, SPEC.options, "cpu")
        for level in (0, 7):
            load(decoder, level)
            decoded = decoder.decode(streams[level])[0]
            assert decoded.shape == photograph.shape
        np.testing.assert_array_equal(decoded, image)
        with pytest.raises(WorkerFailure, match="cut or damaged"):
            decoder.decode(streams[7][:-1])
        with pytest.raises(WorkerFailure, match="of level 0, the rate point of 7"):
            decoder.decode(streams[0])


@needs_network
def test_weights_that_do_not_read_are_refused_by_their_path(start, tmp_path):
    start, load = start
    files = {"oscar.pkl": tmp_path / "oscar.pkl", **stable_diffusion_files(tmp_path)}
    with start() as worker:
        worker.open(SPEC.folder, SPEC.entry, SPEC.options, "cpu")
        files["oscar.pkl"].write_bytes(b"not found")
        with pytest.raises(WorkerFailure, match=r"oscar\.pkl is not a checkpoint") as told:
            load(worker, 0, files)
        assert told.value.status == "unavailable"
        torch.save({"state_dict_unet": {}, "hyper_encoders": {}}, files["oscar.pkl"])
        with pytest.raises(WorkerFailure, match="lacks embeddings"):
            load(worker, 0, files)
        torch.save(dict.fromkeys(("state_dict_unet", "hyper_encoders", "embeddings")),
                   files["oscar.pkl"])  # fmt: skip
        with pytest.raises(WorkerFailure, match="holds no Stable Diffusion") as told:
            load(worker, 0, files)
    assert told.value.status == "unavailable"
