"""Records that 0.1.0 wrote load, report and compare as they did."""

import csv
import shutil
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

import harness
from harness.cli import group
from harness.errors import Status
from harness.store.schema import COLUMNS

RESULTS = Path(__file__).parents[1] / "fixtures" / "results-0.1.0"

BD_RATES = {
    "psnr": (-38.67997564454705, -38.30005580838283, -38.693935804994716, 87.39532374089698),
    "ms_ssim": (-37.42451091588275, -35.929308275590074, -37.51104497338743, 98.46141833426444),
}
"""WebP against JPEG, in %: BD-rate, median and by Akima as 0.1.0 printed them, and the overlap,
which was of the union of the two ranges then, and is of the narrower one."""


@pytest.fixture
def results(tmp_path):
    return shutil.copytree(RESULTS, tmp_path / "results")


def invoke(*arguments):
    done = CliRunner().invoke(group, list(map(str, arguments)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_they_load_in_the_columns_of_today(results):
    frame = harness.load_results(results)
    assert list(frame.columns) == [column.name for column in COLUMNS]
    first = frame[frame["run"] == "first"]
    counts = first.groupby(["codec", "status"]).size().to_dict()
    assert counts == {("hific", "unavailable"): 2, ("jpeg", "ok"): 40, ("webp", "ok"): 40}
    assert set(first["status"].map(Status)) == {Status.OK, Status.UNAVAILABLE}
    ok = first[first["status"] == "ok"]
    assert ok[["bpp", "psnr", "ms_ssim", "encode_ms", "decode_ms"]].notna().all().all()
    assert set(ok["environment"]) == {"inline"}
    assert frame["frontier"].isna().all()


def test_bd_rates_are_what_they_were(results):
    for metric, expected in BD_RATES.items():
        text = invoke("bdrate", "--results", results / "first", "--metric", metric,
                      "--anchor", "jpeg", "--format", "csv")  # fmt: skip
        webp = next(row for row in csv.DictReader(text.splitlines()) if row["codec"] == "WebP")
        found = [float(webp[name]) for name in ("bd_rate", "median", "akima", "overlap")]
        assert found == pytest.approx(expected, rel=1e-9)


def test_a_report_is_made_of_them(results, tmp_path):
    invoke("report", "--results", results, "--out", tmp_path / "report")
    assert (tmp_path / "report" / "figures" / "rd-sample.png").is_file()
    table = pd.read_csv(tmp_path / "report" / "tables" / "rates-sample.csv")
    assert {"JPEG", "WebP"} <= set(table["codec"])


def test_they_compare_with_themselves_as_equal(results):
    output = invoke("compare", results / "first", results / "first", "--quiet")
    assert output.startswith("no regression")


def test_what_is_measured_today_goes_beside_them(results):
    """The identity of a case changed: nothing old is overwritten, and nothing old is lost."""
    before = harness.load_results(results / "first")
    harness.run(
        "jpeg", rate="q40", limit=1, metric="psnr", results=results, name="first", threads=1
    )
    after = harness.load_results(results / "first")
    assert len(after) == len(before) + 1
    kept = after[after["case"].isin(before["case"])]
    pd.testing.assert_frame_equal(
        kept.reset_index(drop=True)[["case", "bytes", "psnr", "encode_ms"]],
        before[["case", "bytes", "psnr", "encode_ms"]],
    )
