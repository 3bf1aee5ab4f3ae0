"""What adapters share around a checkpoint: its path, reading it, refusing it, its fingerprint."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from harness.codec import BitstreamError, CodecError, RatePoint, Unavailable
from harness.codec.checkpoint import REMEDY, fill, fingerprint, read, reading, reason
from harness.codec.files import checkout, weights_path


def network(width: int = 3) -> nn.Module:
    return nn.Sequential(nn.Linear(2, width), nn.BatchNorm1d(width))


def saved(folder: Path, content: object, *, zipped: bool = True) -> Path:
    path = folder / "weights.pt"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


@pytest.mark.parametrize("kind", [CodecError, BitstreamError, Unavailable])
def test_an_error_holds_problem_and_remedy_and_reads_as_one_sentence(kind):
    error = kind("weights a.pt not found; here", "run 'harness weights fetch a'")
    assert (error.problem, error.remedy) == (
        "weights a.pt not found; here",
        "run 'harness weights fetch a'",
    )
    assert str(error) == "weights a.pt not found; here; run 'harness weights fetch a'"
    assert (str(kind("cut")), kind("cut").remedy, str(kind())) == ("cut", "", "")


def test_the_users_checkpoint_takes_precedence_over_the_rate_points(tmp_path):
    own = saved(tmp_path, {})
    files = {"other.json": own, "own.pt": own}
    assert weights_path(RatePoint("q1", {}, "pretrained", files), "", file="own.pt") == own
    named = {**files, "checkpoint": tmp_path / "theirs.pt"}
    assert weights_path(RatePoint("q1", {}, "pretrained", named), "") == tmp_path / "theirs.pt"
    assert weights_path(RatePoint("q1", {}, "random", files), "") is None


@pytest.mark.parametrize("file", ["", "own.pt"])
def test_missing_weights_are_named_with_the_remedy(tmp_path, file):
    rate = RatePoint("q1", {}, "pretrained", {"own.pt": tmp_path / "own.pt"})
    with pytest.raises(Unavailable, match=r"weights own\.pt not found; fetch them") as told:
        weights_path(rate, "fetch them", file=file)
    assert told.value.remedy == "fetch them"
    with pytest.raises(Unavailable, match=r"not found; fetch them"):
        weights_path(RatePoint("q1", {}, "pretrained"), "fetch them", file=file)


def test_a_missing_checkout_is_answered_by_the_command_that_fetches_it(tmp_path):
    assert checkout(RatePoint("q1", upstream=tmp_path), "hific") == tmp_path
    with pytest.raises(Unavailable) as told:
        checkout(RatePoint("q1"), "hific")
    assert told.value.remedy == "run 'harness upstream fetch hific'"


@pytest.mark.parametrize("zipped", [True, False])
def test_a_checkpoint_fills_the_network_it_was_saved_from(tmp_path, zipped):
    source, target = network(), network()
    path = saved(tmp_path, source.state_dict(), zipped=zipped)
    fill(target, path, "Some Codec")
    for name, tensor in target.state_dict().items():
        assert torch.equal(tensor, source.state_dict()[name])
    path.unlink()
    assert fingerprint(target.state_dict().values()) == fingerprint(source.state_dict().values())


def test_what_is_not_a_checkpoint_is_refused_with_path_reason_and_remedy(tmp_path):
    whole = saved(tmp_path, network().state_dict()).read_bytes()
    path = tmp_path / "wrong.pt"
    for content in (b"", b"<html>not found</html>", whole[: len(whole) // 2], whole[:-1]):
        path.write_bytes(content)
        with pytest.raises(Unavailable, match="is not a checkpoint of Some Codec") as told:
            read(path, "Some Codec")
        assert told.value.problem.startswith(f"{path} is not a checkpoint of Some Codec (")
        assert not told.value.problem.endswith("()")
        assert told.value.remedy == REMEDY
    path.unlink()
    with pytest.raises(Unavailable, match="No such file"):
        read(path, "Some Codec")


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    path = saved(tmp_path, {"weights": Path("/")})
    with pytest.raises(Unavailable, match="it holds something other than tensors"):
        read(path, "Some Codec")


def test_weights_of_another_network_are_refused_with_the_number_of_differing_tensors_and_the_first(
    tmp_path,
):
    own = network().state_dict()
    lacking = {name: tensor for name, tensor in own.items() if name != "1.running_mean"}
    foreign = {**lacking, "2.bias": torch.zeros(3)}
    wider = network(width=4).state_dict()
    for state, told in (
        (lacking, "(tensors that differ: 1, the first is 1.running_mean)"),
        (foreign, "(tensors that differ: 2, the first is 1.running_mean)"),
        (wider, "(tensors that differ: 6, the first is 0.weight)"),
    ):
        path = saved(tmp_path, state)
        with pytest.raises(Unavailable, match=re.escape(told)):
            fill(network(), path, "Some Codec")


def test_a_part_that_a_checkpoint_lacks_is_named(tmp_path):
    path = saved(tmp_path, {})
    with pytest.raises(Unavailable, match="it lacks args"), reading(path, "Some Codec"):
        read(path, "Some Codec")["args"]


def test_running_out_of_memory_is_not_blamed_on_the_checkpoint(tmp_path):
    with pytest.raises(RuntimeError, match="allocate memory"), reading(tmp_path, "Some Codec"):
        torch.empty(1 << 60, dtype=torch.uint8)


def test_an_error_without_a_text_is_reported_by_its_type():
    assert reason(EOFError()) == "EOFError"


def test_a_fingerprint_is_the_crc_of_the_values_whatever_the_layout():
    values = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    expected = zlib.crc32(np.arange(6, dtype="<f4").tobytes() + b"\1\0\0\0\0\0\0\0")
    counter = torch.tensor(1)
    assert fingerprint([values, counter]) == expected
    assert fingerprint([values.T.contiguous().T, counter]) == expected
    assert fingerprint([counter], begin=fingerprint([nn.Parameter(values)])) == expected
