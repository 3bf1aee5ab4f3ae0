"""Runs a program for a codec; reports how it ended, what it printed, its time and its memory."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.codec import CodecError, ProgramKilled, Unavailable, launch

LAST_LINES = 5
LAST_CHARACTERS = 400

SENT_BY_OTHERS = ("SIGKILL", "SIGTERM")
"""Signals of which a program that they end cannot have said anything."""


@dataclass(frozen=True)
class Ended:
    """A program that has run.

    Attributes:
        command: The program and its arguments.
        exit_code: As it exited; the negative number of the signal that ended it.
        output: What it printed, errors included.
        ms: Wall time in milliseconds, from its start to its end.
        peak_rss_bytes: Its peak resident memory.
        out_of_memory: Whether the kernel killed it because memory ran out.
    """

    command: Sequence[str]
    exit_code: int
    output: str
    ms: float
    peak_rss_bytes: int
    out_of_memory: bool = False

    @property
    def signal(self) -> str | None:
        """The name of the signal that ended it, or ``None``."""
        if self.exit_code >= 0:
            return None
        if -self.exit_code in set(signal.Signals):
            return signal.Signals(-self.exit_code).name
        return f"signal {-self.exit_code}"

    def check_alive(self) -> None:
        """Refuse the result of a program that a signal ended.

        Raises:
            ProgramKilled: A signal did.
        """
        if self.signal:
            raise ProgramKilled(
                self.command[0],
                self.signal,
                out_of_memory=self.out_of_memory,
                printed="" if self.signal in SENT_BY_OTHERS else last_lines(self.output),
            )

    def __str__(self) -> str:
        """How it ended, as a phrase, with the last lines that it printed."""
        if self.signal:
            return f"was ended by {self.signal}: {last_lines(self.output)}"
        return f"exited with {self.exit_code}: {last_lines(self.output)}"


def run(command: Sequence[str], folder: Path) -> Ended:
    """Run ``command`` in ``folder``, in which a file ``report.json`` is left.

    Raises:
        Unavailable: The program could not be started.
        CodecError: It was killed together with the process that had started it, or the folder's
            disk is full.
    """
    report_file = folder / "report.json"
    kills = oom_kills()
    launched = subprocess.run(
        [sys.executable, "-I", "-S", launch.__file__, str(report_file), *command],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    output = launched.stdout.decode(errors="replace")
    try:
        report = json.loads(report_file.read_text())
        report_file.unlink()
    except FileNotFoundError:
        raise CodecError(f"{command[0]} was killed together with what had started it") from None
    except ValueError:
        raise CodecError(
            f"the temporary folder {folder.parent} is full: how {command[0]} ended was not written",
            "free some space, or name another folder in TMPDIR",
        ) from None
    if report["exit_code"] == launch.NOT_STARTED:
        raise Unavailable(f"program {output.strip() or command[0]}", "install it, or correct PATH")
    killed = report["exit_code"] == -signal.SIGKILL
    out_of_memory = killed and oom_kills() > kills
    return Ended(
        command, report["exit_code"], output, report["ms"], report["peak_rss"], out_of_memory
    )


def oom_kills() -> int:
    """How many processes the kernel has ended since boot because memory ran out."""
    for path in ("/sys/fs/cgroup/memory.events", "/proc/vmstat"):
        with contextlib.suppress(OSError):
            for line in Path(path).read_text().splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return 0


def last_lines(output: str) -> str:
    """The last lines that a program printed, in one."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return " | ".join(lines[-LAST_LINES:])[-LAST_CHARACTERS:] or "it printed nothing"
