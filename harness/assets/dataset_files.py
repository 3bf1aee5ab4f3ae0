"""Downloads a data set's files into the cache; the first hash seen of a file is binding."""

from __future__ import annotations

import fcntl
import json
import shutil
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from harness.assets.download import DownloadError, download, unwritable
from harness.catalog.datasets import DatasetSpec, FileSpec
from harness.paths import cache_folder, whole
from harness.text import is_printable, shown

MAX_IMAGE_BYTES = 1 << 30
"""The largest file of a data set: the largest image that is read has half as many bytes raw."""


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
        unpack(spec, archive, folder)
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
        path.touch()
        file = path.open("r+", encoding="utf-8", errors="replace")
    except OSError as error:
        raise unwritable(path, error) from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        hashes = recorded_hashes(path, file.read())
        before = dict(hashes)
        yield hashes
        if hashes != before:
            try:  # in place, for others wait for this file; it grows, so what it held is kept
                file.seek(0)
                file.write(json.dumps(hashes, indent=1))
                file.truncate()
                file.flush()
            except OSError as error:
                raise unwritable(path, error) from error


def recorded_hashes(path: Path, text: str) -> dict[str, str]:
    """The hashes in a lock file, which is empty at first."""
    try:
        hashes = json.loads(text or "{}")
        if all(isinstance(item, str) for pair in hashes.items() for item in pair):
            return dict(hashes)
    except (ValueError, AttributeError, RecursionError):
        pass
    raise DownloadError(
        f"{path}, which holds the sha256 of what was downloaded, is damaged",
        "delete it: the next download is then taken as it comes",
    )


def unpack(spec: DatasetSpec, archive: Path, folder: Path) -> None:
    """Extract a data set's images, once the archive is seen to hold them and no more.

    Only the last part of a member's name is used, so none is written outside the folder; nothing
    but regular files is made; and no more is written than the archive's directory states.

    Args:
        spec: The data set, which has an archive.
        archive: The zip file.
        folder: Where the images go.

    Raises:
        DownloadError: The archive is damaged, has other images than the manifest states, or they
            are too large; or the folder cannot be written.
    """
    try:
        _unpack(spec, archive, folder)
    except OSError as error:
        raise unwritable(folder, error) from error
    except DownloadError:
        raise
    except Exception as error:  # zipfile raises errors of every kind on damaged bytes
        raise DownloadError(
            f"{archive} cannot be unpacked: {error}", "delete it and try again"
        ) from error


def _unpack(spec: DatasetSpec, archive: Path, folder: Path) -> None:
    assert spec.archive is not None  # noqa: S101
    with zipfile.ZipFile(archive) as opened:
        chosen = [i for i in opened.infolist() if _is_image(i, spec.archive.members)]
        members = {PurePosixPath(info.filename).name: info for info in chosen}
        if not len(chosen) == len(members) == spec.count:
            raise DownloadError(
                f"{archive} has {len(members)} images '{spec.archive.members}', not {spec.count}",
                f"compare it with {spec.homepage}",
            )
        if strange := [name for name in members if not is_printable(name) or "\\" in name]:
            raise DownloadError(
                f"{archive} has a member that is called {shown(strange[0])}",
                f"compare it with {spec.homepage}",
            )
        if large := [n for n, info in members.items() if info.file_size > MAX_IMAGE_BYTES]:
            raise DownloadError(
                f"{archive} unpacks {large[0]} to {members[large[0]].file_size} bytes, and an "
                f"image has at most {MAX_IMAGE_BYTES}",
                f"compare it with {spec.homepage}",
            )
        folder.mkdir(exist_ok=True)
        size, free = sum(i.file_size for i in members.values()), shutil.disk_usage(folder).free
        if size > free:
            raise DownloadError(
                f"{archive} unpacks to {size / 1e9:.1f} GB, but only {free / 1e9:.1f} GB are free "
                f"in {folder}",
                "free some space, or name another folder in HARNESS_CACHE",
            )
        for name, info in members.items():
            with (
                whole(folder / name) as part,
                opened.open(info) as source,
                part.open("wb") as target,
            ):
                shutil.copyfileobj(source, target, 1 << 20)


def _is_image(info: zipfile.ZipInfo, members: str) -> bool:
    name = PurePosixPath(info.filename).name
    is_link = stat.S_ISLNK(info.external_attr >> 16)
    litter = "__MACOSX" in info.filename or name in {"", ".", ".."}
    return not (info.is_dir() or is_link or litter) and fnmatch(info.filename, members)
