"""Remembers the sha256 and the size of image files that were read once, so planning is quick."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.paths import cache_folder

# The table's number grows when images.py reads a file to another size, or refuses what it took.
_CREATE = (
    "CREATE TABLE IF NOT EXISTS images_1 (path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, "
    "sha256 TEXT, height INTEGER, width INTEGER)"
)
_SELECT = "SELECT sha256, height, width FROM images_1 WHERE path = ? AND size = ? AND mtime_ns = ?"
_REPLACE = "REPLACE INTO images_1 VALUES (?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True)
class ImageFacts:
    """What identifies an image file: its bytes' sha256, and its upright size in pixels."""

    sha256: str
    height: int
    width: int


class ImageIndex:
    """An index in the user's cache, by path, size and modification time; safe to share.

    It saves work and nothing else: where the cache cannot be written, files are read each time.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or cache_folder() / "images.sqlite"
        self._database: sqlite3.Connection | None = None
        self._new: list[tuple[str, int, int, str, int, int]] = []

    def __enter__(self) -> Self:
        with contextlib.suppress(OSError, sqlite3.Error):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(self._path)
            database.execute(_CREATE)
            self._database = database
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._database is None:
            return
        # In one transaction: each is a sync of the disk, dearer than reading a photograph.
        with contextlib.suppress(sqlite3.Error), self._database:
            self._database.executemany(_REPLACE, self._new)
        self._database.close()

    def facts(self, path: Path) -> ImageFacts:
        """The facts of an image file, which is read whole when it is new or has changed.

        Raises:
            ImageError: It cannot be measured as it is.
        """
        path = path.absolute()
        try:
            status = path.stat()
        except OSError:
            return _read(path)  # which says in its own words why the file cannot be read
        key = (str(path), status.st_size, status.st_mtime_ns)
        if (known := self._look_up(key)) is not None:
            return known
        facts = _read(path)
        self._new.append((*key, facts.sha256, facts.height, facts.width))
        return facts

    def _look_up(self, key: tuple[str, int, int]) -> ImageFacts | None:
        if self._database is None:
            return None
        with contextlib.suppress(sqlite3.Error):
            row = self._database.execute(_SELECT, key).fetchone()
            return None if row is None else ImageFacts(*row)
        return None


def _read(path: Path) -> ImageFacts:
    from harness.images.files import read_image

    height, width, _ = read_image(path).shape
    with path.open("rb") as file:
        return ImageFacts(hashlib.file_digest(file, "sha256").hexdigest(), height, width)
