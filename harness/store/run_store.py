"""One run's folder: what is finished in it, and the only way to write to it.

::

    <results>/<name>/
        store.json            the schema version
        runs/<id>.json        one manifest per invocation: the request, and the machine
        cases/*.parquet       what was measured
        scores/*.parquet      the metrics
        cards/<id>.json       the metrics' identity cards
        bitstreams/           codec/rate/data set/resolution/image
        reconstructions/      the same, PNG
        logs/                 what the codecs printed

Shards are only ever added, complete; merging replaces several by one with the same rows. So any
process may be killed at any time, and several may work in one folder at once.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from harness.errors import HarnessError
from harness.store import schema
from harness.store.records import CaseRecord, ScoreRecord
from harness.store.shards import (
    DamagedShard,
    latest,
    list_shards,
    read_shard,
    write_bytes,
    write_shard,
)

MERGE_FROM = 64
STALE_SECONDS = 24 * 3600
LONGEST_NAME = 240
"""In bytes, of 255 that a file's name may have: the rest is for a case's digits and a suffix."""


@dataclass
class CaseState:
    """What the folder holds about one case.

    Attributes:
        status: How it ended.
        message: The message of its record.
        repeats: The number of timed calls with which it was measured.
        written: When its row was written, in ns.
        cards: For each metric that has a value, or will never have one, the id of its identity
            card.
        blank: The metrics that were attempted but are unavailable.
        scored: When the row of each of the ``cards`` was written, in ns.
    """

    status: str
    message: str | None
    repeats: int
    written: int
    cards: dict[str, str] = field(default_factory=dict)
    blank: set[str] = field(default_factory=set)
    scored: dict[str, int] = field(default_factory=dict)


class RunStore:
    """A run's folder, opened for writing, and an index of what is finished in it."""

    def __init__(self, folder: Path, *, create: bool = True) -> None:
        """Open the folder and read the index. With ``create``, a missing folder is created.

        Raises:
            HarnessError: It cannot be written, or a newer harness wrote it.
        """
        self.folder = folder
        self.states: dict[str, CaseState] = {}
        self.damaged: list[DamagedShard] = []
        self._seen: set[Path] = set()
        check_version(folder)
        if create and not (folder / "store.json").is_file():
            write_json(folder / "store.json", {"schema": schema.SCHEMA_VERSION})
        if create:
            self._clean()
        self.refresh()

    def refresh(self) -> None:
        """Read the shards written since the last time, by this process or another."""
        for path in list_shards(self.folder / "cases"):
            if (table := self._read(path, schema.CASES, CASE_INDEX)) is not None:
                self._index_cases(table)
        for path in list_shards(self.folder / "scores"):
            if (table := self._read(path, schema.SCORES, SCORE_INDEX)) is not None:
                self._index_scores(table)

    def add_cases(self, records: Iterable[CaseRecord]) -> None:
        """Write one shard of measured cases."""
        table = _table(records, schema.CASES)
        self._seen.add(write_shard(self.folder / "cases", table))
        self._index_cases(table)

    def add_scores(self, records: Iterable[ScoreRecord]) -> None:
        """Write one shard of scores."""
        table = _table(records, schema.SCORES)
        self._seen.add(write_shard(self.folder / "scores", table))
        self._index_scores(table)

    def merge(self) -> None:
        """Merge many shards into one, so that a folder of many runs still opens quickly.

        The merged shard is written before the others are removed: a kill in between leaves
        duplicate rows, of which readers keep one.
        """
        for name, columns, keys in (
            ("cases", schema.CASES, ["case"]),
            ("scores", schema.SCORES, ["case", "metric"]),
        ):
            paths = list_shards(self.folder / name)
            if len(paths) < MERGE_FROM:
                continue
            tables = [columns.empty_table()]
            for path in paths:
                with suppress(FileNotFoundError):  # another process has merged it
                    tables.append(read_shard(path, columns))
            merged = latest(pa.concat_tables(tables), keys)
            self._seen.add(write_shard(self.folder / name, merged))
            for path in paths:
                path.unlink(missing_ok=True)

    def write_manifest(self, invocation: str, manifest: Mapping[str, Any]) -> None:
        """Write an invocation's manifest."""
        write_json(self.folder / "runs" / f"{invocation}.json", manifest)

    def write_card(self, card_id: str, card: Mapping[str, Any]) -> None:
        """Write an identity card, unless it is there already."""
        path = self.folder / "cards" / f"{card_id}.json"
        if not path.is_file():
            write_json(path, card)

    def file(self, kind: str, place: Iterable[str], case: str, suffix: str) -> Path:
        """Where a case's bitstream or reconstruction is, under names that people can browse."""
        *folders, image = map(_file_name, place)
        return self.folder.joinpath(kind, *folders, f"{image}.{case[:8]}{suffix}")

    def reconstruction(self, place: Iterable[str], case: str) -> Path:
        """Where the image that a case was decoded to lies, or would lie."""
        return self.file("reconstructions", place, case, ".png")

    def _read(self, path: Path, columns: pa.Schema, names: list[str]) -> pa.Table | None:
        if path in self._seen:
            return None
        self._seen.add(path)
        try:
            return read_shard(path, columns, names)
        except FileNotFoundError:
            return None  # merged by another process; its rows are in the merged shard
        except DamagedShard as error:
            self.damaged.append(error)
            with suppress(OSError):
                path.rename(path.with_suffix(".damaged"))
            return None

    def _index_cases(self, table: pa.Table) -> None:
        columns = [table[name].to_pylist() for name in CASE_INDEX]
        for case, *rest in zip(*columns, strict=True):
            new = CaseState(*rest)
            old = self.states.get(case)
            if old is None:
                self.states[case] = new
            elif old.written <= new.written:
                # Measured again: the scores of the reconstruction it replaces no longer hold.
                if old.written == new.written:
                    new.cards, new.blank, new.scored = old.cards, old.blank, old.scored
                self.states[case] = new

    def _index_scores(self, table: pa.Table) -> None:
        cases, finals, times = (table[name].to_pylist() for name in ("case", "final", "written"))
        metrics, cards = _repeated(table["metric"]), _repeated(table["card"])
        for case, metric, final, card, written in zip(
            cases, metrics, finals, cards, times, strict=True
        ):
            state = self.states.get(case)
            if state is None or written < state.written:
                continue
            if not final:
                state.blank.add(metric)
            elif state.scored.get(metric, 0) <= written:
                state.cards[metric], state.scored[metric] = card, written

    def _clean(self) -> None:
        """Remove temporary files left by killed processes, once they must be unused."""
        for folder in ("cases", "scores", "runs", "cards"):
            for path in (self.folder / folder).glob(".*.part"):
                with suppress(OSError):
                    if time.time() - path.stat().st_mtime > STALE_SECONDS:
                        path.unlink()


