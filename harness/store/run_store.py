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
from pathlib import Path
from typing import Any

import pyarrow as pa

from harness.errors import HarnessError
from harness.leftovers import remove_parts
from harness.store import schema
from harness.store.documents import DamagedDocument, read_json, write_json
from harness.store.files import case_file
from harness.store.index import SCORE_INDEX, CaseIndex, CaseState
from harness.store.integrity import ATTEMPTS, DAMAGED
from harness.store.records import CaseRecord, ScoreRecord
from harness.store.shards import DamagedShard, latest, list_shards, read_shard, write_shard

MERGE_FROM = 64


class RunStore:
    """A run's folder, and an index of what is finished in it.

    Attributes:
        folder: The run's folder.
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
        self.damaged: list[DamagedShard | DamagedDocument] = []
        self._seen: set[Path] = set()
        self._writes = create
        self._index = CaseIndex(digests=create)
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

    @property
    def states(self) -> dict[str, CaseState]:
        """What the folder holds about each case."""
        return self._index.states

    def refresh(self) -> None:
        """Read the shards written since the last time, by this process or another."""
        for _ in range(ATTEMPTS):
            if self._read_new_shards():
                return
            self._start_anew()  # another process merged shards while they were read

    def reread(self) -> None:
        """Read the index anew, after shards that were in it turned out to be damaged."""
        self._start_anew()
        self.refresh()

    def add_cases(self, records: Iterable[CaseRecord]) -> None:
        """Write one shard of measured cases."""
        table = _table(records, schema.CASES)
        self._seen.add(write_shard(self.folder / "cases", table))
        self._index.add_cases(table)

    def add_scores(self, records: Iterable[ScoreRecord]) -> None:
        """Write one shard of scores."""
        table = _table(records, schema.SCORES)
        self._seen.add(write_shard(self.folder / "scores", table))
        self._index.add_scores(table)

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
            tables = []
            for path in paths:
                with suppress(FileNotFoundError):
                    if (table := self._read(path, columns)) is not None:
                        tables.append(table)
            if tables:
                merged = latest(pa.concat_tables(tables), keys)
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
        state = self.states.get(case)
        if state is None or not state.digests.kept_bytes or state.digests.bitstream is None:
            return True
        path = self.file("bitstreams", place, case, ".bin")
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except FileNotFoundError:
            return True
        except OSError:
            digest = "unreadable"
        if digest == state.digests.bitstream:
            return True
        self.set_aside(path)
        return False

    def set_aside(self, path: Path) -> bool:
        """Move a damaged file of the folder into ``damaged/``; false if it is not there."""
        place = self.folder / DAMAGED / path.relative_to(self.folder)
        with suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            path.replace(place)
            return True
        return False

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

    def _start_anew(self) -> None:
        self._index = CaseIndex(digests=self._writes)
        self._seen.clear()

    def _read_new_shards(self) -> bool:
        """Take up the shards that were not read yet; false if one is gone meanwhile."""
        # A score is written after its case: what is listed first has all its cases in the other.
        scores, cases = list_shards(self.folder / "scores"), list_shards(self.folder / "cases")
        for paths, columns, names, take_up in (
            (cases, schema.CASES, self._index.case_columns, self._index.add_cases),
            (scores, schema.SCORES, SCORE_INDEX, self._index.add_scores),
        ):
            for path in paths:
                if path not in self._seen:
                    try:
                        table = self._read(path, columns, names)
                    except FileNotFoundError:
                        return False
                    self._seen.add(path)
                    if table is not None:
                        take_up(table)
        return True

    def _read(
        self, path: Path, columns: pa.Schema, names: list[str] | None = None
    ) -> pa.Table | None:
        """A shard; ``None`` if it is damaged.

        Raises:
            FileNotFoundError: Another process has merged it with others.
        """
        try:
            return read_shard(path, columns, names)
        except DamagedShard as error:
            self._found(error)
            return None


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
