"""What a worker may take, and what it means when it takes more."""

from __future__ import annotations

import select
import socket
import time
from dataclasses import dataclass
from typing import Self

from harness.environments.process import Process
from harness.errors import Lack, Reason, Status

WATCH_INTERVAL = 0.05
LOADING = 3
"""Loading a model may take this many times the limit of a call, and at least LEAST_LOADING."""

LEAST_LOADING = 60.0


class WorkerFailure(Exception):
    """A request that failed.

    Attributes:
        status: The status of the case.
        reason: A short code within the status: a :class:`Reason`, or the name of a signal.
        lack: What happened, and what to do about it.
        alive: Whether the worker can still answer requests.
    """

    def __init__(self, status: Status, reason: str, lack: Lack, *, alive: bool) -> None:
        super().__init__(str(lack))
        self.status = status
        self.reason = reason
        self.lack = lack
        self.alive = alive

    def __str__(self) -> str:
        """Everything in one line: ``out of memory: encode took 3.1 GiB of memory``."""
        return f"{self.status.words}: {self.lack}"


class WorkerGone(Exception):
    """The worker's process has ended."""


@dataclass(frozen=True)
class Limits:
    """Bounds on a worker.

    Attributes:
        call_seconds: The time limit of one encode or decode call, in seconds.
        load_seconds: The time limit of starting a worker and of loading a model, in seconds.
        memory_bytes: The limit on the resident memory of the worker and its children together, in
            bytes.
    """

    call_seconds: float
    load_seconds: float
    memory_bytes: int

    @classmethod
    def of(cls, call_seconds: float, memory_bytes: int) -> Self:
        """The limits that follow from that of a call: see :data:`LOADING`."""
        return cls(call_seconds, max(LEAST_LOADING, LOADING * call_seconds), memory_bytes)


class Watch:
    """Watches a worker while the harness waits for it; ends it when it exceeds a limit.

    Args:
        process: The worker's process.
        what: What it is doing, as messages say it.
        seconds: How long that may take.
        memory_bytes: How much memory it may take.
        late: The reason code of exceeding the time limit.
    """

    def __init__(
        self, process: Process, what: str, seconds: float, memory_bytes: int, late: str = ""
    ) -> None:
        self._process = process
        self._what = what
        self._seconds = seconds
        self._memory_bytes = memory_bytes
        self._late = late or what
        self._begun = time.monotonic()
        self.restart()

    @property
    def waited_ms(self) -> float:
        """How long the harness has waited, in ms."""
        return (time.monotonic() - self._begun) * 1e3

    def restart(self) -> None:
        """Begin the time limit anew: another call begins."""
        now = time.monotonic()
        self._deadline = now + self._seconds
        self._look_at = now + WATCH_INTERVAL

    def wait(self, sock: socket.socket, *, to_write: bool = False) -> None:
        """Wait until a socket can be read, or written.

        Raises:
            WorkerFailure: The worker exceeded a limit, and was ended.
            WorkerGone: The worker has ended, and nothing is left to be read.
        """
        while True:
            now = time.monotonic()
            if now >= self._deadline:
                problem = f"{self._what} took longer than {self._seconds:g} s"
                raise self._ended(Status.TIMEOUT, self._late, problem)
            until = min(self._look_at, self._deadline)
            ready = select.select(
                [] if to_write else [sock], [sock] if to_write else [], [], max(0, until - now)
            )
            if now >= self._look_at:
                self._look_at = now + WATCH_INTERVAL
                self._look(ready=any(ready))
            if any(ready):
                return

    def _look(self, *, ready: bool) -> None:
        used = self._process.memory_bytes() or 0
        if used > self._memory_bytes:
            problem = (
                f"{self._what} took {used / 2**30:.1f} GiB of memory, "
                f"over the limit of {self._memory_bytes / 2**30:.1f} GiB"
            )
            raise self._ended(Status.OUT_OF_MEMORY, Reason.HOST, problem)
        if not ready and self._process.has_ended():
            raise WorkerGone

    def _ended(self, status: Status, reason: str, problem: str) -> WorkerFailure:
        self._process.kill()
        return WorkerFailure(status, reason, Lack(problem), alive=False)
