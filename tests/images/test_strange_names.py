"""One strange name in a folder costs that file alone, and what is left out is named."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest

import harness
from harness.errors import HarnessError
from harness.images.datasets import resolve
from harness.paths import whole
from harness.store.run_store import RunStore
from harness.text import shown

ESCAPE = "\x1b[31m"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(photographs, tmp_path):
    """A folder with one good photograph."""
    folder = tmp_path / "holiday"
    folder.mkdir()
    shutil.copy(photographs / "coffee.png", folder / "good.png")
    return folder


def plant(kind: str, folder: Path) -> None:  # noqa: C901
    """Put something into the folder that has the name of a photograph."""
    photograph, place = folder / "good.png", folder / "strange.png"
    match kind:
        case "not UTF-8":
            shutil.copy(photograph, os.fsencode(folder) + b"/caf\xe9.png")
        case "control characters":
            shutil.copy(photograph, folder / f"a{ESCAPE}\n.png")
        case "a folder that is not UTF-8":
            inner = Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe"))
            inner.mkdir()
            shutil.copy(photograph, inner / "x.png")
        case "a named pipe":
            os.mkfifo(place)
        case "a link to a named pipe":
            os.mkfifo(folder / "pipe")
            place.symlink_to(folder / "pipe")
        case "a link to a device":
            place.symlink_to("/dev/zero")
        case "a socket":
            here = Path.cwd()
            os.chdir(folder)  # an address of a socket is short
            try:
                with socket.socket(socket.AF_UNIX) as listener:
                    listener.bind(place.name)
            finally:
                os.chdir(here)
        case "a dangling link":
            place.symlink_to(folder / "nowhere")
        case "a looping link":
            place.symlink_to(place)
        case "a link to a folder":
            place.symlink_to(folder)


KINDS = {
    "not UTF-8": r"caf\udce9.png",
    "control characters": r"a\x1b[31m\n.png",
    "a folder that is not UTF-8": r"\udcff\udcfe/x.png",
    "a named pipe": "strange.png",
    "a link to a named pipe": "strange.png",
    "a link to a device": "strange.png",
    "a socket": "strange.png",
    "a dangling link": "strange.png",
    "a looping link": "strange.png",
    "a link to a folder": "strange.png",
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", KINDS)
def test_a_strange_file_is_left_out_by_name_and_the_rest_is_measured(kind, folder):
    plant(kind, folder)
    found = resolve(str(folder))
    assert [image.name for image in found.images] == ["good.png"]
    ((path, reason),) = found.refused
    assert shown(path) == f"{folder}/{KINDS[kind]}"
    assert reason.isprintable()
    assert "; " in reason


@pytest.mark.parametrize(
    "name",
    ["-rf.png", "--help.png", "<img src=x onerror=alert(1)>.png", "=1+1.png", "x;rm -rf.png",
     "ö" * 120 + ".png", "𐍈.png", "tab%09.png", "..png", "Shot 3.45\u202fPM.png",
     "\U0001f468\u200d\U0001f469.png", "a" * 251 + ".png"],
)  # fmt: skip
def test_a_name_that_people_can_print_is_measured(name, folder):
    shutil.copy(folder / "good.png", folder / name)
    found = resolve(str(folder))
    expected = {"good.png"} if name.startswith(".") else {"good.png", name}
    assert {image.name for image in found.images} == expected
    assert not found.refused


def test_a_folder_is_searched_whatever_its_name(folder):
    (folder / "album.png").mkdir()
    shutil.copy(folder / "good.png", folder / "album.png" / "inner.png")
    (folder / "empty.png").mkdir()
    found = resolve(str(folder))
    assert {image.name for image in found.images} == {"good.png", "album.png/inner.png"}
    assert not found.refused


def test_a_folder_whose_own_name_cannot_be_recorded_is_refused_with_the_remedy(folder, tmp_path):
    strange = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9t\xe9"))
    folder.rename(strange)
    with pytest.raises(HarnessError, match="not UTF-8") as refused:
        resolve(str(strange))
    assert str(refused.value).isprintable()
    assert refused.value.remedy == "rename it"


def test_a_folder_below_one_that_is_not_utf_8_is_measured(folder, tmp_path):
    above = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9t\xe9"))
    above.mkdir()
    folder.rename(above / "holiday")
    for _ in range(2):
        assert [image.name for image in resolve(str(above / "holiday")).images] == ["good.png"]


def test_the_run_of_a_folder_with_every_strange_name_measures_the_rest(folder, tmp_path):
    plant("not UTF-8", folder)
    plant("control characters", folder)
    plant("a link to a named pipe", folder)
    inner = folder.joinpath(*("n" * 100 for _ in range(4)))
    inner.mkdir(parents=True)
    shutil.copy(folder / "good.png", inner / ("p" * 200 + ".png"))
    frame = harness.run(
        "jpeg", str(folder), rate="q80", metric=["psnr"], results=tmp_path / "results"
    )
    assert len(frame) == 2
    assert set(frame["status"]) == {"ok"}
    assert frame["psnr"].notna().all()
    kept = [path for path in (tmp_path / "results").rglob("*.png") if path.is_file()]
    assert len(kept) == 2


# The names of kept files


def kept(tmp_path: Path, *place: str) -> Path:
    return RunStore(tmp_path / "run").reconstruction(place, "0123456789abcdef")


def test_an_ordinary_name_is_kept_as_it_is(tmp_path):
    path = kept(tmp_path, "jpeg", "q50", "kodak", "native", "kodim01.png")
    assert path == tmp_path / "run/reconstructions/jpeg/q50/kodak/native/kodim01.png.01234567.png"


@pytest.mark.parametrize(
    "long", ["x" * 300, "ö" * 200, "𐍈" * 100, "a/" * 200], ids=["ascii", "wide", "widest", "nested"]
)
def test_a_long_name_is_shortened_and_told_from_others(long, tmp_path):
    one, other = (kept(tmp_path, long, long + end, long, "native", long + end) for end in "ab")
    assert one != other
    assert one.parent.parent.parent.parent != other.parent
    for path in (one, other):
        assert all(len(os.fsencode(part)) <= 255 for part in path.parts)
        with whole(path) as part:
            part.write_bytes(b"")


@pytest.mark.parametrize("name", ["..", ".", "", "/etc", "a/../../b"])
def test_no_name_leads_out_of_the_run_s_folder(name, tmp_path):
    path = kept(tmp_path, name, name, name, name, name)
    below = path.relative_to(tmp_path / "run" / "reconstructions")
    assert len(below.parts) == 5
    assert ".." not in below.parts
