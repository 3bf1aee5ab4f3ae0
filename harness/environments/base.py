"""The interface of the environments, and how every worker is started."""

from __future__ import annotations

import os
import socket
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from harness.errors import HarnessError, Lack
from harness.paths import scratch_folder

if TYPE_CHECKING:  # listing codecs starts no worker, and must not wait for one
    from harness.environments.client import Worker
    from harness.environments.limits import Limits

THREAD_VARIABLES = (
    "HARNESS_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)  # fmt: skip

HEAP_VARIABLES = {
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),  # the most that glibc takes
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
}
"""With these a worker's heap keeps what a call frees, so that the next call finds its pages there.

Left alone, glibc decides by what was freed before, and times depend on the order of calls.
"""

PACKAGE = Path(__file__).parents[1]
"""The folder of the package ``harness``, the only part of the harness that a worker sees."""


class Environment(ABC):
    """Where an adapter's code runs."""

    @property
    @abstractmethod
    def label(self) -> str:
        """What the records say: ``inline:LIBRARY@VERSION,...``, ``venv:NAME@TAG``, ..."""

    @abstractmethod
    def lack(self) -> Lack | None:
        """Why no worker can be started here, or ``None``."""

    @abstractmethod
    def worker(
        self,
        log: Path,
        threads: int,
        limits: Limits,
        *,
        device: str = "cpu",
        reads: Sequence[Path] = (),
    ) -> AbstractContextManager[Worker]:
        """Start a worker in its own scratch folder, which is its working and temporary folder.

        Args:
            log: The file to which everything that the codec prints is appended.
            threads: The number of threads that the codec should use.
            limits: Time and memory bounds.
            device: ``cpu``, ``cuda`` or ``cuda:N``.
            reads: The files and folders that the codec reads: its adapter, upstream's checkout,
                weights. It can read only these, where the environment can enforce that.

        Raises:
            WorkerFailure: It did not start.
        """


@dataclass(frozen=True)
class Scratch:
    """A worker's scratch folder: its socket, and a folder for its temporary files."""

    folder: Path
    server: socket.socket

    @property
    def address(self) -> Path:
        """The socket to which the worker connects."""
        return self.folder / "wire"

    @property
    def temporary(self) -> Path:
        """The worker's working and temporary folder."""
        return self.folder / "tmp"

    def variables(self, threads: int) -> dict[str, str]:
        """The environment variables that every worker gets."""
        return {
            **dict.fromkeys(THREAD_VARIABLES, str(threads)),
            **HEAP_VARIABLES,
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": str(self.temporary),
        }

    @contextmanager
    def child(
        self, python: str | Path, variables: Mapping[str, str], log: Path, limits: Limits
    ) -> Iterator[Worker]:
        """A worker that is a child process: the interpreter ``python`` with these variables.

        Raises:
            HarnessError: The log cannot be written, for example because the disk is full.
        """
        from harness.environments.client import Worker
        from harness.environments.process import ChildProcess, interrupts_later

        command = [python, "-m", "harness.worker", str(self.address)]
        with ExitStack() as stack:
            with _opened(log) as output, interrupts_later():
                process = ChildProcess(command, variables, output)
                stack.callback(process.kill)
            yield stack.enter_context(Worker(process, self.server, log, limits))


def _opened(log: Path) -> IO[bytes]:
    """A log to append to; its folder is created."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        return log.open("ab")
    except OSError as error:
        raise HarnessError(
            f"the log {log} cannot be written: {error.strerror or error}",
            "free some space, or choose a writable folder, and run the same command again",
        ) from error


@contextmanager
def scratch() -> Iterator[Scratch]:
    """A scratch folder with a listening socket; removed at the end.

    Raises:
        HarnessError: The temporary folder is full, or its path too long for a socket.
    """
    with scratch_folder() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        place = Scratch(folder, server)
        try:
            place.temporary.mkdir()
            server.bind(os.fspath(place.address))
            server.listen(1)
        except OSError as error:
            raise HarnessError(
                f"the temporary folder {folder} cannot be used: {error.strerror or error}",
                "free space there, or set TMPDIR to a short path with room",
            ) from error
        yield place
