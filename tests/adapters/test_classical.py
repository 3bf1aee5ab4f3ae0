"""The adapters that work out of the box, each in a real worker, on a real photograph."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from lacking import lack_of
from PIL import Image as Pillow

from harness.catalog.codec_manifest import read_codec
from harness.environments import Inline
from harness.environments.client import Limits, WorkerFailure
from harness.worker.wire import rate_fields
from tests.patience import HANG_SECONDS

ADAPTERS = Path(__file__).parents[2] / "adapters"
FOLDERS = ("jpeg", "webp", "avif", "jpeg_xl", "jpeg2000", "heic")
SPECS = {
    spec.name: spec for folder in FOLDERS for spec in read_codec(ADAPTERS / folder / "codec.toml")
}
LIMITS = Limits(call_seconds=HANG_SECONDS, load_seconds=HANG_SECONDS, memory_bytes=8 << 30)
KODAK = [
    path
    for folder in os.environ.get("HARNESS_DATA", "").split(os.pathsep)
    if folder
    for path in sorted((Path(folder) / "kodak").glob("kodim*.png"))
]

photograph = np.ascontiguousarray(skimage.data.chelsea()[60:252, 90:346])


@pytest.fixture(scope="module", params=SPECS)
def codec(request, tmp_path_factory):
    """One worker a codec; ``at(rate)`` loads a rate point and returns the worker."""
    spec = SPECS[request.param]
    if reason := lack_of(spec):
        pytest.skip(reason)
    with Inline().worker(tmp_path_factory.mktemp("log") / "log", 1, LIMITS) as running:
        running.open(spec.folder, spec.entry, spec.options, "cpu")

        def at(rate):
            running.load(rate_fields(rate.id, rate.options, "none", {}))
            return running

        yield spec, at


def open_at(running, spec, rate):
    running.open(spec.folder, spec.entry, spec.options, "cpu")
    running.load(rate_fields(rate.id, rate.options, "none", {}))


def psnr(image, reference):
    return 10 * np.log10(255**2 / np.mean((image.astype(float) - reference) ** 2))


def chroma_error(image, reference):
    """Mean absolute error of R - G and B - G, which no change of luma alone makes."""
    difference = image.astype(float) - reference
    return np.abs(difference[..., ::2] - difference[..., 1:2]).mean()


def test_there_are_eight_rate_points_in_order_of_bitrate(codec):
    spec, _ = codec
    stated = [rate.nominal_bpp for rate in spec.rates]
    assert len(stated) == 8
    assert stated == sorted(stated)


def test_more_bits_give_a_better_photograph(codec):
    spec, at = codec
    sizes, qualities = [], []
    for rate in spec.rates:
        bitstream, *_ = at(rate).encode(photograph)
        decoded, _ = at(rate).decode(bitstream)
        sizes.append(len(bitstream))
        qualities.append(psnr(decoded, photograph))
    assert sizes == sorted(set(sizes))
    assert qualities == sorted(qualities)
    assert qualities[0] > 18
    assert qualities[-1] > 34


@pytest.mark.parametrize("size", [(1, 1), (1, 19), (19, 1), (2, 3), (17, 15), (37, 53), (191, 255)])
def test_any_size_comes_back_as_it_went_in(codec, size):
    spec, at = codec
    image = np.ascontiguousarray(photograph[: size[0], : size[1]])
    for rate in (spec.rates[0], spec.rates[-1]):
        bitstream, *_ = at(rate).encode(image)
        decoded, _ = at(rate).decode(bitstream)
        assert decoded.shape == image.shape


def test_the_last_row_and_column_of_an_odd_size_are_coded(codec):
    spec, at = codec
    image = np.ascontiguousarray(photograph[:37, :53])
    bitstream, *_ = at(spec.rates[-1]).encode(image)
    decoded, _ = at(spec.rates[-1]).decode(bitstream)
    error = np.abs(decoded.astype(int) - image)
    assert error[-1].mean() < 3 * error.mean() + 1
    assert error[:, -1].mean() < 3 * error.mean() + 1


def refusal(running, bitstream):
    """The error that the bytes are answered with, or ``None`` when they decode."""
    try:
        running.decode(bitstream)
    except WorkerFailure as failure:
        return failure
    return None


def test_every_truncation_is_refused_as_a_damaged_bitstream(codec):
    spec, at = codec
    running = at(spec.rates[3])
    bitstream, *_ = running.encode(np.ascontiguousarray(photograph[:64, :80]))
    accepted = []
    for length in range(len(bitstream)):
        failure = refusal(running, bitstream[:length])
        if failure is None:
            accepted.append(length)
        else:
            assert failure.reason == "bitstream", f"cut at {length}: {failure}"
    assert accepted == []


def test_damaged_bytes_never_end_the_decoder(codec):
    spec, at = codec
    running = at(spec.rates[3])
    bitstream, *_ = running.encode(np.ascontiguousarray(photograph[:64, :80]))
    random = np.random.default_rng(1)
    for _ in range(100):
        damaged = np.frombuffer(bitstream, np.uint8).copy()
        damaged[random.integers(0, len(damaged), 4)] = random.integers(0, 256, 4)
        failure = refusal(running, damaged.tobytes())
        assert failure is None or failure.reason == "bitstream", str(failure)


def test_the_bytes_do_not_depend_on_the_number_of_threads(codec, tmp_path):
    spec, _ = codec
    bitstreams = set()
    for threads in (2, 4) if spec.name.startswith("avif") else (1, 2):
        with Inline().worker(tmp_path / "log", threads, LIMITS) as running:
            open_at(running, spec, spec.rates[4])
            bitstreams.add(running.encode(photograph)[0])
    assert len(bitstreams) == 1


@pytest.mark.parametrize(("name", "limit"), [("jpeg", 65500), ("webp", 16383), ("avif", 32768)])
def test_an_image_at_the_limit_is_coded_and_one_past_it_is_refused_by_the_limit(
    name, limit, tmp_path
):
    with Inline().worker(tmp_path / "log", 1, LIMITS) as running:
        open_at(running, SPECS[name], SPECS[name].rates[0])
        bitstream, *_ = running.encode(np.zeros((1, limit, 3), np.uint8))
        assert running.decode(bitstream)[0].shape == (1, limit, 3)
        with pytest.raises(WorkerFailure, match=str(limit)) as refusal:
            running.encode(np.zeros((limit + 1, 1, 3), np.uint8))
    assert refusal.value.status == "unavailable"


@pytest.mark.parametrize("name", ["jpeg", "avif", "heic"])
def test_the_444_variant_keeps_the_chroma_that_420_averages(name, tmp_path):
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = (230, 60, 60)
    stripes[:, 1::2] = (60, 60, 230)
    errors = {}
    for spec in (SPECS[name], SPECS[f"{name}-444"]):
        rate = spec.rates[-1]
        with Inline().worker(tmp_path / "log", 1, LIMITS) as running:
            open_at(running, spec, rate)
            decoded, _ = running.decode(running.encode(stripes)[0])
        errors[spec.options["chroma"]] = chroma_error(decoded, stripes)
    assert errors["4:2:0"] > 60
    assert errors["4:4:4"] < 20


@pytest.mark.slow
@pytest.mark.skipif(len(KODAK) < 24, reason="HARNESS_DATA names no folder with the Kodak images")
def test_the_nominal_bitrate_is_the_mean_over_kodak(codec):
    spec, at = codec
    rate = spec.rates[3]
    bits, pixels = 0, 0
    for path in KODAK:
        image = np.asarray(Pillow.open(path).convert("RGB"))
        bits += 8 * len(at(rate).encode(image)[0])
        pixels += image.shape[0] * image.shape[1]
    assert bits / pixels == pytest.approx(rate.nominal_bpp, rel=0.03)


TOLD = {"jpeg": (250, 600), "webp": (20, 21), "avif": (200, 400), "heic": (300, 500),
        "jpeg2000": (60, 200)}  # fmt: skip


def test_the_header_is_told_from_the_coded_data(codec):
    spec, at = codec
    folder = spec.folder.name
    if folder not in TOLD:
        return  # a JPEG XL codestream's header does not end at a byte
    least, most = TOLD[folder]
    found = []
    for rate in (spec.rates[0], spec.rates[-1]):
        bitstream, *_ = at(rate).encode(photograph)
        header = at(rate).header_bytes(bitstream)
        assert least <= header <= most
        found.append(len(bitstream) - header)
    assert found[0] < found[1], "what grows with the rate is the coded data"


def test_in_heic_and_avif_what_follows_the_last_box_s_name_is_data(codec):
    spec, at = codec
    if spec.folder.name in ("avif", "heic"):
        bitstream, *_ = at(spec.rates[0]).encode(photograph)
        assert at(spec.rates[0]).header_bytes(bitstream) == bitstream.rindex(b"mdat") + 4
