"""One timed codec at a time on a machine: a lock, released when the process that holds it ends."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def machine_to_itself(waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the user's lock on this machine; ``waiting`` is called once if another run holds it."""
    path = Path(tempfile.gettempdir()) / f"codec-harness-{os.getuid()}.lock"
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
