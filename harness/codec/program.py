"""Runs a program for a codec; reports how it ended, what it printed, its time and its memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.codec import CodecError, Unavailable, launch

LAST_LINES = 5


@dataclass(frozen=True)
class Ended:
    """A program that has run.

    Attributes:
        exit_code: As it exited; the negative number of the signal that ended it.
        output: What it printed, errors included.
        ms: Wall time in milliseconds, from its start to its end.
        peak_rss_bytes: Its peak resident memory.
    """

    exit_code: int
    output: str
    ms: float
    peak_rss_bytes: int

    def __str__(self) -> str:
        """How it ended, as a phrase, with the last lines that it printed."""
        if self.exit_code < 0:
            return f"was ended by signal {-self.exit_code}: {last_lines(self.output)}"
        return f"exited with {self.exit_code}: {last_lines(self.output)}"


def run(command: Sequence[str], folder: Path) -> Ended:
    """Run ``command`` in ``folder``, in which a file ``report.json`` is left.

    Raises:
        Unavailable: The program could not be started.
        CodecError: It was killed together with the process that had started it.
    """
    report_file = folder / "report.json"
    launched = subprocess.run(
        [sys.executable, "-I", "-S", launch.__file__, str(report_file), *command],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    output = launched.stdout.decode(errors="replace")
    if not report_file.is_file():
        raise CodecError(f"{command[0]} was killed together with what had started it")
    report = json.loads(report_file.read_text())
    report_file.unlink()
    if report["exit_code"] == launch.NOT_STARTED:
        raise Unavailable(f"program {output.strip() or command[0]}", "install it, or correct PATH")
    return Ended(report["exit_code"], output, report["ms"], report["peak_rss"])


def last_lines(output: str) -> str:
    """The last lines that a program printed, in one."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return " | ".join(lines[-LAST_LINES:]) or "it printed nothing"
