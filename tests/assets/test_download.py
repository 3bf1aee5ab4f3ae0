"""Downloads from a real server on the loopback interface, which can be told to misbehave."""

import hashlib
import io
import shutil
import stat
import struct
import threading
import zipfile

import pytest
from loopback import serving, start
from photographs import skimage_file

from harness.assets.dataset_files import cached_folder, fetch_archive
from harness.assets.download import DownloadError, download
from harness.catalog.datasets import load_datasets
from harness.errors import HarnessError
from harness.images.datasets import resolve

MANIFEST = """
name = "mine"
title = "Mine"
licence = "CC0"
homepage = "{server.address}"
citation = "none"
images = {images}
"""


@pytest.fixture
def server():
    with serving() as server:
        yield server


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    for name in ("HARNESS_OFFLINE", "HARNESS_DATA", "HARNESS_DATASETS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


@pytest.fixture
def manifest(tmp_path, monkeypatch, server):
    """Writes the manifest of a data set called 'mine', whose files the server has."""
    folder = tmp_path / "manifests"
    folder.mkdir()
    monkeypatch.setenv("HARNESS_DATASETS", str(folder))

    def write(images, rest):
        text = MANIFEST.format(server=server, images=images) + rest
        (folder / "mine.toml").write_text(text, encoding="utf-8")

    return write


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def photograph():
    return skimage_file("motorcycle_left.png").read_bytes()  # 0.6 MB: several reads


@pytest.fixture
def archive(tmp_path):
    """A zip as publishers make them: folders, other files, and a Mac's litter."""
    path = tmp_path / "published.zip"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("set/readme.txt", "about")
        opened.writestr("__MACOSX/set/._coffee.png", "litter")
        opened.write(skimage_file("coffee.png"), "set/coffee.png")
        opened.write(skimage_file("chelsea.png"), "set/chelsea.png")
        opened.write(skimage_file("ihc.png"), "others/ihc.png")
    return path.read_bytes()


def test_a_download_is_resumed_where_the_connection_was_cut(server, photograph, tmp_path):
    server.files["/a.png"] = photograph
    server.cuts = [200_000, 100_000]
    found = download(f"{server.address}/a.png", tmp_path / "a.png", sha256(photograph))
    assert found == sha256(photograph)
    assert (tmp_path / "a.png").read_bytes() == photograph
    assert [start(asked) // 10_000 for asked in server.asked] == [0, 19, 29]


def test_a_download_that_was_given_up_is_resumed_by_the_next_call(server, photograph, tmp_path):
    server.files["/a.png"] = photograph
    server.cuts = [50_000] * 5
    with pytest.raises(DownloadError, match="could not be downloaded"):
        download(f"{server.address}/a.png", tmp_path / "a.png", sha256(photograph))
    assert not (tmp_path / "a.png").exists()
    download(f"{server.address}/a.png", tmp_path / "a.png", sha256(photograph))
    assert start(server.asked[-1]) > 200_000
    assert (tmp_path / "a.png").read_bytes() == photograph


def test_a_server_that_cannot_resume_sends_it_all_again(server, photograph, tmp_path):
    server.files["/a.png"] = photograph
    server.cuts = [200_000]
    server.resumes = False
    download(f"{server.address}/a.png", tmp_path / "a.png", sha256(photograph))
    assert (tmp_path / "a.png").read_bytes() == photograph


@pytest.mark.parametrize("surplus", [b"", b"more than the file has"])
def test_a_partial_file_that_is_complete_or_too_long_does_no_harm(
    server, photograph, surplus, tmp_path
):
    server.files["/a.png"] = photograph
    (tmp_path / "a.png.part").write_bytes(photograph + surplus)
    download(f"{server.address}/a.png", tmp_path / "a.png", sha256(photograph))
    assert (tmp_path / "a.png").read_bytes() == photograph


def test_a_file_of_another_sha256_is_not_kept(server, photograph, tmp_path):
    server.files["/a.png"] = photograph[:-1] + b"?"
    with pytest.raises(DownloadError, match="gives a file whose sha256 is not"):
        download(f"{server.address}/a.png", tmp_path / "a.png", sha256(photograph))
    assert list(tmp_path.glob("a.png*")) == []


def test_a_missing_file_names_its_address_and_where_to_put_it(server, tmp_path):
    with pytest.raises(DownloadError, match="404") as error:
        download(f"{server.address}/gone.png", tmp_path / "gone.png", None)
    assert f"{server.address}/gone.png" in error.value.problem
    assert str(tmp_path / "gone.png") in error.value.remedy


def test_a_server_that_does_not_answer_is_reported_by_name(tmp_path):
    with pytest.raises(DownloadError, match=r"http://127\.0\.0\.1:9/a\.png could not be"):
        download("http://127.0.0.1:9/a.png", tmp_path / "a.png", None)


def test_a_data_set_of_files_is_downloaded_once(server, manifest, photograph, cache):
    server.files["/a.png"] = photograph
    entry = f'[[file]]\nname = "a.png"\nurl = "{server.address}/a.png"\n'
    manifest(1, f'{entry}sha256 = "{sha256(photograph)}"\n')
    (image,) = resolve("mine").images
    assert (image.height, image.width, image.sha256) == (500, 741, sha256(photograph))
    assert image.path == cache / "datasets/mine/a.png"
    assert resolve("mine").images == (image,)
    assert len(server.asked) == 1


def test_a_limit_downloads_no_more_than_it_needs(server, manifest, photograph):
    server.files["/1.png"] = photograph
    entry = '[[file]]\nname = "{0}.png"\nurl = "{1}/{0}.png"\n'
    manifest(3, "".join(entry.format(n, server.address) for n in (1, 2, 3)))
    assert [image.name for image in resolve("mine", limit=1).images] == ["1.png"]
    assert len(server.asked) == 1


def test_the_first_download_of_an_unknown_file_binds_later_ones(
    server, manifest, photograph, cache
):
    server.files["/a.png"] = photograph
    manifest(1, f'[[file]]\nname = "a.png"\nurl = "{server.address}/a.png"\n')
    (image,) = resolve("mine").images
    image.path.unlink()
    server.files["/a.png"] = skimage_file("coffee.png").read_bytes()
    with pytest.raises(DownloadError, match=sha256(photograph)):
        resolve("mine")
    server.files["/a.png"] = photograph
    assert resolve("mine").images == (image,)


def test_an_archive_gives_its_members_and_nothing_else(server, manifest, archive, cache):
    server.files["/set.zip"] = archive
    server.cuts = [len(archive) // 3]
    source = f'url = "{server.address}/set.zip"\nsha256 = "{sha256(archive)}"\n'
    manifest(2, f'[archive]\n{source}members = "*set/*.png"\n')
    images = resolve("mine").images
    assert [image.name for image in images] == ["chelsea.png", "coffee.png"]
    kept = {path.name for path in cached_folder("mine").parent.rglob("*") if path.is_file()}
    assert kept == {"chelsea.png", "coffee.png", "mine.lock.json"}
    server.files.clear()
    assert resolve("mine", limit=2).images == images


def test_an_archive_without_the_images_is_reported_by_name(server, manifest, archive):
    server.files["/set.zip"] = archive
    manifest(9, f'[archive]\nurl = "{server.address}/set.zip"\nmembers = "*set/*.png"\n')
    with pytest.raises(DownloadError, match=r"has 2 images '\*set/\*\.png', not 9"):
        resolve("mine")


ARCHIVE = '[archive]\nurl = "{}/set.zip"\nmembers = "{}"\n'


def zipped(**members):
    """A zip of members by name, each the bytes, or the size that the archive states of it."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members.items():
            opened.writestr(name, bytes(1 << 20) if isinstance(content, int) else content)
    archive = bytearray(data.getvalue())
    for content in members.values():
        if isinstance(content, int):
            struct.pack_into("<I", archive, archive.index(b"PK\x01\x02") + 24, content)
    return bytes(archive)


@pytest.mark.parametrize(
    "name",
    ["../../escaped.png", "/etc/escaped.png", "a/../../../escaped.png", "set/../escaped.png"],
)
def test_no_member_of_an_archive_is_written_outside(
    name, server, manifest, photograph, cache, tmp_path
):
    server.files["/set.zip"] = zipped(**{name: photograph})
    manifest(1, ARCHIVE.format(server.address, "*.png"))
    before = {path for path in tmp_path.rglob("*") if not path.is_relative_to(cache)}
    (image,) = resolve("mine").images
    assert image.path == cache / "datasets/mine/escaped.png"
    assert {p for p in tmp_path.rglob("*") if not p.is_relative_to(cache)} == before


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"set/..": b"x"}, "has 0 images"),
        ({"a/x.png": b"1", "b/x.png": b"2"}, "has 1 images"),
        ({"a\\b.png": b"x"}, "has a member that is called"),
        ({"a\x1b[2J.png": b"x"}, r"is called a\\x1b\[2J.png"),
        ({"bomb.png": 1100 << 20}, "unpacks bomb.png to"),
    ],
    ids=["a folder", "one name twice", "a backslash", "an escape sequence", "a bomb"],
)
def test_a_hostile_archive_is_refused_before_anything_is_written(
    members, reason, server, manifest, cache
):
    server.files["/set.zip"] = zipped(**members)
    manifest(1, ARCHIVE.format(server.address, "*"))
    with pytest.raises(DownloadError, match=reason) as refused:
        resolve("mine")
    assert str(refused.value).isprintable()
    assert not list((cache / "datasets/mine").glob("*"))


def test_links_and_encrypted_members_make_no_file(server, manifest, cache, photograph):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as opened:
        link = zipfile.ZipInfo("link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        opened.writestr(link, "/etc/passwd")
        opened.writestr("real.png", photograph)
    server.files["/set.zip"] = data.getvalue()
    manifest(1, ARCHIVE.format(server.address, "*"))
    assert [image.name for image in resolve("mine").images] == ["real.png"]

    shutil.rmtree(cache)
    nameless = zipped(**{"x.png": photograph})
    server.files["/set.zip"] = nameless.replace(b"x.png", b"\0.png")
    with pytest.raises(DownloadError):
        resolve("mine")

    encrypted = bytearray(zipped(**{"x.png": photograph}))
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        encrypted[encrypted.index(header) + flags] |= 1
    shutil.rmtree(cache)
    server.files["/set.zip"] = bytes(encrypted)
    with pytest.raises(DownloadError, match=r"cannot be unpacked: .*encrypted"):
        resolve("mine")


@pytest.mark.parametrize("content", ["{", "[1]", '{"a": 1}', "\xff", "[" * 100_000])
def test_a_damaged_record_of_hashes_is_named_with_the_remedy(content, server, manifest, cache):
    server.files["/a.png"] = b"x"
    manifest(1, f'[[file]]\nname = "a.png"\nurl = "{server.address}/a.png"\n')
    (cache / "datasets").mkdir(parents=True)
    (cache / "datasets/mine.lock.json").write_text(content, encoding="latin-1")
    with pytest.raises(DownloadError, match="is damaged") as refused:
        resolve("mine")
    assert "delete it" in refused.value.remedy


@pytest.mark.parametrize("kind", ["files", "archive"])
def test_a_cache_that_cannot_be_written_is_named_with_the_remedy(
    kind, server, manifest, tmp_path, monkeypatch
):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "file"))
    one = f'[[file]]\nname = "a.png"\nurl = "{server.address}/a.png"\n'
    manifest(1, one if kind == "files" else ARCHIVE.format(server.address, "*"))
    with pytest.raises(DownloadError, match="cannot be written: Not a directory") as refused:
        resolve("mine")
    assert "HARNESS_CACHE" in refused.value.remedy


def test_what_is_not_an_archive_is_reported_by_name(server, manifest, photograph):
    server.files["/set.zip"] = photograph
    manifest(9, f'[archive]\nurl = "{server.address}/set.zip"\nmembers = "*.png"\n')
    with pytest.raises(DownloadError, match="cannot be unpacked: File is not a zip file"):
        resolve("mine")


def test_several_processes_may_want_an_archive_at_once(server, manifest, archive):
    server.files["/set.zip"] = archive
    manifest(2, f'[archive]\nurl = "{server.address}/set.zip"\nmembers = "*set/*.png"\n')
    spec = load_datasets().datasets["mine"]
    threads = [threading.Thread(target=fetch_archive, args=[spec]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(resolve("mine").images) == 2


@pytest.mark.parametrize("how", ["variable", "argument"])
def test_offline_a_missing_data_set_says_what_to_do(
    how, server, manifest, archive, monkeypatch, cache
):
    server.files["/set.zip"] = archive
    manifest(2, f'[archive]\nurl = "{server.address}/set.zip"\nmembers = "*set/*.png"\n')
    if how == "variable":
        monkeypatch.setenv("HARNESS_OFFLINE", "1")
    with pytest.raises(HarnessError) as error:
        resolve("mine", download=how == "variable")
    assert "dataset 'mine' is not in" in error.value.problem
    assert f"{server.address}/set.zip" in error.value.remedy
    assert str(cache / "datasets/mine") in error.value.remedy
    assert server.asked == []
