"""The ``inline`` environment: a child process of the harness's own interpreter."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.worker.client import Limits, Worker

THREAD_VARIABLES = (
    "HARNESS_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)  # fmt: skip


@contextmanager
def worker(log: Path, threads: int, limits: Limits) -> Iterator[Worker]:
    """A worker in a scratch folder of its own, which is its working and temporary folder.

    Args:
        log: The file to which all that the codec prints is appended.
        threads: How many threads the codec is to use.
        limits: Time and memory bounds.

    Raises:
        WorkerFailure: It did not start.
    """
    scratch = Path(tempfile.mkdtemp(prefix="harness-"))
    address = scratch / "wire"
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        server.bind(str(address))
        server.listen(1)
        (scratch / "tmp").mkdir()
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "harness.worker", str(address)],
                cwd=scratch / "tmp",
                env=_environment(scratch / "tmp", threads),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        with Worker(process, server, log, limits) as running:
            yield running
    finally:
        server.close()
        shutil.rmtree(scratch, ignore_errors=True)


def _environment(temporary: Path, threads: int) -> dict[str, str]:
    package_parent = str(Path(__file__).parents[2])
    inherited = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        **dict.fromkeys(THREAD_VARIABLES, str(threads)),
        "PYTHONPATH": os.pathsep.join(filter(None, [package_parent, inherited])),
        "PYTHONUNBUFFERED": "1",
        "TMPDIR": str(temporary),
    }
