"""``harness check`` on codecs that break the contract, each in one way, and on sound ones."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from harness.catalog.codec_manifest import read_codec
from harness.catalog.codec_spec import WeightsFile
from harness.cli import group, main
from harness.conformance.check import Conditions, check_codec
from harness.errors import HarnessError
from tests.patience import HANG_SECONDS

FIXTURES = Path(__file__).parents[1] / "fixtures" / "adapters"
SPECS = {
    spec.name: spec
    for folder in ("misbehaving", "bit_planes", "tiny_network", "external_pair")
    for spec in read_codec(FIXTURES / folder / "codec.toml")
}
BRIEFLY = Conditions(call_seconds=5)
PATIENTLY = Conditions(call_seconds=HANG_SECONDS, memory_bytes=1 << 30)


def findings(name, log, conditions=PATIENTLY):
    return {f.name: f for f in check_codec(SPECS[name], conditions, log / "log")}


@pytest.fixture
def fixtures_in_catalog(monkeypatch):
    monkeypatch.setenv("HARNESS_ADAPTERS", str(FIXTURES))


@pytest.mark.parametrize("name", ["well-behaved", "bit-planes", "prints"])
def test_a_sound_codec_passes_everything(name, tmp_path):
    found = findings(name, tmp_path)
    assert [f for f in found.values() if f.outcome != "pass"] == []
    assert len(found) >= 20


def test_what_a_codec_prints_is_kept_in_the_log_and_off_the_wire(tmp_path):
    found = findings("prints", tmp_path)
    assert found["decodes in another process"].outcome == "pass"
    printed = (tmp_path / "log").read_bytes()
    assert b"progress: 50 %" in printed
    assert b"bytes past Python's own stream" in printed


@pytest.mark.parametrize(
    ("name", "test", "remark"),
    [
        ("crashes", "codes a photograph", "crashed: the worker was ended by SIGSEGV in encode"),
        ("crashes-decoding", "codes a photograph", "ended by SIGSEGV in decode"),
        ("raises", "codes a photograph", "failed: KeyError: 'latents'"),
        ("exits", "codes a photograph", "crashed: the worker ended with exit code 3"),
        ("exits-at-once", "codes a photograph", "crashed: the worker ended with exit code 3"),
        ("unavailable", "loads", "module 'entropy_coder' is not built; run 'make'"),
        ("lies-about-shape", "codes a photograph", "256 x 384 came back as 255 x 384"),
        ("wrong-dtype", "codes a photograph", "decode returned float64, not uint8"),
        ("returns-nothing", "codes a photograph", "decode returned NoneType, not a numpy array"),
        ("returns-text", "codes a photograph", "encode returned str, not bytes"),
        ("leaks-and-raises", "decodes in another process", "decodes only where it was encoded"),
        ("leaks-and-grays", "decodes in another process", "decodes differently from where"),
        ("external-fails", "codes a photograph", "no such level: worst"),
    ],
)
def test_a_broken_codec_fails_at_its_fault_and_is_tested_no_further(name, test, remark, tmp_path):
    found = findings(name, tmp_path)
    last = list(found.values())[-1]
    assert (last.name, last.outcome) == (test, "fail")
    assert remark in last.remark
    assert all(f.outcome == "pass" for f in list(found.values())[:-1])


@pytest.mark.parametrize(
    ("name", "remark"),
    [
        ("hangs", "timeout: encode took longer than 5 s"),
        ("hangs-decoding", "timeout: decode took longer than 5 s"),
        ("eats-memory", "over the limit of 1.0 GiB"),
    ],
)
def test_time_and_memory_are_bounded(name, remark, tmp_path):
    conditions = BRIEFLY if name.startswith("hangs") else PATIENTLY
    finding = findings(name, tmp_path, conditions)["codes a photograph"]
    assert finding.outcome == "fail"
    assert remark in finding.remark


@pytest.mark.parametrize(
    ("name", "failing", "remark"),
    [
        ("accepts-truncation", {"cut bitstreams"}, "although it is cut to 16, "),
        (
            "nondeterministic",
            {"same bytes again"},
            "the same photograph encodes to different bytes",
        ),
        ("ignores-rate", {"every rate point"}, "bitrate does not rise to bits5"),
        (
            "crashes-on-garbage",
            {"no bytes", "random bytes", "cut bitstreams", "flipped bits"},
            "a bitstream cut to 1 bytes: crashed: the worker was ended by SIGSEGV in decode",
        ),
        (
            "hangs-on-garbage",
            {"no bytes", "random bytes", "cut bitstreams", "flipped bits"},
            "0 bytes: timeout: decode took longer than 5 s",
        ),
        ("crashes-on-portraits", {"size 97 x 1", "size 131 x 67"}, "ended by SIGSEGV in encode"),
    ],
)
def test_a_codec_with_one_fault_fails_only_the_tests_of_that_fault(name, failing, remark, tmp_path):
    conditions = BRIEFLY if name.startswith("hangs") else PATIENTLY
    found = findings(name, tmp_path, conditions)
    failed = [f for f in found.values() if f.outcome == "fail"]
    assert {f.name for f in failed} == failing
    assert any(remark in f.remark for f in failed)


def test_an_image_may_be_refused(tmp_path):
    found = findings("refuses-portraits", tmp_path)
    refused = [f for f in found.values() if f.outcome != "pass"]
    assert [(f.name, f.outcome) for f in refused] == [
        ("size 97 x 1", "refused"),
        ("size 131 x 67", "refused"),
    ]
    assert refused[0].remark == "this codec takes no such image"


def test_a_photograph_may_not_be_refused(tmp_path):
    found = findings("refuses", tmp_path)
    assert [f.outcome for f in found.values()] == ["pass", "fail"]


def test_a_network_is_tested_with_random_weights_except_for_its_looks(tmp_path):
    found = findings("tiny-network", tmp_path, Conditions(weights="random"))
    assert [f for f in found.values() if f.outcome != "pass"] == []
    assert "looks like the photograph" not in found
    assert "every rate point" in found


def test_a_network_without_its_weights_is_unavailable_and_says_what_is_missing(tmp_path):
    with pytest.raises(HarnessError, match=r"'tiny-network' is unavailable: weights tiny_network"):
        findings("tiny-network", tmp_path)


def test_a_network_with_the_weights_of_some_rate_points_is_tested_at_those(tmp_path, monkeypatch):
    spec = SPECS["tiny-network"]
    path = tmp_path / "tiny_network.pt"
    layers = {"analysis": nn.Conv2d(3, 12, 8, 8), "synthesis": nn.ConvTranspose2d(12, 3, 8, 8)}
    torch.save(nn.ModuleDict(layers).state_dict(), path)
    low, high = spec.rates
    rates = (replace(low, weights=(path.name,)), replace(high, weights=("gone.pt",)))
    partly = replace(spec, weights=(WeightsFile(path.name), WeightsFile("gone.pt")), rates=rates)
    monkeypatch.setenv("HARNESS_WEIGHTS", str(tmp_path))
    found = {f.name: f for f in check_codec(partly, PATIENTLY, tmp_path / "log")}
    assert found["every rate point"].outcome == "pass"
    assert found["every rate point"].remark.startswith("1, ")


def test_weights_of_another_size_than_the_manifest_states_are_refused(tmp_path, monkeypatch):
    weights = WeightsFile("tiny_network.pt", size=17)
    monkeypatch.setenv("HARNESS_WEIGHTS", str(tmp_path))
    (tmp_path / weights.file).write_bytes(b"half of the file")
    with pytest.raises(HarnessError, match="another version: their size is 16 bytes, not 17"):
        list(check_codec(replace(SPECS["tiny-network"], weights=(weights,)), BRIEFLY, tmp_path))


def test_a_module_that_is_missing_is_named_with_the_python_that_lacks_it(tmp_path):
    (tmp_path / "codec.py").write_text("import no_such_module\n")
    needy = replace(SPECS["well-behaved"], folder=tmp_path)
    (finding,) = check_codec(needy, BRIEFLY, tmp_path / "log")
    told = f"unavailable: module 'no_such_module' is not installed for {sys.executable}; install it"
    assert finding.remark.startswith(told)


def test_the_command_ends_with_1_when_a_test_fails(fixtures_in_catalog):
    sound = CliRunner().invoke(group, ["check", "well_behaved"])
    broken = CliRunner().invoke(group, ["check", "raises"])
    assert sound.exit_code == 0, sound.output
    assert "20 passed, 0 refused, 0 failed" in sound.output
    assert broken.exit_code == 1
    assert "fail     codes a photograph" in broken.output


def test_adapters_may_be_named_relative_to_where_the_command_runs(monkeypatch):
    monkeypatch.chdir(FIXTURES.parent)
    monkeypatch.setenv("HARNESS_ADAPTERS", "adapters")
    result = CliRunner().invoke(group, ["check", "well-behaved"])
    assert result.exit_code == 0, result.output


def test_the_command_keeps_the_codecs_traceback_when_asked(fixtures_in_catalog, tmp_path):
    CliRunner().invoke(group, ["check", "raises", "--log", str(tmp_path / "log")])
    assert 'raise KeyError("latents")' in (tmp_path / "log").read_text()


@pytest.mark.usefixtures("fixtures_in_catalog")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no codec to check"),
        (["well-behavd"], "did you mean well-behaved"),
        (["tiny-network"], "tiny-network' is unavailable"),
        (["broken-manifest"], "did you mean 'licence'?"),
    ],
)
def test_a_bad_request_is_one_message_and_exit_code_2(arguments, message, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["check", *arguments])
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err
