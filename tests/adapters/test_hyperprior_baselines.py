"""HiFiC and MS-ILLM alike: rate points with weights of their own, and bytes between processes."""

from pathlib import Path

import numpy as np
import pytest
import skimage.data
from lacking import lack_of

from harness.assets.checkout import upstream_folder
from harness.catalog.codec_manifest import read_codec
from harness.environments import choose
from harness.environments.client import Limits, WorkerFailure
from harness.worker.wire import rate_fields
from tests.patience import HANG_SECONDS

ADAPTERS = Path(__file__).parents[2] / "adapters"
SPECS = {
    spec.name: spec
    for folder in ("hific", "ms_illm")
    for spec in read_codec(ADAPTERS / folder / "codec.toml")
    if spec.in_all
}
LIMITS = Limits(call_seconds=HANG_SECONDS, load_seconds=HANG_SECONDS, memory_bytes=12 << 30)

photograph = np.ascontiguousarray(skimage.data.astronaut()[:80, 64:208])


@pytest.fixture(params=SPECS)
def spec(request):
    return SPECS[request.param]


def started(spec, log, threads=1):
    """A worker of the codec; skips, and says so, where upstream's own code is not here."""
    if lack := lack_of(spec, weights="random"):
        pytest.skip(f"NOT CHECKED: {spec.title} itself; {lack}")
    folder = upstream_folder(spec)
    return choose(spec).worker(log, threads, LIMITS, reads=[folder] if folder else [])


def load(worker, spec, rate, files=None):
    worker.open(spec.folder, spec.entry, spec.options, "cpu")
    weights = "pretrained" if files else "random"
    folder = upstream_folder(spec)
    worker.load(rate_fields(rate.id, rate.options, weights, files or {}, folder))


def test_rates_rise_and_each_needs_its_own_weights(spec):
    stated = [rate.nominal_bpp for rate in spec.rates]
    assert stated == sorted(set(stated))
    needed = [[weights.file for weights in spec.weights_of(rate)] for rate in spec.rates]
    assert all(len(files) == 1 for files in needed)
    assert len({files[0] for files in needed}) == len(spec.rates) == len(spec.weights)


@pytest.mark.slow
def test_a_photograph_travels_as_bytes_between_processes(spec, tmp_path):
    with started(spec, tmp_path / "log") as encoder:
        load(encoder, spec, spec.rates[-1])
        stream = encoder.encode(photograph)[0]
        assert encoder.encode(photograph)[0] == stream
        tiny = encoder.encode(photograph[:3, :2].copy())[0]
        with pytest.raises(WorkerFailure, match="1 x 65536 has a side over 65535") as refused:
            encoder.encode(np.zeros((1, 65536, 3), np.uint8))
        assert (refused.value.status, refused.value.reason) == ("unavailable", "image")
        load(encoder, spec, spec.rates[0])
        other = encoder.encode(photograph)[0]
    with started(spec, tmp_path / "log", threads=2) as decoder:
        load(decoder, spec, spec.rates[-1])
        decoded = decoder.decode(stream)[0]
        assert decoded.shape == photograph.shape
        assert decoded.std() > 1
        assert decoder.decode(tiny)[0].shape == (3, 2, 3)
        for damaged in (stream[:-4], other):
            with pytest.raises(WorkerFailure, match=f"not of {spec.title} with these weights"):
                decoder.decode(damaged)


def test_a_file_that_is_not_a_checkpoint_is_refused_by_its_path(spec, tmp_path):
    path = tmp_path / "wrong.ckpt"
    path.write_bytes(b"not found")
    with (
        started(spec, tmp_path / "log") as worker,
        pytest.raises(WorkerFailure, match=f"{path} is not a checkpoint") as refused,
    ):
        load(worker, spec, spec.rates[-1], files={"checkpoint": path})
    assert refused.value.status == "unavailable"
