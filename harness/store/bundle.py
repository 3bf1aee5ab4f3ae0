"""A bundle: the records of runs in one archive, small enough to sit beside a paper.

A bundle is a ZIP archive with a folder for each run, as in a results folder, and ``bundle.json``,
which lists the size and sha256 of every other member. It holds what is in :data:`PACKED`, byte for
byte, and the bitstreams if asked. The same files give the same bytes: names are sorted, times are
fixed.

A bundle may come from anyone. Before anything is unpacked, :func:`unpack` refuses names that lead
outside or that no bundle has, links, encrypted or doubled members, members that overlap, and those
that expand more than :data:`EXPANSION` times; so a bundle of n bytes never takes more than
``EXPANSION * n`` of the disk. While it unpacks, each member must turn out to have the size and the
sha256 that are listed.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from harness.errors import HarnessError
from harness.paths import scratch_folder, whole
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

LIST_BYTES = 1 << 26
COMPRESSED = {".parquet", ".bin", ".png"}
"""Endings of files that a second compression would not make smaller."""

BLOCK = 1 << 20
TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a ZIP archive can state; all members have it."""

SHA256 = re.compile(r"[0-9a-f]{64}")


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


@contextmanager
def results_folder(path: Path) -> Iterator[Path]:
    """The results folder behind a path: the path itself, or a bundle's content, unpacked meanwhile.

    Raises:
        HarnessError: It is a file, and no bundle that can be trusted to hold what was packed.
    """
    if not path.is_file():
        yield path
        return
    with scratch_folder() as folder:
        unpack(path, folder)
        yield folder


def unpack(bundle: Path, folder: Path) -> None:
    """Unpack a bundle into an empty folder, and hold each member to its listed digest.

    Raises:
        HarnessError: It is damaged, is no bundle, or holds what no bundle may.
    """
    try:
        with zipfile.ZipFile(bundle) as archive:
            listed = _listed(archive, bundle)
            members = [info for info in archive.infolist() if info.filename != LIST]
            _check(members, listed, bundle)
            needed = sum(info.file_size for info in members)
            if needed > shutil.disk_usage(folder).free:
                raise HarnessError(f"{bundle} takes {needed:,} bytes when it is unpacked", _ROOM)
            for info in members:
                _extract(archive, info, listed[info.filename]["sha256"], bundle, folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise _refused(bundle, str(error)) from error
    except OSError as error:
        raise HarnessError(
            f"{bundle} cannot be unpacked: {error.strerror or error}", _ROOM
        ) from error


_ROOM = "free space in the temporary folder, or set TMPDIR to another one"


def _refused(bundle: Path, reason: str) -> HarnessError:
    problem = f"{bundle} is damaged, or is no bundle of results: {reason}"
    return HarnessError(problem, "get it again, or name a results folder")


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
        for block in _blocks(source):
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
        for block in _blocks(source):
            size += len(block)
            small += len(packer.compress(block))
    small += len(packer.flush())
    return zipfile.ZIP_DEFLATED if small < size <= EXPANSION * small else zipfile.ZIP_STORED


def _blocks(source: BinaryIO | Any) -> Iterator[bytes]:
    while block := source.read(BLOCK):
        yield block


def _listed(archive: zipfile.ZipFile, bundle: Path) -> dict[str, dict[str, Any]]:
    """The files that the bundle lists, with ``bytes`` and ``sha256`` of each."""
    try:
        info = archive.getinfo(LIST)
    except KeyError:
        raise _refused(bundle, f"it has no {LIST}") from None
    _check_member(info, bundle)
    if info.file_size > LIST_BYTES:
        raise _refused(bundle, f"{LIST} is larger than {LIST_BYTES} bytes")
    try:
        document = json.loads(archive.read(info))
        version, listed = int(document["version"]), document["files"]
        known = document["format"] == FORMAT and all(_is_entry(e) for e in listed.values())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _refused(bundle, f"{LIST} cannot be read ({error})") from error
    if version > VERSION:
        raise HarnessError(
            f"{bundle} was packed by a newer harness",
            "upgrade with 'pip install --upgrade codec-harness'",
        )
    if not known:
        raise _refused(bundle, f"{LIST} is not that of a bundle")
    files: dict[str, dict[str, Any]] = listed
    return files


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry["bytes"], int)
        and isinstance(entry["sha256"], str)
        and SHA256.fullmatch(entry["sha256"]) is not None
    )


def _check(
    members: list[zipfile.ZipInfo], listed: Mapping[str, Mapping[str, Any]], bundle: Path
) -> None:
    """Refuse what no bundle holds, before anything is unpacked."""
    names = [info.filename for info in members]
    if len(set(names)) < len(names):
        raise _refused(bundle, "it holds two members of one name")
    if missing := listed.keys() - set(names):
        raise _refused(bundle, f"{min(missing)!r} is listed and not there")
    for info in members:
        name = info.filename
        if not _belongs(name):
            raise _refused(bundle, f"{name!r} does not belong in a bundle")
        if name not in listed:
            raise _refused(bundle, f"{name!r} is there and not listed")
        _check_member(info, bundle)
        if info.file_size != listed[name]["bytes"]:
            raise _refused(bundle, f"{name!r} is not of the size that is listed")
    if sum(info.compress_size for info in members) > bundle.stat().st_size:
        raise _refused(bundle, "its members overlap")


def _belongs(name: str) -> bool:
    """Whether a bundle has such a name: ``run/kind/...`` without a way out."""
    run, *rest = parts = name.split("/")
    plain = all(p not in {"", ".", ".."} and not re.search(r"[\\\0]", p) for p in parts)
    file = rest == ["store.json"]
    folder = len(rest) > 1 and rest[0] in {*PACKED, BITSTREAMS} - {"store.json"}
    return bool(run) and plain and (file or folder)


def _check_member(info: zipfile.ZipInfo, bundle: Path) -> None:
    name, kind = info.filename, stat.S_IFMT(info.external_attr >> 16)
    if kind not in {0, stat.S_IFREG}:
        raise _refused(bundle, f"{name!r} is a link or something else that is no file")
    if info.flag_bits & 1 or info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise _refused(bundle, f"{name!r} is encrypted, or packed in a way that no bundle is")
    if info.file_size > EXPANSION * info.compress_size:
        raise _refused(bundle, f"{name!r} would expand more than {EXPANSION} times")


def _extract(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, sha256: str, bundle: Path, folder: Path
) -> None:
    path = folder / info.filename
    path.parent.mkdir(parents=True, exist_ok=True)
    size, digest = 0, hashlib.sha256()
    with archive.open(info) as member, path.open("xb") as file:
        for block in _blocks(member):
            size += len(block)
            if size > info.file_size:
                raise _refused(bundle, f"{info.filename!r} is larger than is listed")
            digest.update(block)
            file.write(block)
    if size != info.file_size or digest.hexdigest() != sha256:
        raise _refused(bundle, f"{info.filename!r} does not have the sha256 that is listed")
