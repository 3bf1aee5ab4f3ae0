"""Unpacks bundles, which may come from anyone; see :mod:`harness.store.bundle`.

Before anything is unpacked, names that lead outside or that no bundle has are refused, and links,
encrypted or doubled members, members that overlap, and those that expand more than
:data:`harness.store.bundle.EXPANSION` times; so a bundle of n bytes never takes more than
``EXPANSION * n`` of the disk. While it is unpacked, each member must turn out to have the size and
the sha256 that are listed.
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
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.paths import scratch_folder
from harness.store.bundle import BITSTREAMS, EXPANSION, FORMAT, LIST, PACKED, VERSION, blocks

LIST_BYTES = 1 << 26
SHA256 = re.compile(r"[0-9a-f]{64}")


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
        for block in blocks(member):
            size += len(block)
            if size > info.file_size:
                raise _refused(bundle, f"{info.filename!r} is larger than is listed")
            digest.update(block)
            file.write(block)
    if size != info.file_size or digest.hexdigest() != sha256:
        raise _refused(bundle, f"{info.filename!r} does not have the sha256 that is listed")
