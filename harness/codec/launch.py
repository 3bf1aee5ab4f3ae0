"""Runs one program and reports its exit status, time and peak memory.

Started as ``python -I -S launch.py REPORT PROGRAM ARGUMENT...``, a process of its own: Linux
counts the memory of the process that forks into the peak of the program it starts, and this one
is small (some 10 MB, which is then the least that is reported).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
NOT_STARTED = 127


def main() -> None:
    """Run ``sys.argv[2:]`` and write the report to the file ``sys.argv[1]``."""
    report, *command = sys.argv[1:]
    die_with_parent()
    start = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        become(command)
    _, status, usage = os.wait4(pid, 0)
    ms = (time.perf_counter() - start) * 1e3
    exit_code = os.waitstatus_to_exitcode(status)
    with open(report, "w") as file:  # noqa: PTH123 - pathlib would cost memory that is reported
        json.dump({"exit_code": exit_code, "ms": ms, "peak_rss": usage.ru_maxrss * 1024}, file)


def become(command: list[str]) -> None:
    """Turn this process into the program."""
    die_with_parent()
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    os._exit(NOT_STARTED)


def die_with_parent() -> None:
    """Ask Linux to kill this process when the one that started it ends."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
