"""A bundle: the records of runs in one archive, small enough to sit beside a paper.

A bundle is a ZIP archive with a folder for each run, as in a results folder, and ``bundle.json``,
which lists the size and sha256 of every other member. It holds what is in :data:`PACKED`, byte for
byte, and the bitstreams if asked. The same files give the same bytes: names are sorted, times are
fixed.

A bundle may come from anyone: :mod:`harness.store.unpack` believes nothing of it.
"""

from __future__ import annotations

import hashlib
import json
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from harness.errors import HarnessError
from harness.paths import whole
from harness.store.integrity import check_files
from harness.store.shards import unwritable

PACKED = ("cards", "cases", "logs", "runs", "scores", "store.json")
"""What is packed of a run."""

BITSTREAMS = "bitstreams"
LIST = "bundle.json"
FORMAT = "codec-harness bundle"
VERSION = 1
"""Raised when an older harness could misread what is packed."""

EXPANSION = 100
"""By how much a member may expand at most; what would expand more is packed as it is."""

COMPRESSED = {".parquet", ".bin", ".png"}
"""Endings of files that a second compression would not make smaller."""

BLOCK = 1 << 20
TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a ZIP archive can state; all members have it."""


@dataclass(frozen=True)
class Packed:
    """What was packed: the archive's size in bytes, and how many files of how many runs."""

    bytes: int
    files: int
    runs: int


def pack(runs: Mapping[str, Path], out: Path, *, bitstreams: bool = False) -> Packed:
    """Pack runs into an archive, which appears complete or not at all.

    Args:
        runs: The runs' folders, by the runs' names.
        out: The archive.
        bitstreams: Whether bitstreams are packed, too.

    Raises:
        HarnessError: A file is damaged or went away meanwhile, or the archive cannot be written.
    """
    for run, folder in runs.items():
        _refuse_damaged(run, folder)
    kinds = (*PACKED, BITSTREAMS) if bitstreams else PACKED
    members = {
        f"{run}/{path.relative_to(folder).as_posix()}": path
        for run, folder in runs.items()
        for kind in kinds
        for path in _files(folder / kind)
    }
    try:
        with whole(out) as part:
            with zipfile.ZipFile(part, "w") as archive:
                listed = {name: _pack(archive, name, members[name]) for name in sorted(members)}
                document = {"format": FORMAT, "version": VERSION, "files": listed}
                data = json.dumps(document, indent=1, sort_keys=True).encode()
                archive.writestr(_info(LIST, zipfile.ZIP_DEFLATED), data)
            size = part.stat().st_size
    except FileNotFoundError as error:
        raise HarnessError(
            f"{error.filename} went away while it was packed",
            "wait until the run that writes there is done",
        ) from error
    except UnicodeEncodeError as error:
        raise HarnessError(
            f"the name {error.object!r} cannot stand in an archive", "rename the folder of the run"
        ) from error
    except OSError as error:
        raise unwritable(out, error) from error
    return Packed(size, len(members), len(runs))


def _refuse_damaged(run: str, folder: Path) -> None:
    """A bundle states that its files are what was written; so they must be that when packed."""
    damaged = [check for check in check_files(folder) if check.verdict == "damaged"]
    if damaged:
        more = f" (and {len(damaged) - 1} more)" if damaged[1:] else ""
        raise HarnessError(
            f"{run}/{damaged[0].path} is damaged{more}: {damaged[0].detail}",
            "give the run's own command again, which sets it aside and measures its cases anew",
        )


def _files(place: Path) -> list[Path]:
    """The files of a run's folder that are packed: no links, nothing that is still written."""
    if place.is_file() and not place.is_symlink():
        return [place]
    return [
        path
        for path in place.rglob("*")
        if path.is_file() and not path.is_symlink() and not path.name.startswith(".")
    ]


def _info(name: str, method: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, TIME)
    info.compress_type = method
    info.create_system = 3  # Unix, whatever this is
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    return info


def _pack(archive: zipfile.ZipFile, name: str, path: Path) -> dict[str, Any]:
    size, digest = 0, hashlib.sha256()
    info = _info(name, _method(path))
    info.file_size = path.stat().st_size
    with path.open("rb") as source, archive.open(info, "w") as member:
        for block in blocks(source):
            size += len(block)
            digest.update(block)
            member.write(block)
    return {"bytes": size, "sha256": digest.hexdigest()}


def _method(path: Path) -> int:
    """How a file is packed: as it is where compression gains nothing, or more than may expand."""
    if path.suffix in COMPRESSED:
        return zipfile.ZIP_STORED
    size = small = 0
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    with path.open("rb") as source:
        for block in blocks(source):
            size += len(block)
            small += len(packer.compress(block))
    small += len(packer.flush())
    return zipfile.ZIP_DEFLATED if small < size <= EXPANSION * small else zipfile.ZIP_STORED


def blocks(source: IO[bytes]) -> Iterator[bytes]:
    """What is left of a file, in pieces of at most :data:`BLOCK` bytes."""
    while block := source.read(BLOCK):
        yield block
