"""One timed codec at a time on a machine: a lock, released when the process that holds it ends.

The lock is a file in a folder that belongs to the user alone, where nobody else can hold it, plant
another file in its place, or lead it elsewhere by a link. That is ``XDG_RUNTIME_DIR``, the folder
that a desktop or a login gives each user, or ``codec-harness-<user id>`` in the temporary folder.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.errors import HarnessError
from harness.text import shown

NAME = "codec-harness.lock"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_FILE = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW


@contextmanager
def machine_to_itself(waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the user's lock on this machine; ``waiting`` is called once if another run holds it.

    Raises:
        HarnessError: No private folder holds it, or what is in its place is not the user's file.
    """
    file = _opened()
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def _opened() -> int:
    """The lock's file, created where it is not there."""
    path, folder = _private_folder()
    try:
        file = os.open(NAME, _FILE, 0o600, dir_fd=folder)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "free some space there" if full else "remove it"
        raise _unusable(path / NAME, error.strerror or str(error), remedy) from error
    finally:
        os.close(folder)
    status = os.fstat(file)
    if status.st_uid != os.getuid() or not stat.S_ISREG(status.st_mode):
        os.close(file)
        raise _unusable(path / NAME, "it is not a file of yours", "remove it")
    return file


def _private_folder() -> tuple[Path, int]:
    """A folder that no other user can write to, and its descriptor."""
    if (runtime := os.environ.get("XDG_RUNTIME_DIR")) and Path(runtime).is_absolute():
        with suppress(OSError):
            folder = os.open(runtime, _FOLDER)
            if _is_private(folder):
                return Path(runtime), folder
            os.close(folder)
    path = Path(tempfile.gettempdir(), f"codec-harness-{os.getuid()}")
    remedy = "remove it, or set XDG_RUNTIME_DIR to a folder of yours of mode 0700"
    try:
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
        folder = os.open(path, _FOLDER)
    except OSError as error:
        raise _unusable(path, error.strerror or str(error), remedy) from error
    if not _is_private(folder):
        os.close(folder)
        raise _unusable(path, "others own it or may write to it", remedy)
    return path, folder


def _is_private(folder: int) -> bool:
    status = os.fstat(folder)
    return status.st_uid == os.getuid() and not stat.S_IMODE(status.st_mode) & 0o077


def _unusable(path: Path, reason: str, remedy: str) -> HarnessError:
    return HarnessError(f"the machine's lock cannot be taken in {shown(path)}: {reason}", remedy)
