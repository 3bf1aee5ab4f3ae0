"""MS-ILLM's adapter: its bytes and sizes; upstream's code itself where it is at hand."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from lacking import lack_of

from harness.assets.checkout import upstream_folder
from harness.catalog.codec_manifest import read_codec
from harness.environments import choose
from harness.environments.client import Limits, WorkerFailure, rate_fields

FOLDER = Path(__file__).parents[2] / "adapters" / "ms_illm"


def _import_adapter() -> None:
    spec = ModuleSpec("ms_illm", None, is_package=True)
    spec.submodule_search_locations = [str(FOLDER)]
    sys.modules["ms_illm"] = importlib.util.module_from_spec(spec)


_import_adapter()

from ms_illm.geometry import LEAST_SIDE, missing_to_least, padded  # noqa: E402 - the package is made above

SPECS = {spec.name: spec for spec in read_codec(FOLDER / "codec.toml")}
SPEC = SPECS["ms-illm"]
ABSENT = lack_of(SPEC, weights="random")
needs_upstream = pytest.mark.skipif(
    ABSENT is not None, reason=f"NOT CHECKED: MS-ILLM itself; {ABSENT}"
)
LIMITS = Limits(call_seconds=250, load_seconds=250, memory_bytes=12 << 30)

photograph = np.ascontiguousarray(skimage.data.astronaut()[:80, 64:208])


def test_rates_rise_and_each_needs_its_own_weights():
    stated = [rate.nominal_bpp for rate in SPEC.rates]
    assert stated == sorted(set(stated))
    needed = [[weights.file for weights in SPEC.weights_of(rate)] for rate in SPEC.rates]
    assert all(len(files) == 1 for files in needed)
    assert len({files[0] for files in needed}) == len(SPEC.rates) == len(SPEC.weights)


def test_small_images_are_padded_until_upstream_can_pad_the_rest():
    assert [missing_to_least(side) for side in (1, 32, 33, 4000)] == [32, 1, 0, 0]
    assert padded(1, LEAST_SIDE) == (64, 64)
    assert padded(64, 65) == (64, 128)
    assert padded(512, 768) == (512, 768)


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A worker with the codec open, and a way to load a rate point in it."""
    log = tmp_path_factory.mktemp("log") / "log"
    folder = upstream_folder(SPEC)

    def start(threads=1):
        return choose(SPEC).worker(log, threads, LIMITS, reads=[folder] if folder else [])

    def load(worker, rate=SPEC.rates[-1], files=None):
        worker.open(SPEC.folder, SPEC.entry, SPEC.options, "cpu")
        weights = "pretrained" if files else "random"
        worker.load(rate_fields(rate.id, rate.options, weights, files or {}, folder))

    return start, load


@needs_upstream
@pytest.mark.slow
def test_a_photograph_travels_as_bytes_between_processes(start):
    start, load = start
    with start() as encoder:
        load(encoder)
        stream = encoder.encode(photograph)[0]
        assert encoder.encode(photograph)[0] == stream
        tiny = encoder.encode(photograph[:3, :2].copy())[0]
        with pytest.raises(WorkerFailure, match="1 x 65536 has a side over 65535") as refused:
            encoder.encode(np.zeros((1, 65536, 3), np.uint8))
        assert (refused.value.status, refused.value.reason) == ("unavailable", "image")
        load(encoder, SPEC.rates[0])
        other = encoder.encode(photograph)[0]
    with start(threads=2) as decoder:
        load(decoder)
        decoded = decoder.decode(stream)[0]
        assert decoded.shape == photograph.shape
        assert decoded.std() > 1
        assert decoder.decode(tiny)[0].shape == (3, 2, 3)
        for damaged in (stream[:-4], other):
            with pytest.raises(WorkerFailure, match="not of MS-ILLM with these weights"):
                decoder.decode(damaged)


@needs_upstream
def test_a_file_that_is_no_checkpoint_is_refused_by_its_path(start, tmp_path):
    start, load = start
    path = tmp_path / "wrong.ckpt"
    path.write_bytes(b"not found")
    with (
        start() as worker,
        pytest.raises(WorkerFailure, match=f"{path} is not a checkpoint") as told,
    ):
        load(worker, files={"checkpoint": path})
    assert told.value.status == "unavailable"
