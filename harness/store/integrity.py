"""Whether the files of a run's folder are those that were written: digests alone, no decoding.

Logs are not checked, as no number comes from them; nor are files that were set aside.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from harness.leftovers import abandoned_parts
from harness.store import schema
from harness.store.documents import DamagedDocument, is_sealed
from harness.store.files import CASE_DIGITS, portable
from harness.store.shards import DamagedShard, latest, list_shards, read_shard, stated_digest

Verdict = Literal["intact", "damaged", "missing", "unverified", "leftover"]

DAMAGED = "damaged"
"""The folder, in that of a run, into which a run moves damaged files."""

_NEEDED = ["case", "codec", "rate", "dataset", "resolution", "image", "bitstream_sha256",
           "reconstruction_sha256", "kept_bytes", "invocation", "written"]  # fmt: skip


@dataclass(frozen=True)
class FileCheck:
    """What was found about one file.

    Attributes:
        path: The file, relative to the run's folder.
        verdict: ``intact``: it is what was written. ``damaged``: it is not. ``missing``: records
            name it and it is not there. ``unverified``: it has no digest, because an older harness
            wrote it or because no record names it. ``leftover``: a killed process left it.
        bytes: Its size; 0 where it is missing.
        detail: What is wrong, or why it is not verified; empty where it is intact.
    """

    path: Path
    verdict: Verdict
    bytes: int
    detail: str = ""


def check_files(folder: Path) -> Iterator[FileCheck]:
    """Check the files of one run's folder, which is read only.

    Shards and JSON files come first, then bitstreams and reconstructions, as the records name them.

    Raises:
        OSError: A file cannot be read.
    """
    yield from _documents(folder)
    cases = [schema.CASES.empty_table().select(_NEEDED)]
    cards: set[str] = set()
    for path in list_shards(folder / "cases"):
        check, table = _shard(folder, path, schema.CASES, _NEEDED)
        yield check
        if table is not None:
            cases.append(table)
    for path in list_shards(folder / "scores"):
        check, table = _shard(folder, path, schema.SCORES, ["card"])
        yield check
        if table is not None:
            cards.update(card for card in table["card"].unique().to_pylist() if card)
    records = latest(pa.concat_tables(cases), ["case"]).to_pylist()
    yield from _missing_documents(folder, cards, {record["invocation"] for record in records})
    yield from _kept(folder, records, "bitstreams", ".bin", "bitstream_sha256")
    yield from _kept(folder, records, "reconstructions", ".png", "reconstruction_sha256")
    for path in sorted(abandoned_parts(folder)):
        size = path.stat().st_size
        yield FileCheck(path.relative_to(folder), "leftover", size, "a killed process left it")


def _documents(folder: Path) -> Iterator[FileCheck]:
    names = [folder / "store.json"]
    names += sorted((folder / "runs").glob("*.json")) + sorted((folder / "cards").glob("*.json"))
    for path in names:
        relative = path.relative_to(folder)
        try:
            size = path.stat().st_size
            if is_sealed(path):
                yield FileCheck(relative, "intact", size)
            else:
                yield FileCheck(relative, "unverified", size, "it has no digest")
        except FileNotFoundError:
            yield FileCheck(relative, "missing", 0, "each run's folder has one")
        except DamagedDocument as error:
            yield FileCheck(relative, "damaged", size, error.problem)


def _missing_documents(folder: Path, cards: set[str], runs: set[str]) -> Iterator[FileCheck]:
    for kind, names in (("cards", cards), ("runs", runs)):
        for name in sorted(names):
            if not (path := folder / kind / f"{name}.json").is_file():
                yield FileCheck(path.relative_to(folder), "missing", 0, "records name it")


def _shard(
    folder: Path, path: Path, columns: pa.Schema, names: list[str]
) -> tuple[FileCheck, pa.Table | None]:
    relative, size = path.relative_to(folder), path.stat().st_size
    try:
        table = read_shard(path, columns, names)
    except DamagedShard as error:
        return FileCheck(relative, "damaged", size, error.problem), None
    if stated_digest(path) is None:
        return FileCheck(relative, "unverified", size, "its name holds no digest"), table
    return FileCheck(relative, "intact", size), table


def _kept(
    folder: Path, records: list[dict[str, Any]], kind: str, suffix: str, digest: str
) -> Iterator[FileCheck]:
    """The bitstreams or reconstructions: those that records name, then those that none names."""
    there: dict[tuple[str, ...], Path] = {}
    named: list[tuple[Path, str | None]] = []
    for path in (folder / kind).rglob(f"*{suffix}"):
        if path.name[0] != ".":
            there[path.relative_to(folder).parts[-len(_key({}, "")) :]] = path
    for record in records:
        key = _key(record, suffix)
        if key in there:
            named.append((there.pop(key), record[digest]))
        elif record[digest] and record["kept_bytes"]:
            expected = Path(kind, portable(record["codec"]), *key)
            yield FileCheck(expected, "missing", 0, "a record names it")
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        yield from pool.map(lambda file: _file(folder, *file), named)
    for path in sorted(there.values()):
        size = path.stat().st_size
        yield FileCheck(path.relative_to(folder), "unverified", size, "no record names it")


def _key(record: Mapping[str, Any], suffix: str) -> tuple[str, ...]:
    """The last parts of the path of a case's file."""
    rate, dataset, resolution, image, case = (
        str(record.get(name, "")) for name in ("rate", "dataset", "resolution", "image", "case")
    )
    file = f"{portable(image)}.{case[:CASE_DIGITS]}{suffix}"
    return portable(rate), portable(dataset), portable(resolution), file


def _file(folder: Path, path: Path, digest: str | None) -> FileCheck:
    relative, size = path.relative_to(folder), path.stat().st_size
    if not digest:
        return FileCheck(relative, "unverified", size, "its record holds no digest")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found == digest:
        return FileCheck(relative, "intact", size)
    return FileCheck(relative, "damaged", size, "its bytes do not match the digest in its record")
