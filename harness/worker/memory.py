"""Peak memory of one call: resident memory of the process, and the device allocator's peaks.

Runs inside any codec's environment: standard library only, and torch only if the codec has
imported it.
"""

from __future__ import annotations

import contextlib
import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Peaks:
    """Peaks of one call, in bytes; device figures are ``None`` if no device was used."""

    rss: int
    device: int | None = None
    device_reserved: int | None = None


def _cuda() -> Any | None:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return None
    return torch.cuda


def reset_peaks() -> None:
    """Reset the peaks of resident memory (Linux 4.0 and later) and of each device."""
    # Where the kernel refuses, the peak is that since the process started: an upper bound.
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    if cuda := _cuda():
        for index in range(cuda.device_count()):
            cuda.reset_peak_memory_stats(index)


def read_peaks() -> Peaks:
    """The peaks since :func:`reset_peaks`, summed over the devices."""
    rss = _high_water_mark()
    if not (cuda := _cuda()):
        return Peaks(rss)
    devices = range(cuda.device_count())
    return Peaks(
        rss,
        sum(cuda.max_memory_allocated(i) for i in devices),
        sum(cuda.max_memory_reserved(i) for i in devices),
    )


def _high_water_mark() -> int:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
