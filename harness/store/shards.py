"""Parquet shards: written completely or not at all; changed ones are recognised when read.

A shard is named ``<time>-<digest>.parquet``. The digest is the first 32 hexadecimal digits of the
sha256 of its bytes; shards that 0.1.0 wrote have none.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import HarnessError
from harness.paths import whole
from harness.store.schema import SCHEMA_VERSION

VERSION_KEY = b"harness.schema"
DIGITS = 32
_DIGEST = re.compile(rf"-([0-9a-f]{{{DIGITS}}})\.parquet$")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path``, renamed to ``path`` when the block succeeds.

    Raises:
        HarnessError: The disk is full, or the folder cannot be written.
    """
    try:
        with whole(path) as temporary:
            yield temporary
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> HarnessError:
    """The error to raise when ``path`` could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return HarnessError(
            f"the disk is full: {path} could not be written",
            "free some space and run the same command again; finished cases are kept",
        )
    return HarnessError(
        f"{path} cannot be written: {error.strerror or error}",
        "choose a writable folder with --results",
    )


def write_bytes(path: Path, data: bytes | memoryview, *, durably: bool = False) -> None:
    """Write a file completely or not at all; ``durably``, so that it outlives a loss of power.

    Raises:
        HarnessError: The disk is full, or the folder cannot be written.
    """
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(data)
        if durably:
            file.flush()
            os.fsync(file.fileno())


def write_shard(folder: Path, table: pa.Table) -> Path:
    """Write a table as a new shard in a folder, durably, under a name that holds its digest.

    Raises:
        HarnessError: The disk is full, or the folder cannot be written.
    """
    metadata = {**(table.schema.metadata or {}), VERSION_KEY: str(SCHEMA_VERSION).encode()}
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(metadata), sink, compression="zstd")
    data = memoryview(sink.getvalue())
    path = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{_digest(data)}.parquet"
    write_bytes(path, data, durably=True)
    return path


def _digest(data: bytes | memoryview) -> str:
    return hashlib.sha256(data).hexdigest()[:DIGITS]


def stated_digest(path: Path) -> str | None:
    """The digest in a shard's name; ``None`` for one that 0.1.0 wrote."""
    found = _DIGEST.search(path.name)
    return found and found[1]


def list_shards(folder: Path) -> list[Path]:
    """The shards in a folder, without temporary files."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except FileNotFoundError:
        return []
    return [folder / name for name in names if name.endswith(".parquet") and name[0] != "."]


class DamagedShard(HarnessError):
    """A shard that cannot be read, or is not what was written.

    Attributes:
        path: The shard.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"results shard {path} is damaged and was left out ({reason})",
            "run the same command again: its cases will be measured again",
        )
        self.path = path


def read_shard(path: Path, schema: pa.Schema, columns: Sequence[str] | None = None) -> pa.Table:
    """Read one shard in the columns of ``schema``; those it lacks are null.

    Raises:
        DamagedShard: Its bytes are not those that were written.
        HarnessError: A newer harness wrote it.
        FileNotFoundError: It is gone (another process has merged it with others).
    """
    wanted = [schema.field(name) for name in (columns or schema.names)]
    try:
        data = path.read_bytes()
        if stated_digest(path) not in {None, _digest(data)}:
            raise DamagedShard(path, "its bytes do not match the digest in its name")
        with pq.ParquetFile(pa.BufferReader(data)) as file:
            version = int((file.schema_arrow.metadata or {}).get(VERSION_KEY, b"0"))
            if version > SCHEMA_VERSION:
                raise HarnessError(
                    f"{path} was written by a newer harness (schema {version}, this one reads "
                    f"{SCHEMA_VERSION})",
                    "upgrade with 'pip install --upgrade codec-harness'",
                )
            present = set(file.schema_arrow.names)
            if not set(schema.names[:2]) <= present:
                raise DamagedShard(path, "it holds other records than those of its folder")
            table = file.read([f.name for f in wanted if f.name in present])
        arrays = [
            table[f.name].cast(f.type) if f.name in present else pa.nulls(len(table), f.type)
            for f in wanted
        ]
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DamagedShard(path, next(iter(str(error).splitlines()), "no reason")) from error
    return pa.table(arrays, schema=pa.schema(wanted))


def latest(table: pa.Table, keys: Sequence[str]) -> pa.Table:
    """Of the rows with equal ``keys``, keep the one written last."""
    if len(table) == 0:
        return table
    numbered = table.select([*keys, "written"]).append_column("_row", pa.array(range(len(table))))
    ordered = numbered.sort_by("written")
    last = ordered.group_by(list(keys), use_threads=False).aggregate([("_row", "last")])
    return table.take(pa.array(np.sort(last["_row_last"].to_numpy())))
