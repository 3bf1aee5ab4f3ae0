"""sha256 of files, remembered: weights are gigabytes, and every plan asks for their identity."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

from harness.paths import cache_folder

SMALL_BYTES = 1 << 24
"""Up to this size a file is read again: that is as quick as looking it up."""


def sha256_of(path: Path) -> str:
    """sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remembered_sha256(path: Path) -> str:
    """The same, read once for each state of the file: its path, size and modification time."""
    path = path.absolute()
    status = path.stat()
    if status.st_size <= SMALL_BYTES:
        return sha256_of(path)
    state = [str(path), status.st_size, status.st_mtime_ns]
    name = hashlib.sha256(str(path).encode()).hexdigest()[:32]
    memory = cache_folder() / "digests" / f"{name}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads(memory.read_text(encoding="utf-8"))
        if known["state"] == state:
            return str(known["sha256"])
    digest = sha256_of(path)
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time and no more
        memory.parent.mkdir(parents=True, exist_ok=True)
        part = memory.with_suffix(".part")
        part.write_text(json.dumps({"state": state, "sha256": digest}), encoding="utf-8")
        part.replace(memory)
    return digest
