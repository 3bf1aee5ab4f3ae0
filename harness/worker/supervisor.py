"""The process between the harness and a codec: nothing that the codec starts outlives it.

It becomes the parent of every process that loses its own (a *child subreaper*), so that all that
the codec started, in whatever session, stays its descendant: the harness counts their memory, and
when the codec's process ends, or the harness does, they are killed. What the codec prints goes
through it to the log, which has a limit.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import shutil
import signal
import socket
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path

from harness.worker import family

LOG_BYTES = 64 * 10**6
"""The most that a log holds of what a codec prints, in bytes."""

CUT = b"\n[the log is cut here: it holds at most 64 MB; what the codec printed next is left out]\n"
CHUNK = 1 << 16
PIPEFULS = 16
"""How many chunks a pipe holds at most."""

END_SECONDS = 10.0


def supervise(sock: socket.socket, scratch: Path, serve: Callable[[], None]) -> None:
    """Run ``serve`` in a child process; end, as it ended, when it or the harness has ended.

    Standard output must be the log. Does not return.

    Args:
        sock: The connection to the harness, which ``serve`` uses.
        scratch: The folder to remove if the harness is gone.
        serve: What the child does.
    """
    harness = os.getppid()
    family.adopt_orphans()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    wake = _wake_on(signal.SIGCHLD, signal.SIGCONT, signal.SIGTERM)
    printed, prints = os.pipe()
    child = _fork(serve, prints)
    os.close(prints)
    log = Log(printed)
    poll = select.poll()
    poll.register(sock, select.POLLRDHUP)
    poll.register(wake, select.POLLIN)
    poll.register(printed, select.POLLIN)
    status = None
    while status is None:
        ready = {fd for fd, _ in poll.poll()}
        if wake in ready:
            os.read(wake, CHUNK)
        if printed in ready and log.copy() == 0:
            poll.unregister(printed)
        status = _reap(child)
        if sock.fileno() in ready or os.getppid() != harness:
            break
    family.end_all(partial(family.descendants, os.getpid()), END_SECONDS)
    for _ in range(PIPEFULS):
        if not log.copy():
            break
    if os.getppid() != harness or _hung_up(sock):
        shutil.rmtree(scratch, ignore_errors=True)
    _end_like(_reap(child) if status is None else status)


class Log:
    """Copies a pipe to standard output, up to the log's limit."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        about = os.fstat(1)
        self._left = LOG_BYTES - (about.st_size if stat.S_ISREG(about.st_mode) else 0)
        self._cut = self._left < 0
        os.set_blocking(pipe, False)

    def copy(self) -> int | None:
        """Copy some of what is in the pipe; how much, 0 at its end, ``None`` if nothing is."""
        try:
            data = os.read(self._pipe, CHUNK)
        except BlockingIOError:
            return None
        with contextlib.suppress(OSError):  # a full disk must not stop the codec
            if len(data) <= self._left:
                os.write(1, data)
            elif not self._cut:
                os.write(1, data[: self._left] + CUT)
                self._cut = True
        self._left -= len(data)
        return len(data)


def _fork(serve: Callable[[], None], output: int) -> int:
    """Start the child that serves, its output going to ``output``."""
    parent = os.getpid()
    if child := os.fork():
        return child
    family.signal_when_parent_dies(signal.SIGKILL, parent)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGCONT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    os.dup2(output, 1)
    os.dup2(output, 2)
    with contextlib.suppress(OSError):  # the kernel is to end this process first
        Path("/proc/self/oom_score_adj").write_text("1000")
    serve()
    raise SystemExit


def _wake_on(*numbers: signal.Signals) -> int:
    """A file descriptor that can be read once one of the signals has arrived."""
    wake, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    for number in numbers:
        signal.signal(number, lambda *_: None)
    return wake


def _reap(child: int) -> int | None:
    """Collect every process that has ended; the status of ``child`` if it is among them."""
    found = None
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            if pid == child:
                found = status
    return found


def _hung_up(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLRDHUP)
    return bool(poll.poll(0))


def _end_like(status: int | None) -> None:
    """End this process by the same exit code or signal."""
    code = os.waitstatus_to_exitcode(status) if status is not None else 1
    if code < 0:
        with contextlib.suppress(OSError, ValueError):  # of SIGKILL, there is nothing to reset
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else 128 - code)