CASE_INDEX = ["case", "status", "message", "repeats", "written"]
SCORE_INDEX = ["case", "metric", "final", "card", "written"]


def _file_name(name: str) -> str:
    """A name as that of a file or folder: one part of a path, with room for a case and a suffix.

    A name that is too long is cut and followed by the first digits of its sha256.
    """
    plain = re.sub(r"[^\w.@+-]+", "_", name)
    if not plain.strip("."):
        return "_"
    encoded = plain.encode()
    if len(encoded) <= LONGEST_NAME:
        return plain
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    return f"{encoded[: LONGEST_NAME - 17].decode(errors='ignore')}.{digest}"


def _repeated(column: pa.ChunkedArray) -> list[str]:
    """A column of few different strings, each of which is one object however often it stands."""
    whole = column.combine_chunks().dictionary_encode()
    words = np.array([*whole.dictionary.to_pylist(), ""], dtype=object)  # the last for null
    repeated: list[str] = words[whole.indices.fill_null(-1).to_numpy()].tolist()
    return repeated


def _table(records: Iterable[CaseRecord | ScoreRecord], columns: pa.Schema) -> pa.Table:
    now = time.time_ns()
    return pa.Table.from_pylist([{**vars(record), "written": now} for record in records], columns)


def check_version(folder: Path) -> None:
    """Refuse a folder whose schema is newer than this harness.

    Raises:
        HarnessError: It is newer, or ``store.json`` cannot be read.
    """
    path = folder / "store.json"
    try:
        version = int(json.loads(path.read_text())["schema"])
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HarnessError(
            f"{path} cannot be read ({error})",
            f'write {{"schema": {schema.SCHEMA_VERSION}}} into it, or use another folder',
        ) from error
    if version > schema.SCHEMA_VERSION:
        raise HarnessError(
            f"{folder} was written by a newer harness (schema {version}, this one reads "
            f"{schema.SCHEMA_VERSION})",
            "upgrade with 'pip install --upgrade codec-harness', or use another folder",
        )


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write a JSON file completely or not at all."""
    write_bytes(path, json.dumps(data, indent=2, default=str).encode())
