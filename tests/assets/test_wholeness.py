"""Weights that are cut are seen by what their own format says of their length."""

from __future__ import annotations

import json
import tarfile

import pytest
import torch
from lacking import lack_of
from safetensors.torch import save_file

from harness.assets.codec_weights import fetch_weights
from harness.assets.wholeness import truncation
from harness.catalog.codec_manifest import read_codec
from harness.errors import HarnessError

TENSORS = {"weight": torch.arange(3000.0).reshape(30, 100), "bias": torch.ones(30)}
MANIFEST = """
name = "theirs"
title = "Theirs"
family = "learned"
licence = "MIT"
entry = "codec:Theirs"
network = true

[[weights]]
file = "{file}"

[[rate]]
id = "only"
weights = ["{file}"]
"""


def torch_zip(path):
    torch.save(TENSORS, path)


def safetensors(path):
    save_file(TENSORS, path, {"format": "pt"})


FORMATS = {"low.pth.tar": torch_zip, "low.safetensors": safetensors}


@pytest.fixture(params=FORMATS)
def weights(request, tmp_path):
    path = tmp_path / request.param
    FORMATS[request.param](path)
    return path


def test_whole_weights_are_whole_and_every_cut_is_seen(weights):
    assert truncation(weights) is None
    whole = weights.read_bytes()
    for length in (len(whole) - 1, len(whole) - 30, len(whole) // 2, 400, 9):
        weights.write_bytes(whole[:length])
        assert truncation(weights), f"cut at {length} of {len(whole)}"


def test_of_other_formats_nothing_is_said(tmp_path):
    path = tmp_path / "old.pth"
    torch.save(TENSORS, path, _use_new_zipfile_serialization=False)
    assert truncation(path) is None
    with tarfile.open(tmp_path / "archive.tar", "w") as archive:
        archive.add(path, "old.pth")
    assert truncation(tmp_path / "archive.tar") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        bytes(8),
        b"\xff" * 8 + b"{",
        b"\x02" + bytes(7) + b"[]",
        (9000).to_bytes(8, "little") + b"[" * 9000,
    ],
)
def test_what_only_has_the_name_of_safetensors_is_no_whole_file(tmp_path, content):
    path = tmp_path / "low.safetensors"
    path.write_bytes(content)
    assert truncation(path)


@pytest.mark.parametrize("entry", [3, {}, {"data_offsets": 5}, {"data_offsets": [0, "all"]}])
def test_a_header_that_states_no_ends_is_no_whole_file(tmp_path, entry):
    header = json.dumps({"weight": entry}).encode()
    path = tmp_path / "low.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    assert truncation(path)


def test_cut_weights_of_no_known_size_are_refused_by_doctor_and_by_fetch(
    weights, tmp_path, monkeypatch
):
    monkeypatch.setenv("HARNESS_WEIGHTS", str(tmp_path))
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "codec.toml").write_text(MANIFEST.format(file=weights.name))
    theirs = read_codec(folder / "codec.toml")[0]
    assert lack_of(theirs) is None
    weights.write_bytes(weights.read_bytes()[:-100])
    assert f"weights {weights} are truncated" in lack_of(theirs)
    with pytest.raises(HarnessError, match="are truncated") as refused:
        fetch_weights(theirs, theirs.weights[0])
    assert refused.value.remedy == "delete the file and fetch it again"
