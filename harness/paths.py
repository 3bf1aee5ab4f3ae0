"""Where files are: what comes with the harness, what it keeps, what the user names."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from harness.errors import HarnessError
from harness.leftovers import mark, remove_folders, remove_tree


def data_folder(
    name: Literal["adapters", "containers", "datasets", "protocols", "results"],
) -> Path:
    """A folder of data that comes with the harness, in a checkout or in a wheel."""
    package = Path(__file__).parent
    inside = package / "_data" / name
    return inside if inside.is_dir() else package.parent / name


def cache_folder() -> Path:
    """Where downloads are kept: ``HARNESS_CACHE``, or the user's cache folder."""
    if chosen := os.environ.get("HARNESS_CACHE"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "codec-harness"


def find_weights(adapter: Path, file: str) -> Path:
    """Where a weights file is: in the adapter's folder, ``HARNESS_WEIGHTS``, or the cache."""
    places = [adapter / file]
    chosen = os.environ.get("HARNESS_WEIGHTS", "")
    roots = [Path(p).expanduser() for p in chosen.split(os.pathsep) if p]
    places += [folder / file for root in roots for folder in (root / adapter.name, root)]
    places.append(cache_folder() / "weights" / adapter.name / file)
    return next((p for p in places if p.is_file()), places[-1])


def find_upstream(adapter: str) -> Path:
    """Where the checkout for an adapter's folder is: under ``HARNESS_UPSTREAM``, or the cache."""
    chosen = os.environ.get("HARNESS_UPSTREAM", "")
    places = [Path(p).expanduser() / adapter for p in chosen.split(os.pathsep) if p]
    places.append(cache_folder() / "upstream" / adapter)
    return next((p for p in places if p.is_dir()), places[-1]).absolute()


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path``, renamed to ``path`` when the block succeeds.

    So ``path`` appears complete or not at all, however the process ends. Its folder is created.

    Raises:
        OSError: The folder cannot be written, or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    name = os.fsencode(path.name)[:200].decode(errors="ignore")  # the longest has 255 bytes
    part = path.with_name(f".{name}.{mark()}.part")
    try:
        yield part
        part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def runtime_folder() -> Path:
    """A folder for temporary files that no other user can enter; it is created.

    It is in the temporary folder, or, where another user put something in its place, in the cache.

    Raises:
        HarnessError: Neither can be made, for example because the disk is full.
    """
    try:
        first = Path(tempfile.gettempdir()) / f"codec-harness-{os.getuid()}"
    except FileNotFoundError as error:  # no place where temporary files are usual takes any
        raise HarnessError(
            "there is no temporary folder that can be written to",
            "free space in /tmp, or set TMPDIR to a folder that has some",
        ) from error
    for folder in (first, cache_folder() / "runtime"):
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=0o700)
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
                continue
            folder.chmod(0o700)
        except OSError as error:
            raise _no_room(folder, error) from error
        return folder
    raise HarnessError(f"{first} belongs to another user", "set TMPDIR to a folder of your own")


def new_scratch_folder() -> Path:
    """A new private temporary folder; those that killed processes left are removed first.

    Its path is short, so that a Unix socket in it can be bound.

    Raises:
        HarnessError: It cannot be made, for example because the disk is full.
    """
    parent = runtime_folder()
    remove_folders(parent)
    folder = parent / mark()
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise _no_room(folder, error) from error
    return folder


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """The same, removed at the end.

    Raises:
        HarnessError: It cannot be made, for example because the disk is full.
    """
    folder = new_scratch_folder()
    try:
        yield folder
    finally:
        remove_tree(folder)


def _no_room(folder: Path, error: OSError) -> HarnessError:
    return HarnessError(
        f"the temporary folder {folder} cannot be made: {error.strerror or error}",
        "free space there, or set TMPDIR to a folder that has some",
    )
