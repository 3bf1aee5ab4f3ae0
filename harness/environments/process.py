"""A worker's process as the harness sees it: how to watch it, end it and learn how it ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Exit:
    """How a process ended.

    Attributes:
        code: The exit code; ``-n`` where signal ``n`` ended it.
        out_of_memory: Whether the kernel ended it because memory ran out.
    """

    code: int
    out_of_memory: bool


class Process(Protocol):
    """A worker's process, wherever it runs."""

    def memory_bytes(self) -> int | None:
        """Resident memory of the process and everything that it started, in bytes, or ``None``.

        ``None`` where something else enforces the limit, so that the harness need not watch it.
        """

    def wait(self, seconds: float) -> Exit | None:
        """How the process ended, or ``None`` if it is still running after ``seconds``."""

    def kill(self) -> None:
        """End the process and everything that it started; return when it is gone."""


class ChildProcess:
    """A child process of the harness, the leader of a process group of its own."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        self.pid = child.pid
        self._oom_kills = _oom_kills()

    def memory_bytes(self) -> int:
        """Resident memory of the child and its descendants; shared pages are counted for each."""
        return _resident_bytes(self.pid)

    def wait(self, seconds: float) -> Exit | None:
        """See :class:`Process`."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(timeout=seconds)
        code = self._child.poll()
        if code is None:
            return None
        return Exit(code, code == -signal.SIGKILL and _oom_kills() > self._oom_kills)

    def kill(self) -> None:
        """See :class:`Process`."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._child.wait()


def _resident_bytes(root: int) -> int:
    page = os.sysconf("SC_PAGE_SIZE")
    total = 0
    for pid in _family(root):
        with contextlib.suppress(OSError, IndexError, ValueError):
            fields = Path(f"/proc/{pid}/statm").read_text().split()
            total += int(fields[1]) * page
    return total


def _family(pid: int) -> list[int]:
    members = [pid]
    for child in _children(pid):
        members += _family(child)
    return members


def _children(pid: int) -> list[int]:
    """The children of every thread of a process; cheap, as it is read during timed calls."""
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in path.read_text().split()]
    return found


def _oom_kills() -> int:
    """How many processes the kernel has ended since boot because memory ran out."""
    for path in ("/sys/fs/cgroup/memory.events", "/proc/vmstat"):
        with contextlib.suppress(OSError):
            for line in Path(path).read_text().splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return 0
