import json
import os
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from click.testing import CliRunner
from photographs import kodak_folder, skimage_file

from harness.catalog.datasets import load_datasets, read_dataset
from harness.cli.list import command as list_command
from harness.errors import HarnessError, ManifestError, UnknownName
from harness.images.datasets import resolve
from harness.images.files import read_image, write_png
from harness.paths import data_folder
from harness.readiness.doctor import examine


@pytest.fixture(autouse=True)
def away_from_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HARNESS_OFFLINE", "1")
    for name in ("HARNESS_DATA", "HARNESS_DATASETS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "holiday"
    folder.mkdir()
    return folder


def names(dataset):
    return [image.name for image in dataset.images]


# Manifests


def test_the_data_sets_of_the_papers_have_manifests():
    counts = {name: spec.count for name, spec in load_datasets().datasets.items()}
    papers = {"kodak": 24, "tecnick": 100, "div2k": 100, "clic2020": 250, "clic2020-valid": 41}
    assert counts.items() >= papers.items()


def test_every_kodak_photograph_has_an_address_and_a_hash():
    files = load_datasets().datasets["kodak"].files
    assert [file.name for file in files] == [f"kodim{n:02d}.png" for n in range(1, 25)]
    assert all(file.url.endswith(f"/{file.name}") for file in files)
    assert len({file.sha256 for file in files}) == 24


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("licence =", "license =", "key 'licence' is missing"),
        ("images = 24", "images = 25", "'images' is 25, but 24"),
        ("images = 24", "images = 24\nsplit = 1", "unknown key 'split'"),
        ('url = "http://r0k.us', 'uri = "http://r0k.us', "unknown key 'uri'; did you mean 'url'"),
        ('url = "http', 'package = "skimage/x"\nurl = "http', "give either 'url' or 'package'"),
        ('name = "kodak"', 'name = "codak"', "the name must be the file's, 'kodak'"),
        ("[[file]]", "[[file]", "kodak.toml"),
    ],
)
def test_a_wrong_manifest_is_refused_by_name(old, new, reason, tmp_path):
    text = (data_folder("datasets") / "kodak.toml").read_text(encoding="utf-8")
    path = tmp_path / "kodak.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ManifestError, match=reason):
        read_dataset(path)


@pytest.mark.parametrize("name", ["Flowers", "..", "a/b", "my_flowers", ""])
def test_a_data_set_s_name_has_the_form_that_people_type(name, tmp_path):
    text = (data_folder("datasets") / "kodak.toml").read_text(encoding="utf-8")
    path = tmp_path / "kodak.toml"
    path.write_text(text.replace('name = "kodak"', f'name = "{name}"'), encoding="utf-8")
    with pytest.raises(ManifestError, match="'name' must be lower case, with hyphens"):
        read_dataset(path)


@pytest.mark.parametrize("name", ["../kodim01.png", "/kodim01.png", "..", ""])
def test_no_file_of_a_manifest_leaves_the_data_sets_folder(name, tmp_path):
    text = (data_folder("datasets") / "kodak.toml").read_text(encoding="utf-8")
    path = tmp_path / "kodak.toml"
    path.write_text(text.replace('"kodim01.png"', f'"{name}"'), encoding="utf-8")
    with pytest.raises(ManifestError) as refused:
        read_dataset(path)
    place = f"{path} [[file]] number 1: 'name' must be a path inside its folder"
    assert str(refused.value).startswith(place)


def test_a_manifest_of_the_user_may_not_take_a_name(tmp_path, monkeypatch):
    shutil.copy(data_folder("datasets") / "kodak.toml", tmp_path)
    monkeypatch.setenv("HARNESS_DATASETS", str(tmp_path))
    with pytest.raises(ManifestError, match="the name 'kodak' is taken"):
        resolve("kodak")
    assert "kodak" not in load_datasets().datasets
    assert resolve("sample").images


