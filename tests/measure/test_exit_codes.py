"""The exit code tells when something asked for has no value though it could have one."""

import importlib.util

import pytest
from click.testing import CliRunner

import harness
from harness.cli import group
from harness.measure.observer import Observer
from harness.measure.runner import ROUNDS


def run(results, photographs, *options, codec="well-behaved"):
    return CliRunner().invoke(
        group,
        ["run", "--codec", codec, "--rate", "bits5", "--dataset", str(photographs), "--limit", "1",
         "--results", str(results), "--threads", "1", "--no-report", *options],
        catch_exceptions=False,
    )  # fmt: skip


@pytest.fixture
def without_ms_ssim(monkeypatch):
    """A machine on which the package of MS-SSIM is not installed."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name, *rest: None if name == "pytorch_msssim" else find(name, *rest),
    )


def test_what_is_undefined_is_named_and_is_no_failure(tmp_path, photographs):
    options = ("--metric", "psnr,ms-ssim", "--resolution", "64x96")
    for _ in range(2):  # the second time nothing is left to do, and it is still said
        done = run(tmp_path, photographs, *options)
        assert done.exit_code == 0, done.output
        assert "blank: MS-SSIM of 1 case: " in done.output
        assert "161" in done.output
        assert "missing:" not in done.output


@pytest.mark.usefixtures("without_ms_ssim")
def test_a_metric_asked_for_by_name_that_cannot_be_computed_is_a_failure(tmp_path, photographs):
    done = run(tmp_path, photographs, "--metric", "psnr,ms-ssim")
    assert done.exit_code == 1
    assert "missing: MS-SSIM of 1 case" in done.output
    assert "pip install pytorch-msssim" in done.output
    assert run(tmp_path, photographs, "--metric", "psnr").exit_code == 0


def test_a_damaged_reconstruction_is_measured_again_by_the_run_that_finds_it(tmp_path, photographs):
    assert run(tmp_path, photographs, "--metric", "psnr").exit_code == 0
    (picture,) = (tmp_path / "default" / "reconstructions").rglob("*.png")
    picture.write_bytes(picture.read_bytes()[:-20] + bytes(20))
    done = run(tmp_path, photographs, "--metric", "psnr,ms-ssim")
    assert done.exit_code == 0, done.output
    assert "is not what was written; its case must be measured again" in done.output
    assert harness.load_results(tmp_path)["ms_ssim"].notna().all()


def test_a_reconstruction_that_is_lost_with_its_codec_is_a_failure_and_costs_no_record(
    tmp_path, photographs, monkeypatch
):
    before = harness.run(
        "well-behaved", str(photographs), rate="bits5", limit=1, metric="psnr", results=tmp_path,
        threads=1,
    )  # fmt: skip
    (picture,) = (tmp_path / "default" / "reconstructions").rglob("*.png")
    picture.write_bytes(b"")
    lack = harness.errors.Lack("its weights are not here", "fetch them")
    monkeypatch.setattr("harness.readiness.ready.Readiness.of", lambda *_: lack)
    done = run(tmp_path, photographs, "--metric", "psnr,ms-ssim")
    assert done.exit_code == 1
    assert "missing: MS-SSIM of 1 case" in done.output
    after = harness.load_results(tmp_path)
    assert after[["status", "bytes", "psnr"]].equals(before[["status", "bytes", "psnr"]])


def test_a_kept_file_stays_where_a_later_run_keeps_none(tmp_path, photographs):
    run(tmp_path, photographs, "--metric", "psnr")
    kept = [p for p in (tmp_path / "default").rglob("*") if p.suffix in {".bin", ".png"}]
    assert len(kept) == 2
    run(tmp_path, photographs, "--metric", "psnr,ms-ssim", "--keep", "none")
    assert all(path.is_file() for path in kept)


def test_a_run_whose_files_are_damaged_over_and_over_ends(tmp_path, photographs, monkeypatch):
    """Something truncates each reconstruction as it is written, and none stays in memory."""
    monkeypatch.setattr("harness.measure.images.CACHE_BYTES", 2)
    measured = []

    class Vandal(Observer):
        def case(self, record):
            measured.append(record.case)
            for picture in (tmp_path / "default" / "reconstructions").rglob("*.png"):
                picture.write_bytes(picture.read_bytes()[:100])

    frame = harness.run(
        "well-behaved", str(photographs), rate="bits5", limit=1, metric="psnr", results=tmp_path,
        threads=1, observer=Vandal(),
    )  # fmt: skip
    assert len(measured) == ROUNDS
    assert list(frame["status"]) == ["ok"]
    assert frame["psnr"].isna().all()
    assert run(tmp_path, photographs, "--metric", "psnr").exit_code == 0
    assert harness.load_results(tmp_path)["psnr"].notna().all()
