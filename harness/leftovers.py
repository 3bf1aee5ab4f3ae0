"""Names of temporary files that say which process made them, so that leftovers can be told apart.

A process that is killed removes nothing. What it left may be removed at once where its name shows
that the process is gone, and must not be touched while the process lives.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

STALE_SECONDS = 24 * 3600
"""What another machine, an earlier boot or an older harness left is removed after this time."""

_MARK = re.compile(r"(?P<machine>[0-9a-f]{8})-(?P<pid>\d+)-(?P<start>\d+)-[0-9a-f]{8}(?:\.part)?$")


def mark() -> str:
    """A unique ending for the name of a temporary file of this process."""
    return f"{_machine()}-{os.getpid()}-{_start(os.getpid())}-{secrets.token_hex(4)}"


def is_abandoned(path: Path) -> bool:
    """Whether the process that made a temporary file or folder is gone.

    A file without the mark of a process, or with one of another machine, counts as abandoned a day
    after it was changed.
    """
    found = _MARK.search(path.name)
    if found and found["machine"] == _machine():
        return _start(int(found["pid"])) != int(found["start"])
    try:
        return time.time() - path.lstat().st_mtime > STALE_SECONDS
    except OSError:
        return False  # gone already


def abandoned_parts(folder: Path) -> Iterator[Path]:
    """The half-written files, at any depth, that killed processes left in a folder."""
    for place, _, names in os.walk(folder):
        for name in names:
            if name[0] == "." and name.endswith((".part", ".tmp")):
                path = Path(place, name)
                if is_abandoned(path):
                    yield path


def remove_parts(folder: Path) -> None:
    """Remove the half-written files that killed processes left in a folder, at any depth."""
    for path in abandoned_parts(folder):
        with contextlib.suppress(OSError):
            path.unlink()


def remove_folders(parent: Path) -> None:
    """Remove the temporary folders in ``parent`` that killed processes left."""
    with contextlib.suppress(OSError):
        for path in parent.iterdir():
            if _MARK.search(path.name) and is_abandoned(path):
                remove_tree(path)


def remove_tree(folder: Path) -> None:
    """Remove a folder with what is in it, also where its owner may not write; never fails."""
    for _ in range(2):
        shutil.rmtree(folder, ignore_errors=True)
        for path, _, _ in os.walk(folder):
            with contextlib.suppress(OSError):
                Path(path).chmod(0o700)


@functools.cache
def _machine() -> str:
    """What process ids are unique in: a boot of a machine, and a namespace of process ids in it."""
    facts = []
    with contextlib.suppress(OSError):
        facts.append(Path("/proc/sys/kernel/random/boot_id").read_text())
    with contextlib.suppress(OSError):
        facts.append(str(Path("/proc/self/ns/pid").readlink()))
    return hashlib.sha256("".join(facts).encode()).hexdigest()[:8]


def _start(pid: int) -> int:
    """When a process began, in clock ticks since the boot; 0 if there is none with that id."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return 0
    state, *fields = text[text.rindex(b")") + 2 :].split()
    return 0 if state in {b"Z", b"X"} else int(fields[18])
