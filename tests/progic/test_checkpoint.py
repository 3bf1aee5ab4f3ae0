"""Checkpoints: what is saved is loaded, and what is not what it says is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from progic.checkpoint import load_checkpoint, weights_sha256
from progic.codec import ProGIC
from progic.network import random_network
from progic.presets import PRESETS, Settings
from progic.tools.save import round_to_half, save_checkpoint
from safetensors.torch import load_file, save_file

from harness.codec import Unavailable

Maker = Callable[..., ProGIC]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "progic-tiny.safetensors"
    save_checkpoint(path, random_network(PRESETS["progic-tiny"], seed=9), {"step": "1200"})
    return path


def test_what_is_saved_is_loaded_with_its_metadata(checkpoint: Path) -> None:
    loaded = load_checkpoint(checkpoint)
    expected = random_network(PRESETS["progic-tiny"], seed=9).state_dict()
    for name, tensor in loaded.network.state_dict().items():
        assert torch.equal(tensor, expected[name])
    assert loaded.metadata["step"] == "1200"
    assert loaded.metadata["preset"] == "progic-tiny"
    assert loaded.sha256 == loaded.metadata["sha256"] == weights_sha256(loaded.network)
    assert not loaded.network.training


def test_settings_other_than_a_presets_are_kept(tmp_path: Path) -> None:
    custom = Settings(16, 1, 2, 8, stages=3, index_bits=7, factor=32)
    save_checkpoint(tmp_path / "custom.safetensors", random_network(custom), {})
    loaded = load_checkpoint(tmp_path / "custom.safetensors")
    assert loaded.network.settings == custom
    assert loaded.metadata["preset"] == "custom"


def test_half_precision_takes_half_the_bytes_and_keeps_its_identity(
    checkpoint: Path, tmp_path: Path
) -> None:
    network = load_checkpoint(checkpoint).network
    told = save_checkpoint(tmp_path / "half.safetensors", network, {}, half=True)
    loaded = load_checkpoint(tmp_path / "half.safetensors")
    rounded = round_to_half(network)
    assert loaded.sha256 == told == weights_sha256(rounded)
    for name, tensor in loaded.network.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, rounded.state_dict()[name])
    assert (tmp_path / "half.safetensors").stat().st_size < 0.6 * checkpoint.stat().st_size


def test_a_value_that_half_precision_cannot_hold_is_refused(checkpoint: Path) -> None:
    network = load_checkpoint(checkpoint).network
    with torch.no_grad():
        network.quantizer.codebooks[0, 0, 0] = 1e6
    with pytest.raises(ValueError, match=r"quantizer\.codebooks has values"):
        round_to_half(network)


def test_a_codec_runs_the_checkpoint_that_is_named(
    make_codec: Maker, checkpoint: Path, photograph: np.ndarray
) -> None:
    named = make_codec(checkpoint=checkpoint, weights="pretrained")
    assert named.encode(photograph) == make_codec(seed=9).encode(photograph)


def test_records_hold_the_training_step(make_codec: Maker, checkpoint: Path) -> None:
    assert make_codec(checkpoint=checkpoint, weights="pretrained").facts() == {"step": 1200}
    assert make_codec().facts() == {}


def test_a_checkpoint_of_another_preset_is_refused(make_codec: Maker, checkpoint: Path) -> None:
    with pytest.raises(Unavailable, match="is a checkpoint of progic-tiny, not of progic-s"):
        make_codec("progic-s", checkpoint=checkpoint, weights="pretrained")


def test_a_file_that_is_not_safetensors_is_refused(make_codec: Maker, tmp_path: Path) -> None:
    path = tmp_path / "progic.safetensors"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(Unavailable, match="cannot be read"):
        make_codec(checkpoint=path, weights="pretrained")


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(Unavailable, match="states no format"):
        load_checkpoint(tmp_path / "other.safetensors")


def test_a_truncated_checkpoint_is_refused(checkpoint: Path) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    with pytest.raises(Unavailable, match="cannot be read"):
        load_checkpoint(checkpoint)


def test_a_changed_weight_is_noticed(checkpoint: Path) -> None:
    data = bytearray(checkpoint.read_bytes())
    data[-3] ^= 1
    checkpoint.write_bytes(data)
    with pytest.raises(Unavailable, match="is damaged: its sha256 does not agree"):
        load_checkpoint(checkpoint)


def test_tensors_of_other_shapes_are_refused(checkpoint: Path) -> None:
    loaded = load_checkpoint(checkpoint)
    tensors = load_file(checkpoint)
    tensors["synthesis.head.weight"] = torch.zeros(2, 2)
    save_file(tensors, checkpoint, metadata=dict(loaded.metadata))
    with pytest.raises(Unavailable, match="does not fit its own settings"):
        load_checkpoint(checkpoint)