def test_a_folder_of_manifests_may_be_named_twice(tmp_path, monkeypatch):
    shutil.copy(data_folder("datasets") / "kodak.toml", tmp_path / "mine.toml")
    text = (tmp_path / "mine.toml").read_text()
    (tmp_path / "mine.toml").write_text(text.replace('name = "kodak"', 'name = "mine"'))
    monkeypatch.setenv("HARNESS_DATASETS", f"{tmp_path}{os.pathsep}{tmp_path}/.")
    catalog = load_datasets()
    assert "mine" in catalog.datasets
    assert not catalog.broken


@pytest.fixture
def broken_manifest(tmp_path, monkeypatch):
    folder = tmp_path / "manifests"
    folder.mkdir()
    text = (data_folder("datasets") / "kodak.toml").read_text(encoding="utf-8")
    (folder / "mine.toml").write_text(
        text.replace('"kodak"', '"mine"').replace("licence", "license")
    )
    monkeypatch.setenv("HARNESS_DATASETS", f"{folder}{os.pathsep}{tmp_path / 'nowhere'}")
    return folder / "mine.toml"


@pytest.mark.usefixtures("broken_manifest")
def test_a_broken_manifest_breaks_only_its_own_data_set():
    assert resolve("sample").images
    for name in ("mine", "Mine"):
        with pytest.raises(ManifestError, match="did you mean 'licence'"):
            resolve(name)


def test_list_and_doctor_show_a_broken_manifest_with_its_error(broken_manifest, tmp_path):
    shown = CliRunner().invoke(list_command, ["datasets", "--json"])
    rows = {row["dataset"]: row for row in json.loads(shown.output)}
    assert rows["sample"]["unavailable"] is None
    assert f"{broken_manifest}: unknown key 'license'" in rows["mine"]["unavailable"]
    nowhere = str(tmp_path / "nowhere")
    assert "is not a folder" in rows[nowhere]["unavailable"]
    assert "unknown key" in CliRunner().invoke(list_command, ["datasets"]).output

    found = {finding.name: finding for finding in examine(tmp_path) if finding.area == "data set"}
    assert found["sample"].state == "works"
    assert "unknown key 'license'" in found["mine"].detail
    assert found["mine"].fix == "did you mean 'licence'?"
    assert found[nowhere].state == "missing"


# The sample set and Kodak


def test_the_sample_set_is_here_without_a_network():
    dataset = resolve("sample")
    assert len(dataset.images) == load_datasets().datasets["sample"].count
    assert not dataset.refused
    for image in dataset.images:
        assert read_image(image.path).shape == (image.height, image.width, 3)


def test_a_limit_takes_the_first_images():
    assert names(resolve("sample", limit=2)) == names(resolve("sample"))[:2]
    with pytest.raises(HarnessError, match="limit of 0"):
        resolve("sample", limit=0)


def test_the_kodak_photographs_are_found_by_name_and_by_path(monkeypatch):
    kodak = kodak_folder()
    monkeypatch.setenv("HARNESS_DATA", str(kodak.parent))
    dataset = resolve("Kodak")
    assert len(dataset.images) == 24
    assert {(min(i.height, i.width), max(i.height, i.width)) for i in dataset.images} == {
        (512, 768)
    }
    monkeypatch.setenv("HARNESS_DATA", str(kodak))
    assert resolve("kodak") == dataset
    monkeypatch.delenv("HARNESS_DATA")
    assert resolve(str(kodak)) == dataset


def test_a_different_kodim01_is_refused_by_name(tmp_path, monkeypatch):
    (tmp_path / "kodak").mkdir()
    shutil.copy(skimage_file("coffee.png"), tmp_path / "kodak/kodim01.png")
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path))
    for name in ("kodak", str(tmp_path / "kodak")):
        with pytest.raises(HarnessError, match=r"kodim01\.png is not the kodim01\.png of Kodak"):
            resolve(name, limit=1)


def test_a_missing_data_set_says_where_to_get_it_and_where_to_put_it(tmp_path):
    with pytest.raises(HarnessError) as error:
        resolve("kodak")
    assert "24 of 24 files are missing" in error.value.problem
    assert "http://r0k.us/graphics/kodak/kodak/kodim01.png" in error.value.remedy
    assert str(tmp_path / "cache/datasets/kodak") in error.value.remedy
    assert "HARNESS_DATA" in error.value.remedy


