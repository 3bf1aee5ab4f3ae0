"""``harness bdrate`` and ``harness report`` on the results of a real run."""

from __future__ import annotations

import csv
import io
import json

import pytest
from click.testing import CliRunner

import harness
from harness.cli.bdrate import command as bdrate
from harness.cli.report import command as report
from harness.errors import HarnessError, UnknownName


@pytest.fixture(scope="module")
def results(photographs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    frame = harness.run(
        ["jpeg", "webp"], str(photographs), metric=["psnr"], results=folder, threads=1, limit=1
    )
    assert (frame["status"] == "ok").all()
    return str(folder)


def invoke(command, *arguments):
    return CliRunner().invoke(command, arguments, catch_exceptions=False)


def test_the_table_has_a_row_a_codec(results):
    answer = invoke(bdrate, "--results", results, "--metric", "psnr", "--anchor", "jpeg")
    assert answer.exit_code == 0
    assert "anchor JPEG" in answer.output
    assert "WebP" in answer.output
    assert "Intervals need 6 images." in answer.output


def test_all_formats_tell_the_same_figure(results):
    def printed(style):
        return invoke(bdrate, "--results", results, "--anchor", "jpeg", "--format", style).output

    cells = json.loads(printed("json"))
    percent = next(cell["percent"] for cell in cells if cell["codec"] == "webp")
    assert -60 < percent < -10
    rows = list(csv.DictReader(io.StringIO(printed("csv"))))
    assert float(next(row["bd_rate"] for row in rows if row["codec"] == "WebP")) == percent
    text = f"{abs(percent):.1f}"
    assert all(text in printed(style) for style in ("table", "markdown", "latex"))


def test_options_reach_the_figures(results):
    answer = invoke(
        bdrate, "--results", results, "--anchor", "jpeg", "--exclude", "webp:1.0",
        "--min-overlap", "0.9", "--pareto", "--format", "json",
    )  # fmt: skip
    webp = next(cell for cell in json.loads(answer.output) if cell["codec"] == "webp")
    assert webp["percent"] is None
    assert webp["reason"] in {"fewer than 4 rate points", "overlap under 90%"}
    assert "webp under 1 bpp excluded" in webp["notes"][0]


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["--anchor", "jpg"], "did you mean jpeg"),
        (["--metric", "psnrr"], "did you mean psnr"),
        (["--exclude", "wepb:0.1"], "did you mean webp"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest(results, arguments, remedy):
    with pytest.raises(UnknownName, match=remedy):
        invoke(bdrate, "--results", results, *arguments)


def test_an_exclusion_of_another_form_is_refused(results):
    answer = invoke(bdrate, "--results", results, "--exclude", "webp:much")
    assert answer.exit_code == 2
    assert "codec:bpp" in answer.output


def test_a_folder_without_results_is_named(tmp_path):
    with pytest.raises(HarnessError, match="no results in"):
        invoke(bdrate, str(tmp_path))


def test_the_report_prints_every_path_that_it_wrote(results, tmp_path):
    answer = invoke(report, "--results", results, "--out", str(tmp_path), "--anchor", "jpeg")
    printed = answer.output.split()
    assert {str(p) for p in tmp_path.rglob("*") if p.is_file()} == set(printed)
    assert str(tmp_path / "index.html") in printed
