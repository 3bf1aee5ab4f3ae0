"""sha256 of files, and a memory of file facts, so that unchanged files are not read again."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.assets.wholeness import truncation
from harness.catalog.codec_spec import WeightsFile
from harness.errors import Lack
from harness.paths import cache_folder
from harness.text import is_printable

SMALL_BYTES = 1 << 24
"""Files up to this size are read each time: that is as quick as looking them up."""

_FETCH_AGAIN = "delete the file and fetch it again"

_CREATE = (
    "CREATE TABLE IF NOT EXISTS files (kind TEXT, path TEXT, size INTEGER, mtime_ns INTEGER, "
    "facts TEXT, PRIMARY KEY (kind, path))"
)
_SELECT = "SELECT facts FROM files WHERE kind = ? AND path = ? AND size = ? AND mtime_ns = ?"
_REPLACE = "REPLACE INTO files VALUES (?, ?, ?, ?, ?)"
FAULTS = (sqlite3.Error, UnicodeDecodeError)
"""What a database raises; the second where the message quotes damaged text."""
_DAMAGED = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""Of these the first is a table of other columns."""


def sha256_of(path: Path) -> str:
    """sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remembered_sha256(path: Path) -> str:
    """The same, but the file is read again only after it has changed: weights are gigabytes."""
    if path.stat().st_size <= SMALL_BYTES:
        return _small_sha256(*_state(path))
    with FileMemory("sha256") as memory:
        known = memory.recall(path)
        if not isinstance(known, str):
            known = sha256_of(path)
            memory.remember(path, known)
        return known


def damage(path: Path, weights: WeightsFile) -> Lack | None:
    """Why a file is not the one that the manifest describes, or ``None`` if it is."""
    size = path.stat().st_size
    if weights.size not in {None, size}:
        wrong = f"size is {size} bytes, not {weights.size}"
    elif weights.sha256 not in {None, digest := remembered_sha256(path)}:
        wrong = f"sha256 is {digest[:16]}..., not {str(weights.sha256)[:16]}..."
    elif weights.sha256 is None and (cut := truncation(path)) is not None:
        return Lack(f"weights {path} are truncated: {cut}", _FETCH_AGAIN)
    else:
        return None
    return Lack(f"weights {path} are truncated or of another version: their {wrong}", _FETCH_AGAIN)


@functools.lru_cache(maxsize=256)
def _small_sha256(path: str, _size: int, _mtime_ns: int) -> str:
    return sha256_of(Path(path))


class FileMemory:
    """Facts found in files, by path, size and modification time; processes may share it.

    It is kept in the user's cache and only saves work: where the cache cannot be written, files
    are read each time. A database that is damaged, or is none, is replaced by an empty one, and
    facts that are not as they were written are not recalled. A context manager that writes new
    facts when it exits.

    Args:
        kind: What is remembered; a new name when the same file would now give other facts.
        path: The memory's file, in place of the one in the cache.
    """

    def __init__(self, kind: str, path: Path | None = None) -> None:
        self._kind = kind
        self._path = path or cache_folder() / "files.sqlite"
        self._database: sqlite3.Connection | None = None
        self._new: list[tuple[str, str, int, int, str]] = []

    def recall(self, path: Path) -> Any:
        """The facts remembered of a file in its present state; ``None`` where there are none.

        Raises:
            OSError: The file is not there.
        """
        if self._database is None:
            return None
        key = _state(path)
        try:
            row = self._database.execute(_SELECT, (self._kind, *key)).fetchone()
        except FAULTS as error:
            self._abandon(error)
            return None
        except UnicodeEncodeError:  # the path is not UTF-8
            return None
        check, _, facts = ("" if row is None else str(row[0])).partition(" ")
        return json.loads(facts) if facts and check == self._check(key, facts) else None

    def remember(self, path: Path, facts: Any) -> None:
        """Remember facts of a file in its present state: anything that JSON can hold."""
        key = _state(path)
        if is_printable(key[0]):
            text = json.dumps(facts)
            self._new.append((self._kind, *key, f"{self._check(key, text)} {text}"))

    def __enter__(self) -> Self:
        with contextlib.suppress(OSError, *FAULTS):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._database = self._connected()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._database is None:
            return
        # In one transaction: each one syncs the disk, which costs more than reading a photograph.
        try:
            with self._database:
                self._database.executemany(_REPLACE, self._new)
        except FAULTS as fault:
            self._abandon(fault)
        else:
            self._database.close()

    def _connected(self) -> sqlite3.Connection:
        """The database, made anew where what is there is none, or not one of this class."""
        try:
            return self._opened()
        except FAULTS as error:
            if not _is_damage(error):
                raise
        self._remove()
        return self._opened()

    def _opened(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path)
        try:
            database.execute(_CREATE)
            database.execute(_SELECT, ("", "", 0, 0))
        except FAULTS:
            database.close()
            raise
        return database

    def _abandon(self, error: Exception) -> None:
        """Go on without the database, and have a damaged one made anew the next time."""
        if self._database is not None:
            self._database.close()
            self._database = None
        if _is_damage(error):
            with contextlib.suppress(OSError):
                self._remove()

    def _remove(self) -> None:
        journal = self._path.with_name(self._path.name + "-journal")  # of a write that was killed
        for path in (journal, self._path):
            path.unlink(missing_ok=True)

    def _check(self, key: tuple[str, int, int], facts: str) -> str:
        """A digest over a row, so that a changed byte of it is not taken for a fact."""
        row = json.dumps([self._kind, *key, facts])
        return hashlib.sha256(row.encode()).hexdigest()[:16]


def _is_damage(error: Exception) -> bool:
    """Whether a database must be replaced: others are locked, read-only or on a full disk."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, UnicodeDecodeError) or code in _DAMAGED


def _state(path: Path) -> tuple[str, int, int]:
    status = path.stat()
    return str(path.absolute()), status.st_size, status.st_mtime_ns