def test_part_of_an_archive_does_not_count_as_all_of_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path))
    (tmp_path / "div2k/DIV2K_valid_HR").mkdir(parents=True)
    for n in (801, 802):
        shutil.copy(skimage_file("coffee.png"), tmp_path / f"div2k/DIV2K_valid_HR/0{n}.png")
    with pytest.raises(HarnessError, match="has 2 images, not 100"):
        resolve("div2k")
    assert names(resolve("div2k", limit=2)) == ["0801.png", "0802.png"]


# Folders


def test_a_folder_is_a_data_set_in_natural_order_with_its_subfolders(folder):
    (folder / "day 2").mkdir()
    (folder / ".thumbnails").mkdir()
    for name in ("10.png", "9.png", "day 2/1.PNG", ".thumbnails/9.png"):
        shutil.copy(skimage_file("chelsea.png"), folder / name)
    (folder / "notes.txt").write_text("not an image")
    dataset = resolve(str(folder))
    assert dataset.name == "holiday"
    assert names(dataset) == ["9.png", "10.png", "day 2/1.PNG"]
    assert not dataset.refused


def test_a_folder_is_found_by_name_under_harness_data(folder, monkeypatch):
    shutil.copy(skimage_file("chelsea.png"), folder)
    monkeypatch.setenv("HARNESS_DATA", f"/nowhere{os.pathsep}{folder.parent}")
    assert names(resolve("holiday")) == ["chelsea.png"]


def test_the_size_of_an_upright_image_is_stated(folder):
    import PIL.Image

    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    with PIL.Image.open(skimage_file("coffee.png")) as image:
        image.save(folder / "turned.jpg", exif=exif)
    (image,) = resolve(str(folder)).images
    assert (image.height, image.width) == (600, 400)


def test_bad_files_are_refused_with_a_reason_and_the_rest_is_measured(folder):
    shutil.copy(skimage_file("coffee.png"), folder / "a.png")
    shutil.copy(skimage_file("chessboard_RGB.png"), folder / "b.png")
    shutil.copy(skimage_file("no_time_for_that_tiny.gif"), folder / "c.gif")
    (folder / "d.png").write_bytes(skimage_file("coffee.png").read_bytes()[:100_000])
    (folder / "e.png").touch()
    (folder / "f.png").symlink_to(folder / "nothing.png")
    shutil.copy(skimage_file("chelsea.png"), folder / "g.png")
    dataset = resolve(str(folder))
    assert names(dataset) == ["a.png", "g.png"]
    reasons = {path.name: reason.split(";")[0] for path, reason in dataset.refused}
    assert reasons["b.png"] == "has more than 8 bits a channel"
    assert reasons["c.gif"].startswith("is damaged, or in none of the formats")
    assert reasons["d.png"].startswith("is damaged")
    assert reasons["e.png"] == "is empty (0 bytes)"
    assert reasons["f.png"] == "does not exist"
    assert len(reasons) == 5
    assert names(resolve(str(folder), limit=2)) == ["a.png", "g.png"]


def test_a_folder_of_bad_files_only_is_an_error_with_the_reason(folder):
    (folder / "a.png").touch()
    (folder / "b.png").touch()
    with pytest.raises(HarnessError, match=r"a\.png is empty \(0 bytes\).*1 more"):
        resolve(str(folder))


def test_a_folder_with_no_images_is_an_error_by_name(folder):
    (folder / "notes.txt").write_text("not an image")
    with pytest.raises(HarnessError, match="holiday holds no images"):
        resolve(str(folder))


def test_what_is_not_a_data_set_is_refused_by_name(folder):
    with pytest.raises(UnknownName, match="unknown dataset 'kodac'; did you mean kodak"):
        resolve("kodac")
    with pytest.raises(HarnessError, match="does not exist"):
        resolve(str(folder / "nothing"))
    (folder / "a.png").touch()
    with pytest.raises(HarnessError, match="is not a folder"):
        resolve(str(folder / "a.png"))


