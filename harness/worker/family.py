"""The processes that a process has started, as Linux shows them, and how to end them all."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PAUSE = 0.002

_libc = ctypes.CDLL(None)


def signal_when_parent_dies(number: signal.Signals, parent: int) -> None:
    """Have Linux send this process a signal when its parent dies; end if that has happened.

    The request survives ``exec``, not ``fork``.
    """
    _libc.prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose parent ends, whatever session it is in."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1)


def descendants(pid: int) -> list[int]:
    """The ids of everything that a process started and that is still its descendant."""
    found: list[int] = []
    pending = [pid]
    while pending:
        children = list(_children(pending.pop()))
        found += children
        pending += children
    return found


def resident_bytes(pids: Iterable[int]) -> int:
    """Resident memory of processes, in bytes; pages that they share are counted for each."""
    page = os.sysconf("SC_PAGE_SIZE")
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, IndexError, ValueError):
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page
    return total


def end_all(find: Callable[[], Iterable[int]], seconds: float) -> bool:
    """Kill what ``find`` returns until it returns nothing that lives; whether that was reached.

    A process may start others while this looks, hence the repetition.
    """
    deadline = time.monotonic() + seconds
    while alive := [pid for pid in find() if is_alive(pid)]:
        for pid in alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE)
    return True


def is_alive(pid: int) -> bool:
    """Whether a process exists and is more than an exit code that nobody has read."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in {"Z", "X"}


def with_variable(name: str, value: str) -> list[int]:
    """The ids of this user's processes that were started with an environment variable."""
    wanted = os.fsencode(f"{name}={value}")
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def _children(pid: int) -> Iterator[int]:
    """The children of every thread of a process; cheap, as it is read during timed calls."""
    with contextlib.suppress(OSError):  # it may end at any of these steps
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - the quicker one
            with contextlib.suppress(OSError):
                children = Path(f"/proc/{pid}/task/{thread}/children").read_text()
                yield from map(int, children.split())
