"""Parquet shards: written completely or not at all; damaged ones are recognised when read."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import HarnessError
from harness.paths import whole
from harness.store.schema import SCHEMA_VERSION

VERSION_KEY = b"harness.schema"


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


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file completely or not at all.

    Raises:
        HarnessError: The disk is full, or the folder cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_shard(folder: Path, table: pa.Table) -> Path:
    """Write a table as a new shard in a folder, durably, under a unique name.

    Raises:
        HarnessError: The disk is full, or the folder cannot be written.
    """
    path = folder / f"{uuid.uuid4().hex}.parquet"
    metadata = {**(table.schema.metadata or {}), VERSION_KEY: str(SCHEMA_VERSION).encode()}
    with atomic_path(path) as temporary:
        pq.write_table(table.replace_schema_metadata(metadata), temporary, compression="zstd")
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
    return path


def list_shards(folder: Path) -> list[Path]:
    """The shards in a folder, without temporary files."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except FileNotFoundError:
        return []
    return [folder / name for name in names if name.endswith(".parquet") and name[0] != "."]


class DamagedShard(HarnessError):
    """A shard that cannot be read."""


def read_shard(path: Path, schema: pa.Schema, columns: Sequence[str] | None = None) -> pa.Table:
    """Read one shard in the columns of ``schema``; those it lacks are null.

    Raises:
        DamagedShard: The file is truncated or corrupt.
        HarnessError: A newer harness wrote it.
        FileNotFoundError: It is gone (another process has merged it with others).
    """
    wanted = [schema.field(name) for name in (columns or schema.names)]
    try:
        with pq.ParquetFile(path) as file:
            version = int((file.schema_arrow.metadata or {}).get(VERSION_KEY, b"0"))
            if version > SCHEMA_VERSION:
                raise HarnessError(
                    f"{path} was written by a newer harness (schema {version}, this one reads "
                    f"{SCHEMA_VERSION})",
                    "upgrade with 'pip install --upgrade codec-harness'",
                )
            present = set(file.schema_arrow.names)
            table = file.read([f.name for f in wanted if f.name in present])
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise DamagedShard(
            f"results shard {path} is damaged and was left out ({first})",
            "delete it and run the same command again: its cases will be measured again",
        ) from error
    arrays = [
        table[f.name].cast(f.type) if f.name in present else pa.nulls(len(table), f.type)
        for f in wanted
    ]
    return pa.table(arrays, schema=pa.schema(wanted))


def latest(table: pa.Table, keys: Sequence[str]) -> pa.Table:
    """Of the rows with equal ``keys``, keep the one written last."""
    if len(table) == 0:
        return table
    numbered = table.select([*keys, "written"]).append_column("_row", pa.array(range(len(table))))
    ordered = numbered.sort_by("written")
    last = ordered.group_by(list(keys), use_threads=False).aggregate([("_row", "last")])
    return table.take(pa.array(np.sort(last["_row_last"].to_numpy())))