# The index


def test_a_file_that_has_not_changed_is_not_read_again(folder):
    path = folder / "a.png"
    shutil.copy(skimage_file("coffee.png"), path)
    (before,) = resolve(str(folder)).images
    status = path.stat()
    path.write_bytes(b"?" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert resolve(str(folder)).images == (before,)


def test_a_file_that_has_changed_is_read_again(folder):
    path = folder / "a.png"
    write_png(path, np.zeros((8, 8, 3), np.uint8))
    (before,) = resolve(str(folder)).images
    write_png(path, np.zeros((9, 8, 3), np.uint8))
    (after,) = resolve(str(folder)).images
    assert (before.height, after.height) == (8, 9)
    assert before.sha256 != after.sha256


@pytest.mark.parametrize("state", ["not a folder", "damaged"])
def test_a_cache_that_cannot_be_used_only_costs_time(state, tmp_path, monkeypatch):
    expected = resolve("sample")
    if state == "damaged":
        (tmp_path / "cache/files.sqlite").write_bytes(b"not a database" * 100)
    else:
        (tmp_path / "file").touch()
        monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "file"))
    assert resolve("sample") == expected


def test_many_may_share_the_index(folder):
    for n in range(12):
        write_png(folder / f"{n}.png", np.full((8, 8, 3), n, np.uint8))
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(resolve, [str(folder)] * 12))
    assert all(dataset == found[0] for dataset in found)
    assert len(found[0].images) == 12


@pytest.mark.parametrize("state", ["garbage", "other columns", "cut", "zeroed pages"])
def test_a_damaged_index_is_made_anew(state, folder, tmp_path):
    for n in range(100):
        write_png(folder / f"{n}.png", np.full((8, 8, 3), n, np.uint8))
    expected = resolve(str(folder))
    index = tmp_path / "cache/files.sqlite"
    whole = index.read_bytes()
    match state:
        case "garbage":
            index.write_bytes(b"not a database" * 1000)
        case "other columns":
            index.unlink()
            with sqlite3.connect(index) as database:
                database.execute("CREATE TABLE files (name TEXT)")
        case "cut":
            index.write_bytes(whole[: len(whole) // 2])
        case "zeroed pages":
            index.write_bytes(whole[:4096] + bytes(len(whole) - 4096))
    for _ in range(2):  # the first may find the damage only when it writes
        assert resolve(str(folder)) == expected
    with sqlite3.connect(index) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("SELECT count(*) FROM files").fetchone() == (100,)


def test_a_changed_byte_of_the_index_is_never_taken_for_a_fact(folder, tmp_path):
    write_png(folder / "a.png", np.zeros((8, 9, 3), np.uint8))
    expected = resolve(str(folder))
    index = tmp_path / "cache/files.sqlite"
    whole = index.read_bytes()
    row = whole.index(b"image 1")
    for place in range(row, row + 400, 2):
        index.write_bytes(whole[:place] + bytes((whole[place] ^ 1,)) + whole[place + 1 :])
        assert resolve(str(folder)) == expected


# The command


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("datasets", ["kodak", "no; a run downloads it", "sample", "tecnick", "CC BY-NC-SA 3.0"]),
        ("codecs", ["jpeg", "chroma 4:2:0", "8: "]),
        ("metrics", ["psnr", "MS-SSIM", "lower"]),
    ],
)
def test_list_tells_what_there_is_in_words_and_json(what, words):
    table = CliRunner().invoke(list_command, [what])
    assert table.exit_code == 0
    for word in words:
        assert word in table.output
    rows = CliRunner().invoke(list_command, [what, "--json"])
    assert words[0] in rows.output
    assert rows.output.startswith("[\n")


def test_list_counts_what_is_here_without_opening_it(tmp_path, monkeypatch):
    (tmp_path / "kodak").mkdir()
    (tmp_path / "kodak/kodim01.png").touch()
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path))
    assert (
        f"1 of 24 in {tmp_path / 'kodak'}" in CliRunner().invoke(list_command, ["datasets"]).output
    )
