"""Starts the harness quickly and often, and kills it where it is told to.

A run of four small cases takes a second, but importing what it needs takes four. So one process
imports everything, and forks for every command; what it forks is a process like any other, in a
session of its own, that carries out the command line.

A :class:`Trap` kills such a process at the n-th step that touches a file: Python announces each
(``sys.addaudithook``) before it is made. So every boundary between two steps can be met, without a
change to what is attacked.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[1]

IMPORTED = (
    *("harness.cli.run", "harness.cli.progress", "harness.cli.log", "harness.cli.table"),
    *("harness.measure.runner", "harness.measure.scoring", "harness.metrics.scorer"),
    *("harness.plan.prepare", "harness.report", "harness.environments.client"),
    *("pytorch_msssim", "pyarrow.parquet", "pandas", "PIL.PngImagePlugin", "scipy.stats"),
)
"""What a run needs, and the modules that take longest. The rest is imported as it is needed."""

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
STEPS = {
    "open": 0, "os.rename": 1, "os.remove": 0, "os.mkdir": 0, "os.rmdir": 0, "os.truncate": 0,
    "os.link": 1, "os.symlink": 1, "os.chmod": 0, "sqlite3.connect": 0, "shutil.rmtree": 0,
}  # fmt: skip
"""The audit events that are steps, and which of their arguments is the path that changes."""


@dataclass(frozen=True)
class Trap:
    """Where a process is killed.

    Attributes:
        step: The number of the step, from 1, that it does not make.
        delay: How long it lives on after that step began, in seconds; not at all if 0.
    """

    step: int
    delay: float = 0.0


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: The exit code; ``-n`` where signal ``n`` ended it.
        output: What it printed.
        steps: The steps that it made, or began, each as ``os.rename cases/x.parquet``.
    """

    code: int
    output: str
    steps: tuple[str, ...]


class Launched:
    """A command that was started."""

    def __init__(self, launcher: Launcher, pid: int, output: Path, trace: Path) -> None:
        self.pid = pid
        self._launcher = launcher
        self._output = output
        self._trace = trace

    def wait(self, seconds: float = 240.0) -> Ended | None:
        """Wait until it ends; ``None`` if it has not after ``seconds``."""
        code = self._launcher.ask({"wait": self.pid, "seconds": seconds})["code"]
        if code is None:
            return None
        steps = tuple(self._trace.read_text(errors="replace").splitlines())
        return Ended(code, self._output.read_text(errors="replace"), steps)

    def ended(self) -> Ended:
        """How it ended; one that hangs is ended, and says so.

        Raises:
            AssertionError: It had to be ended.
        """
        if (ended := self.wait()) is None:
            self.kill()
            said = self._output.read_text(errors="replace")
            raise AssertionError(f"the command hangs; it printed:\n{said}")
        return ended

    def kill(self) -> None:
        """End its process group with SIGKILL."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait()


class Launcher:
    """A process that forks for every command. A context manager."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="launcher-")
        self._count = 0
        single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._server = subprocess.Popen(
            [sys.executable, "-m", "campaigns.launcher"],
            cwd=ROOT,
            env={**os.environ, **single},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        watched: Path,
        trap: Trap | None = None,
    ) -> Launched:
        """Start ``harness ARGUMENTS``.

        Args:
            arguments: The command line, without the program's name.
            environment: All environment variables.
            watched: The folder in which steps count.
            trap: Where to kill it.
        """
        self._count += 1
        output, trace = (
            Path(self._folder.name) / f"{self._count}.{what}" for what in ("output", "trace")
        )
        request = {
            "arguments": [*arguments],
            "environment": {**environment},
            "watched": str(watched),
            "trap": asdict(trap) if trap else None,
            "output": str(output),
            "trace": str(trace),
        }
        return Launched(self, self.ask(request)["pid"], output, trace)

    def run(self, arguments: Sequence[str], environment: Mapping[str, str], watched: Path) -> Ended:
        """Carry out ``harness ARGUMENTS``."""
        return self.start(arguments, environment, watched).ended()

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The server's answer to a request."""
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        answer: dict[str, Any] = json.loads(self._server.stdout.readline())
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server.stdin
        self._server.stdin.close()
        self._server.wait()
        self._folder.cleanup()


def _serve() -> None:
    """Answer requests, each one line of JSON, until the other side is gone."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for name in IMPORTED:
        __import__(name)
    gc.freeze()
    requests = sys.stdin
    while line := requests.readline():
        request = json.loads(line)
        if "wait" in request:
            answer: dict[str, Any] = {"code": _wait(request["wait"], request["seconds"])}
        elif (pid := os.fork()) == 0:
            _carry_out(request)
        else:
            answer = {"pid": pid}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _wait(pid: int, seconds: float) -> int | None:
    """The exit code of a child, or ``None`` if it still runs after ``seconds``."""
    watched = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(watched, select.POLLIN)
        if not poll.poll(seconds * 1e3):
            return None
    finally:
        os.close(watched)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _carry_out(request: Mapping[str, Any]) -> None:
    """Become the process that carries out a command; does not return."""
    os.setsid()
    os.closerange(3, 256)
    for target, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, request["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND),
    ):
        file = os.open(path, flags)
        os.dup2(file, target)
        os.close(file)
    os.dup2(1, 2)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["watched"])
    tempfile.tempdir = None
    sys.argv = ["harness", *request["arguments"]]
    trap = Trap(**request["trap"]) if request["trap"] else None
    sys.addaudithook(_Steps(request["watched"], Path(request["trace"]), trap))

    from harness.cli import main

    code: object = 0
    try:
        main(request["arguments"])
    except SystemExit as exit_:
        code = exit_.code
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
        code = 1
    # What ends with the interpreter ends here; to free all that was imported takes a second.
    atexit._run_exitfuncs()  # noqa: SLF001
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


class _Steps:
    """Notes the steps within a folder, and kills the process at one of them."""

    def __init__(self, watched: str, trace: Path, trap: Trap | None) -> None:
        self._inside = watched + os.sep
        self._trace = os.open(trace, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._trap = trap
        self._count = 0

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Called by Python before the step is made."""
        if event == "subprocess.Popen":
            self._step(event, "")
        elif event in STEPS:
            if event == "open" and not (arguments[2] or 0) & WRITES:
                return
            path = arguments[STEPS[event]]
            if isinstance(path, bytes | os.PathLike):
                path = os.fsdecode(path)
            if isinstance(path, str) and (path.startswith(self._inside) or path[0] != os.sep):
                self._step(event, path.removeprefix(self._inside))

    def _step(self, event: str, path: str) -> None:
        self._count += 1
        os.write(self._trace, f"{event} {path}\n".encode(errors="replace"))
        if self._trap and self._count == self._trap.step:
            if not self._trap.delay:
                os.kill(os.getpid(), signal.SIGKILL)
            threading.Thread(target=_kill_after, args=[self._trap.delay], daemon=True).start()


def _kill_after(seconds: float) -> None:
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    _serve()
