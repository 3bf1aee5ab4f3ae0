"""Downloads a data set's files into the cache; the first hash seen of a file is binding."""

from __future__ import annotations

import fcntl
import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from harness.assets.download import DownloadError, download
from harness.catalog.datasets import DatasetSpec, FileSpec
from harness.paths import cache_folder, whole


def cached_folder(name: str) -> Path:
    """Where the downloaded files of a data set are kept."""
    return cache_folder().absolute() / "datasets" / name


def fetch_file(spec: DatasetSpec, file: FileSpec) -> Path:
    """Download one ``[[file]]`` that has an address.

    Raises:
        DownloadError: It cannot be downloaded, or is not the expected file.
    """
    path = cached_folder(spec.name) / file.name
    with _locked(spec.name) as hashes:
        _download_known(file.url, path, file.sha256, hashes)
    return path


def fetch_archive(spec: DatasetSpec) -> Path:
    """Download the archive of a data set and extract its images, without their folders.

    Raises:
        DownloadError: It cannot be downloaded, is not the expected file, or lacks the images.
    """
    assert spec.archive is not None  # noqa: S101
    folder = cached_folder(spec.name)
    archive = folder.with_suffix(".zip")
    with _locked(spec.name) as hashes:
        _download_known(spec.archive.url, archive, spec.archive.sha256, hashes)
        try:
            count = _unpack(archive, spec.archive.members, folder)
        except (zipfile.BadZipFile, OSError) as error:
            raise DownloadError(f"{archive} cannot be unpacked: {error}") from error
        if count != spec.count:
            raise DownloadError(
                f"{archive} has {count} images '{spec.archive.members}', not {spec.count}",
                f"compare it with {spec.homepage}",
            )
        archive.unlink()
    return folder


def _download_known(url: str, path: Path, sha256: str | None, hashes: dict[str, str]) -> None:
    hashes[url] = download(url, path, sha256 or hashes.get(url))


@contextmanager
def _locked(name: str) -> Iterator[dict[str, str]]:
    """Lock the data set against other processes; gives the sha256 of each address downloaded.

    Where no manifest states a file's hash, its first download is recorded in the lock file, and
    later ones must give the same.
    """
    path = cached_folder(name).with_suffix(".lock.json")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise DownloadError(
            f"{path} cannot be written: {error.strerror}",
            "set HARNESS_CACHE to a folder that can",
        ) from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        text = file.read()
        hashes: dict[str, str] = json.loads(text) if text else {}
        before = dict(hashes)
        yield hashes
        if hashes != before:
            file.seek(0)
            file.truncate()
            json.dump(hashes, file, indent=1)


def _unpack(archive: Path, members: str, folder: Path) -> int:
    """Extract the members that match a pattern; returns how many there are."""
    folder.mkdir(exist_ok=True)
    count = 0
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            if info.is_dir() or "__MACOSX" in info.filename or not fnmatch(info.filename, members):
                continue
            path = folder / PurePosixPath(info.filename).name
            with whole(path) as part, opened.open(info) as source, part.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            count += 1
    return count
