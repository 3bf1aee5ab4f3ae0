"""``harness compare`` and ``harness history`` on real runs: what they print, write and end with."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import skimage.data
from click.testing import CliRunner
from made_results import changed, real_results
from PIL import Image

import harness
from harness.cli.compare import command as compare_command
from harness.cli.history import command as history_command
from harness.errors import HarnessError
from harness.gate.compare import compare
from harness.gate.junit import junit
from harness.gate.limits import Limits, read_limits
from harness.gate.pairs import Side
from harness.gate.report import comparison_markdown, comparison_tables, verdict_lines
from harness.store.run_store import RunStore

GUIDE = (Path(__file__).parents[2] / "docs" / "checkpoints.md").read_text()


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Two runs of JPEG on six crops: the same rate points, but for 4:4:4 colour in the second."""
    images = tmp_path_factory.mktemp("crops")
    for n in range(6):
        crop = skimage.data.astronaut()[60 * n : 60 * n + 176, 80 : 80 + 176]
        Image.fromarray(crop).save(images / f"crop{n}.png")
    folder = tmp_path_factory.mktemp("results")
    for codec, name in (("jpeg", "main"), ("jpeg-444", "pr")):
        frame = harness.run(
            [codec],
            str(images),
            rate=["q5", "q20", "q40", "q60"],
            metric=["psnr"],
            results=folder,
            name=name,
            threads=1,
        )
        assert (frame["status"] == "ok").all()
    return folder


def invoke(command, *arguments):
    return CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)


def test_a_run_compared_with_itself_has_no_regression(results):
    answer = invoke(compare_command, results / "main", results / "main")
    assert answer.exit_code == 0
    assert "BD-rate by PSNR" in answer.output
    assert "\nno regression in " in answer.output


def test_a_candidate_that_is_worse_ends_with_one_and_is_written(results, tmp_path):
    answer = invoke(
        compare_command, results, "--base", "jpeg", "--candidate", "jpeg-444", "--quiet",
        "--markdown", tmp_path / "new" / "gate.md", "--junit", tmp_path / "gate.xml",
    )  # fmt: skip
    assert answer.exit_code == 1
    assert answer.output.startswith("regression: ")
    assert "more bits" in answer.output
    text = (tmp_path / "new" / "gate.md").read_text()
    assert text.startswith("### ❌ regression: ")
    root = ET.parse(tmp_path / "gate.xml").getroot()  # noqa: S314 - we wrote it
    assert int(root.get("failures")) == len(root.findall(".//failure")) > 0


def test_one_folder_alone_asks_for_two_sides(results):
    answer = invoke(compare_command, results / "main")
    assert answer.exit_code == 2
    assert "--candidate" in answer.output


def test_runs_that_have_measured_nothing_yet_are_refused(tmp_path):
    for name in ("main", "pr"):
        RunStore(tmp_path / name)
    with pytest.raises(HarnessError, match="no case in common: no records against no records"):
        invoke(compare_command, tmp_path / "main", tmp_path / "pr")


def test_a_file_that_cannot_be_written_is_reported(results, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(HarnessError, match="cannot write"):
        invoke(compare_command, results / "main", results / "main",
               "--junit", tmp_path / "taken" / "gate.xml")  # fmt: skip


def test_a_codec_without_checkpoints_has_no_history(results):
    with pytest.raises(HarnessError, match="no checkpoint of jpeg"):
        invoke(history_command, "jpeg", "--results", results / "main")


@pytest.fixture(scope="module")
def comparison():
    frame = real_results()
    base = frame[frame["codec"] == "jpeg"].reset_index(drop=True)
    odd = "it said \x1b[1m<stop> & \x00"
    candidate = changed(base, {"rate": "q10"}, status="crashed", message=odd)
    candidate = changed(candidate, {"rate": "q45"}, psnr=1.0)
    fewer = candidate[candidate["rate"] != "q90"].assign(machine="another")
    return compare(Side("main", base), Side("pr", fewer), Limits(samples=1000))


def test_junit_keeps_failures_apart_from_errors_and_from_what_was_not_judged(comparison):
    root = ET.fromstring(junit(comparison).encode())  # noqa: S314 - we wrote it
    errors = [e.get("type") for e in root.iter("error")]
    assert errors == ["did not run: crashed"]
    assert all(e.get("type") == "worse" for e in root.iter("failure"))
    skipped = [e.get("message") for e in root.iter("skipped")]
    assert any("not the same machine: another" in text or "m1" in text for text in skipped)
    for suite in [root, *root.iter("testsuite")]:
        for kind, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error")):
            assert int(suite.get(kind)) == len(list(suite.iter(tag)))
    assert "q90" in root.find(".//system-out").text


def test_the_verdict_comes_first_and_what_was_not_compared_last(comparison):
    lines = verdict_lines(comparison)
    assert lines[0].startswith("regression: 2 of ")
    assert "1 more" not in lines[0]
    assert "8 cases did not run: crashed" in lines[1]
    assert "PSNR (dB) ↑ worse" in lines[2]
    assert lines[-1] == "not compared: jpeg on photographs: 8 cases in the base alone (q90)"


def test_markdown_folds_the_tables_and_escapes_messages(comparison):
    text = comparison_markdown(comparison)
    assert text.count("<details>") == text.count("</details>") == len(comparison_tables(comparison))
    assert "\\<stop\\>" in text


def test_the_limits_of_the_guide_are_the_defaults(tmp_path):
    block = GUIDE.partition("```toml\n")[2].partition("```")[0]
    (tmp_path / "limits.toml").write_text(block)
    assert read_limits(tmp_path / "limits.toml") == Limits()
