"""Describes the machine of a measurement: enough to decide whether two speeds can be compared."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

PACKAGES = (
    "numpy", "torch", "torchvision", "pillow", "pillow-heif", "pillow-jxl-plugin", "lpips",
    "DISTS_pytorch", "pytorch-msssim", "pyiqa", "calflops", "bjontegaard", "pandas", "pyarrow",
)  # fmt: skip
"""The packages whose versions are recorded in a run's manifest."""


def describe() -> dict[str, Any]:
    """CPU, memory, GPUs with driver, clocks and power limit, versions and git revision.

    Nothing on the machine is changed; what cannot be read is ``None``.
    """
    return {
        "hardware": hardware(),
        "system": {
            "os": platform.platform(),
            "kernel": platform.release(),
            "python": platform.python_version(),
        },
        "cpu_governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "load_average": os.getloadavg(),
        "packages": {name: _version(name) for name in PACKAGES},
        "harness": {"version": _version("codec-harness"), **revision()},
        "argv": sys.argv,
    }


def hardware() -> dict[str, Any]:
    """The hardware that decides speed: the first part of :func:`describe`."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)),
        "memory_bytes": total_memory(),
        "gpus": _gpus(),
    }


def fingerprint(machine: dict[str, Any]) -> str:
    """A short id of what decides the speed of every codec: hardware, driver, Python and torch.

    Speeds with equal ids may be compared. Clocks are left out, because they vary by themselves, and
    so are other packages: those that a codec needs are in its record's ``environment``.
    """
    keep = {k: v for k, v in machine["hardware"].items() if k != "gpus"}
    gpus = machine["hardware"]["gpus"]
    keep["gpus"] = [{k: g[k] for k in ("name", "memory_bytes", "driver")} for g in gpus]
    keep["python"] = machine["system"]["python"]
    keep["torch"] = machine["packages"]["torch"]
    return hashlib.sha256(json.dumps(keep, sort_keys=True).encode()).hexdigest()[:12]


def total_memory() -> int:
    """The memory of this machine, or the limit of our control group if lower, in bytes."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _read("/sys/fs/cgroup/memory.max")
    return min(physical, int(limit)) if limit and limit.isdigit() else physical


def gpu_count() -> int:
    """How many GPUs the driver shows."""
    return len(_gpus())


def revision() -> dict[str, Any]:
    """The git revision of the harness's checkout and whether it has uncommitted changes."""
    folder = Path(__file__).parent.parent.parent
    if not (folder / ".git").exists():
        return {"revision": None, "dirty": None}
    head = _output(["git", "-C", str(folder), "rev-parse", "HEAD"])
    status = _output(["git", "-C", str(folder), "status", "--porcelain", "--untracked-files=no"])
    return {"revision": head, "dirty": None if status is None else bool(status)}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None


def _output(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _cpu_model() -> str:
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _gpus() -> list[dict[str, Any]]:
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # noqa: BLE001 - no driver, no library, no permission: all mean "no GPU seen"
        return []
    try:
        return [_gpu(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount())]
    finally:
        pynvml.nvmlShutdown()


def _gpu(nvml: Any, index: int) -> dict[str, Any]:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)

    def ask(function: str, *arguments: Any) -> Any:
        try:
            return getattr(nvml, function)(handle, *arguments)
        except nvml.NVMLError:
            return None

    return {
        "name": ask("nvmlDeviceGetName"),
        "memory_bytes": getattr(ask("nvmlDeviceGetMemoryInfo"), "total", None),
        "driver": nvml.nvmlSystemGetDriverVersion(),
        "sm_clock_mhz": ask("nvmlDeviceGetClockInfo", nvml.NVML_CLOCK_SM),
        "memory_clock_mhz": ask("nvmlDeviceGetClockInfo", nvml.NVML_CLOCK_MEM),
        "power_limit_mw": ask("nvmlDeviceGetPowerManagementLimit"),
    }
