"""Weights from a real server, and what is said when a publisher does not give them."""

import hashlib
import os
import subprocess
import sys

import pytest
from lacking import lack_of
from loopback import serving

from harness.assets.codec_weights import fetch_weights, split_source
from harness.catalog.codec_manifest import read_codec
from harness.catalog.codecs import load_catalog
from harness.errors import HarnessError, ManifestError
from harness.paths import find_weights

CONTENT = bytes(range(256)) * 4000  # 1 MB: several reads
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MANIFEST = """
name = "theirs"
title = "Theirs"
family = "learned"
licence = "MIT"
entry = "codec:Theirs"
network = true

[[weights]]
file = "low.pt"
sources = {sources}
{more}

[[weights]]
file = "high.pt"

[[rate]]
id = "low"
weights = ["low.pt"]

[[rate]]
id = "high"
weights = ["high.pt"]
"""


@pytest.fixture
def server():
    with serving() as server:
        server.files["/low.pt"] = CONTENT
        yield server


@pytest.fixture
def spec(tmp_path, monkeypatch):
    """Reads a codec whose first weights file has these sources."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    for name in ("HARNESS_OFFLINE", "HARNESS_WEIGHTS"):
        monkeypatch.delenv(name, raising=False)

    def read(*sources, more=""):
        folder = tmp_path / "theirs"
        folder.mkdir(exist_ok=True)
        text = MANIFEST.format(sources=list(sources), more=more)
        (folder / "codec.toml").write_text(text)
        return read_codec(folder / "codec.toml")[0]

    return read


def test_the_first_source_that_answers_gives_the_file(spec, server):
    theirs = spec(f"{server.address}/gone.pt", f"{server.address}/low.pt")
    fetched = fetch_weights(theirs, theirs.weights[0])
    assert fetched.path.read_bytes() == CONTENT
    assert fetched.sha256 == SHA256
    assert fetched.downloaded
    assert lack_of(theirs) is None


def test_an_interrupted_download_is_resumed(spec, server):
    theirs = spec(f"{server.address}/low.pt")
    server.cuts[:] = [300_000, 300_000]
    assert fetch_weights(theirs, theirs.weights[0]).sha256 == SHA256
    assert [wanted for wanted in server.asked if wanted] != []


def test_what_is_here_is_not_asked_for(spec, server):
    theirs = spec(f"{server.address}/low.pt")
    fetch_weights(theirs, theirs.weights[0])
    asked = len(server.asked)
    assert not fetch_weights(theirs, theirs.weights[0]).downloaded
    assert len(server.asked) == asked


@pytest.mark.parametrize("more", [f'sha256 = "{"0" * 64}"', "size = 17"])
def test_another_file_than_the_manifest_describes_is_refused_and_not_kept(spec, server, more):
    theirs = spec(f"{server.address}/low.pt", more=more)
    with pytest.raises(HarnessError, match=r"low\.pt could not be downloaded"):
        fetch_weights(theirs, theirs.weights[0])
    assert "low.pt not found" in lack_of(theirs)


def test_a_hugging_face_file_is_fetched_through_its_own_library(spec, server, tmp_path):
    server.files["/someone/codec/resolve/main/nets/low.pt"] = CONTENT
    spec("hf:someone/codec/nets/low.pt")
    environment = {
        **os.environ,
        "HF_ENDPOINT": server.address,  # read when the library is imported
        "HARNESS_ADAPTERS": str(tmp_path / "theirs"),
    }
    command = [sys.executable, "-m", "harness", "weights", "fetch", "theirs", "--rate", "low"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"sha256 {SHA256} (not known before)" in done.stdout


def test_a_file_that_the_publisher_withdrew_is_said_to_be(spec, server):
    theirs = spec(f"{server.address}/gone.pt", more='withdrawn = "access denied, 2025"')
    assert "withdrawn it (access denied, 2025)" in lack_of(theirs)
    with pytest.raises(HarnessError, match="withdrawn by the publisher: access denied, 2025"):
        fetch_weights(theirs, theirs.weights[0])


@pytest.mark.parametrize("source", ["gdrive:1aBc", "gdrive-folder:1aBc/a.pt", "zenodo:1/a.pt"])
def test_a_publisher_out_of_reach_is_named_with_the_place_for_the_file(spec, monkeypatch, source):
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    theirs = spec(source)
    with pytest.raises(HarnessError, match=source) as failure:
        fetch_weights(theirs, theirs.weights[0])
    assert str(find_weights(theirs.folder, "low.pt")) in failure.value.remedy


def test_the_weights_of_one_rate_point_are_enough_for_it(spec, server):
    theirs = spec(f"{server.address}/low.pt")
    fetch_weights(theirs, theirs.weights[0])
    low, high = theirs.rates
    assert lack_of(theirs, low) is None
    assert "high.pt" in lack_of(theirs, high)


def test_a_rate_point_cannot_need_a_file_that_is_not_listed(spec, tmp_path):
    spec("https://example.org/low.pt")
    path = tmp_path / "theirs" / "codec.toml"
    path.write_text(path.read_text().replace('weights = ["low.pt"]', 'weights = ["lowest.pt"]'))
    with pytest.raises(ManifestError, match=r"lowest\.pt, which no \[\[weights\]\] names"):
        read_codec(path)


def test_a_source_of_an_unknown_kind_is_refused():
    with pytest.raises(HarnessError, match="of an unknown kind"):
        split_source("ftp://example.org/a.pt")


def test_every_source_in_the_catalogue_is_of_a_known_kind():
    specs = load_catalog().codecs.values()
    for source in {s for spec in specs for weights in spec.weights for s in weights.sources}:
        split_source(source)


def test_a_cache_that_cannot_be_written_is_named_with_the_remedy(spec, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "file"))
    theirs = spec("https://localhost/low.pt")
    with pytest.raises(HarnessError, match="cannot be written: Not a directory") as refused:
        fetch_weights(theirs, theirs.weights[0])
    assert "HARNESS_CACHE" in refused.value.remedy
