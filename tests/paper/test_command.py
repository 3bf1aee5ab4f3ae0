"""``harness paper`` on the results of a real run, pictures included."""

from __future__ import annotations

import csv
import shutil

import pytest
from click.testing import CliRunner
from PIL import Image

import harness
from harness.cli.paper import command
from harness.errors import HarnessError, UnknownName
from harness.paths import data_folder

RATES = {"jpeg": "q10,q20,q40,q80", "webp": "q2,q20,q40,q80"}


@pytest.fixture(scope="module")
def workplace(photographs, tmp_path_factory):
    """Results of JPEG and WebP on three photographs, and a protocol that names their data set."""
    folder = tmp_path_factory.mktemp("paper")
    shutil.copytree(photographs, folder / "data" / "mine")
    text = (data_folder("protocols") / "progic.toml").read_text()
    for old, new in {
        'name = "kodak", title = "Kodak"': 'name = "mine", title = "My photographs"',
        'metrics = ["lpips", "dists"]': 'metrics = ["psnr"]',
        'metric = "dists"': 'metric = "psnr"',
        "crop = 256": "crop = 64",
    }.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "mine.toml").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_DATA", str(folder / "data"))
        for codec, rates in RATES.items():
            frame = harness.run(
                codec, "mine", rate=rates, metric=["psnr"], results=folder / "results", threads=1
            )
            assert (frame["status"] == "ok").all()
    return folder


@pytest.fixture
def paper(workplace, monkeypatch, tmp_path):
    monkeypatch.setenv("HARNESS_DATA", str(workplace / "data"))

    def invoke(*options):
        arguments = [str(workplace / "mine.toml"), "--results", str(workplace / "results"),
                     "--out", str(tmp_path), *options]  # fmt: skip
        answer = CliRunner().invoke(command, arguments, catch_exceptions=False)
        return answer, tmp_path

    return invoke


def test_one_command_writes_every_table_its_reproduction_the_figures_and_a_page(paper):
    answer, out = paper("--anchor", "jpeg")
    printed = answer.output.split()
    assert {str(path) for path in out.rglob("*") if path.is_file()} == set(printed)
    names = {path.name for path in out.rglob("*")}
    assert {"index.html", "bdrate-psnr.csv", "bdrate-psnr.tex", "bdrate-psnr-reproduction.md",
            "runtime.tex", "runtime-reproduction.csv", "coverage.md",
            "sources.md"} <= names  # fmt: skip
    assert {"rd-My-photographs-psnr.pdf", "rd-My-photographs-psnr.png"} <= names
    rows = list(csv.DictReader((out / "tables" / "bdrate-psnr.csv").open()))
    webp = next(row for row in rows if row["codec"] == "WebP")
    assert -60 < float(webp["mine"]) < -10
    assert webp["tecnick"] == webp["average"] == ""
    page = (out / "index.html").read_text()
    assert "My photographs" in page
    assert "http-equiv" not in page
    assert 'src="http' not in page


def test_a_panel_shows_the_photograph_and_every_reconstruction_of_it(paper):
    _, out = paper()
    (panel,) = (out / "figures").glob("pictures-*.png")
    rows = list(csv.DictReader((out / "tables" / "pictures.csv").open()))
    shown = [row for row in rows if row["state"] == "measured"]
    assert [row["codec"] for row in shown] == ["JPEG", "WebP"]
    assert len({row["image"] for row in shown}) == 1
    assert panel.stem == f"pictures-mine-{shown[0]['image'].removesuffix('.png')}"
    assert Image.open(panel).width > 2000


def test_the_user_chooses_photograph_and_part(paper):
    _, out = paper("--picture", "mine/coffee@10,20,96,64", "--picture", "mine/chelsea")
    names = sorted(path.stem for path in (out / "figures").glob("pictures-*.png"))
    assert names == ["pictures-mine-chelsea", "pictures-mine-coffee"]


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        ("mine/cofee", "did you mean coffee.png"),
        ("mnie/coffee", "did you mean mine"),
        ("mine/coffee@0,0,9999,64", "crop reaches to 9999x64"),
    ],
)
def test_a_picture_that_cannot_be_shown_is_refused_with_its_reason(paper, option, problem):
    with pytest.raises((HarnessError, UnknownName), match=problem):
        paper("--picture", option)


def test_a_part_of_another_form_is_refused(paper):
    answer, _ = paper("--picture", "mine/coffee@here")
    assert answer.exit_code == 2
    assert "left,top,width,height" in answer.output


def test_without_the_photographs_the_rest_is_written_with_the_reason(paper, monkeypatch):
    monkeypatch.delenv("HARNESS_DATA")
    answer, out = paper()
    assert answer.exit_code == 0
    assert not list((out / "figures").glob("pictures-*"))
    assert "is not here" in (out / "tables" / "pictures.md").read_text()
