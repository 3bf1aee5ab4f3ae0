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
        damaged/              what was found to have changed, set aside

Shards are only ever added, complete; merging replaces several by one with the same rows. So any
process may be killed at any time, and several may work in one folder at once.
"""

from __future__ import annotations

import hashlib
import time
import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from harness.errors import HarnessError
from harness.leftovers import remove_parts
from harness.store import schema
from harness.store.documents import DamagedDocument, read_json, write_json
from harness.store.files import case_file
from harness.store.integrity import DAMAGED
from harness.store.records import CaseRecord, ScoreRecord
from harness.store.shards import DamagedShard, latest, list_shards, read_shard, write_shard

MERGE_FROM = 64


@dataclass
class CaseState:
    """What the folder holds about one case.

    Attributes:
        status: How it ended.
        message: The message of its record.
        repeats: The number of timed calls with which it was measured.
        written: When its row was written, in ns.
        bitstream_sha256: The digest of its bitstream. This and the next three are known only to a
            store that is opened for writing.
        picture_sha256: The digest of its decoded picture.
        reconstruction_sha256: The digest of the PNG that is kept of it.
        kept_bytes: The size of the files that are kept of it.
        cards: For each metric that has a value, or will never have one, the id of its identity
            card.
        blank: The metrics that were attempted but are unavailable.
        scored: When the row of each of the ``cards`` was written, in ns.
    """

    status: str
    message: str | None
    repeats: int
    written: int
    bitstream_sha256: str | None = None
    picture_sha256: str | None = None
    reconstruction_sha256: str | None = None
    kept_bytes: int = 0
    cards: dict[str, str] = field(default_factory=dict)
    blank: set[str] = field(default_factory=set)
    scored: dict[str, int] = field(default_factory=dict)


class RunStore:
    """A run's folder, and an index of what is finished in it.

    Attributes:
        folder: The run's folder.
        states: What it holds about each case.
        damaged: The shards and JSON files that turned out to have changed since they were written.
    """

    def __init__(self, folder: Path, *, create: bool = True) -> None:
        """Open the folder and read the index.

        Args:
            folder: The run's folder.
            create: Whether to write to it: it is created if missing, what killed processes left in
                it is removed, and damaged files are set aside. Otherwise a warning names them.

        Raises:
            HarnessError: It cannot be written, or a newer harness wrote it.
        """
        self.folder = folder
        self.states: dict[str, CaseState] = {}
        self.damaged: list[DamagedShard | DamagedDocument] = []
        self._seen: set[Path] = set()
        self._writes = create
        self._index = [*CASE_INDEX, *(CASE_DIGESTS if create else ())]
        try:
            check_version(folder)
        except DamagedDocument as error:
            self._found(error)
        if create:
            if not (folder / "store.json").is_file():
                write_json(folder / "store.json", {"schema": schema.SCHEMA_VERSION})
            remove_parts(folder)
            self._check_documents()
        self.refresh()

    def refresh(self) -> None:
        """Read the shards written since the last time, by this process or another."""
        for path in list_shards(self.folder / "cases"):
            if (table := self._read_new(path, schema.CASES, self._index)) is not None:
                self._index_cases(table)
        for path in list_shards(self.folder / "scores"):
            if (table := self._read_new(path, schema.SCORES, SCORE_INDEX)) is not None:
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
            tables = [self._read(path, columns) for path in paths]
            if read := [table for table in tables if table is not None]:
                merged = latest(pa.concat_tables(read), keys)
                self._seen.add(write_shard(self.folder / name, merged))
            for path in paths:  # those that were damaged, or merged by another process, are gone
                path.unlink(missing_ok=True)

    def write_manifest(self, invocation: str, manifest: Mapping[str, Any]) -> None:
        """Write an invocation's manifest."""
        write_json(self.folder / "runs" / f"{invocation}.json", manifest)

    def write_card(self, card_id: str, card: Mapping[str, Any]) -> None:
        """Write an identity card, unless it is there already."""
        path = self.folder / "cards" / f"{card_id}.json"
        try:
            read_json(path)
        except (DamagedDocument, OSError):
            write_json(path, card)

    def cards_lost(self) -> set[str]:
        """The ids of the identity cards that values have and the folder has not."""
        ids = {card for state in self.states.values() for card in state.cards.values()}
        return {card for card in ids if not (self.folder / "cards" / f"{card}.json").is_file()}

    def file(self, kind: str, place: Iterable[str], case: str, suffix: str) -> Path:
        """Where a case's bitstream or reconstruction is, under names that people can browse."""
        return case_file(self.folder, kind, place, case, suffix)

    def reconstruction(self, place: Iterable[str], case: str) -> Path:
        """Where the image that a case was decoded to lies, or would lie."""
        return self.file("reconstructions", place, case, ".png")

    def has_intact_bitstream(self, place: Iterable[str], case: str) -> bool:
        """Whether the bitstream of a case is what was written; one that has changed is set aside.

        One that is not there counts as intact: it was not kept, or removed to make room.
        """
        path = self.file("bitstreams", place, case, ".bin")
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except FileNotFoundError:
            return True
        except OSError:
            digest = "unreadable"
        if digest == self.states[case].bitstream_sha256:
            return True
        self.set_aside(path)
        return False

    def set_aside(self, path: Path) -> None:
        """Move a damaged file of the folder into ``damaged/``."""
        place = self.folder / DAMAGED / path.relative_to(self.folder)
        with suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            path.replace(place)

    def forget(self, case: str) -> None:
        """Take a case for one that is not measured."""
        self.states.pop(case, None)

    def _check_documents(self) -> None:
        for kind in ("runs", "cards"):
            for path in sorted((self.folder / kind).glob("*.json")):
                try:
                    read_json(path)
                except DamagedDocument as error:
                    self._found(error)
                except OSError:
                    continue  # removed meanwhile

    def _found(self, error: DamagedShard | DamagedDocument) -> None:
        """Set a damaged file aside, or warn of it if the folder is only read."""
        self.damaged.append(error)
        if self._writes:
            self.set_aside(error.path)
        else:
            warnings.warn(str(error), stacklevel=4)

    def _read_new(self, path: Path, columns: pa.Schema, names: list[str]) -> pa.Table | None:
        if path in self._seen:
            return None
        self._seen.add(path)
        return self._read(path, columns, names)

    def _read(
        self, path: Path, columns: pa.Schema, names: list[str] | None = None
    ) -> pa.Table | None:
        """A shard; ``None`` if it is damaged, or another process has merged it with others."""
        try:
            return read_shard(path, columns, names)
        except FileNotFoundError:
            return None
        except DamagedShard as error:
            self._found(error)
            return None

    def _index_cases(self, table: pa.Table) -> None:
        columns = [table[name].to_pylist() for name in self._index]
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


CASE_INDEX = ["case", "status", "message", "repeats", "written"]
CASE_DIGESTS = ["bitstream_sha256", "picture_sha256", "reconstruction_sha256", "kept_bytes"]
SCORE_INDEX = ["case", "metric", "final", "card", "written"]


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
        DamagedDocument: ``store.json`` is not what was written.
        HarnessError: It is newer, or ``store.json`` cannot be read.
    """
    path = folder / "store.json"
    try:
        version = int(read_json(path)["schema"])
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise HarnessError(
            f"{path} cannot be read ({error.strerror})", "make it readable, or use another folder"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedDocument(path, "it states no schema") from error
    if version > schema.SCHEMA_VERSION:
        raise HarnessError(
            f"{folder} was written by a newer harness (schema {version}, this one reads "
            f"{schema.SCHEMA_VERSION})",
            "upgrade with 'pip install --upgrade codec-harness', or use another folder",
        )
