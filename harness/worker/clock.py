"""Wall time of one call, with the device synchronised before and after.

Runs inside any codec's environment: standard library only, and torch only if the codec has
imported it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def synchronize() -> None:
    """Wait until every CUDA device that this process uses has finished its work."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        for index in range(torch.cuda.device_count()):
            torch.cuda.synchronize(index)


def timed(call: Callable[[], T]) -> tuple[T, float]:
    """Call ``call``; return its result and the wall time in milliseconds."""
    synchronize()
    start = time.perf_counter()
    result = call()
    synchronize()
    return result, (time.perf_counter() - start) * 1e3
