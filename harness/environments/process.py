"""A worker's process as the harness sees it: how to watch it, end it and learn how it ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Protocol

from harness.codec.program import oom_kills
from harness.worker import family

END_SECONDS = 10.0
GRACE_SECONDS = 2.0
"""How long a supervisor may take to write the end of the log."""


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

    def has_ended(self) -> bool:
        """Whether it is known to have ended; asked often. A container's end closes its socket."""

    def wait(self, seconds: float) -> Exit | None:
        """How the process ended, or ``None`` if it is still running after ``seconds``."""

    def kill(self) -> None:
        """End the process and everything that it started; return when it is gone."""


class ChildProcess:
    """A supervised child process of the harness (see :mod:`harness.worker.supervisor`).

    Attributes:
        pid: The id of its supervisor.

    Args:
        command: What it runs.
        variables: Its environment variables, with ``TMPDIR`` a folder of its own.
        output: The file to which its output goes.
    """

    def __init__(
        self, command: Sequence[str | Path], variables: Mapping[str, str], output: IO[bytes]
    ) -> None:
        self._temporary = variables["TMPDIR"]
        self._oom_kills = oom_kills()
        self._is_over = False
        self._child = subprocess.Popen(
            command,
            cwd=self._temporary,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # From its first moment. SIGCONT wakes one that somebody stopped; it then sees that the
            # harness is gone, and ends what it started.
            preexec_fn=partial(  # noqa: PLW1509 - it calls the kernel, and takes no lock
                family.signal_when_parent_dies, signal.SIGCONT, os.getpid()
            ),
        )
        self.pid = self._child.pid

    def memory_bytes(self) -> int:
        """Resident memory of all that the child started, which is the worker and its children."""
        return family.resident_bytes(family.descendants(self.pid))

    def has_ended(self) -> bool:
        """See :class:`Process`."""
        return self._child.poll() is not None

    def wait(self, seconds: float) -> Exit | None:
        """See :class:`Process`."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(timeout=seconds)
        code = self._child.poll()
        if code is None:
            return None
        return Exit(code, code == -signal.SIGKILL and oom_kills() > self._oom_kills)

    def kill(self) -> None:
        """See :class:`Process`."""
        if self._is_over:
            return
        self._is_over = True
        if self.has_ended():
            # If the codec killed its supervisor, what it started is no longer a descendant.
            marked = partial(family.with_variable, "TMPDIR", self._temporary)
            family.end_all(marked, END_SECONDS)
            return
        family.end_all(partial(family.descendants, self.pid), END_SECONDS)
        for number in (signal.SIGTERM, signal.SIGCONT):  # it may not supervise yet, or be stopped
            self._child.send_signal(number)
        if self.wait(GRACE_SECONDS) is None:
            self._child.kill()
            self._child.wait()


@contextmanager
def interrupts_later() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM interrupt the end of the block, in place of its midst.

    Python runs hooks around a fork, and an exception that a signal raises in one of them is lost.
    """
    came: list[int] = []
    held = {}
    if threading.current_thread() is threading.main_thread():  # no other one handles signals
        for number in (signal.SIGINT, signal.SIGTERM):
            if callable(handler := signal.getsignal(number)):
                held[number] = handler
                signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
        for arrived in came:
            signal.raise_signal(arrived)
