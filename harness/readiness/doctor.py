"""What works on this machine, what does not, and the command that fixes it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.catalog.codecs import load_catalog
from harness.paths import cache_folder
from harness.readiness.ready import Readiness, summary

State = Literal["works", "missing", "warning"]
LOW_DISK_BYTES = 5 * 10**9


@dataclass(frozen=True)
class Finding:
    """The state of one thing.

    Attributes:
        area: ``machine``, ``codec``, ``metric``, ``data set`` or ``folder``.
        name: The thing that was examined.
        state: Whether it works.
        detail: What was seen.
        fix: The command or step that fixes it; empty where it works.
    """

    area: str
    name: str
    state: State
    detail: str
    fix: str = ""


def examine(results: Path) -> Iterator[Finding]:
    """Examine everything; nothing is downloaded, changed or left behind."""
    yield from _machine()
    yield from _folders(results)
    yield from _codecs()
    yield from _metrics()
    yield from _datasets()


def _machine() -> Iterator[Finding]:
    from harness.readiness.machine import hardware, revision

    seen = hardware()
    python = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    memory = f"{seen['memory_bytes'] / 2**30:.0f} GiB"
    yield Finding(
        "machine", "cpu", "works", f"{seen['cpu']}, {seen['usable_cores']} cores, {memory}"
    )
    yield Finding("machine", "python", "works", python)
    yield _torch()
    for gpu in seen["gpus"]:
        detail = f"{gpu['name']}, driver {gpu['driver']}"
        yield Finding("machine", "gpu", "works", detail)
    load = os.getloadavg()[0]
    if load > 0.5 * seen["usable_cores"]:
        detail = f"load average is {load:.1f}"
        yield Finding("machine", "load", "warning", detail, "close other programs before timing")
    governor = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    if governor.is_file() and (name := governor.read_text().strip()) != "performance":
        fix = "for steady timings: sudo cpupower frequency-set -g performance"
        yield Finding("machine", "cpu governor", "warning", name, fix)
    if not os.access("/proc/self/clear_refs", os.W_OK):
        detail = "the kernel does not reset peak memory; peaks are those of the whole process"
        yield Finding("machine", "memory peaks", "warning", detail)
    git = revision()
    if git["dirty"]:
        detail = f"uncommitted changes on {git['revision'][:12]}; records say so"
        yield Finding("machine", "checkout", "warning", detail, "git commit")


def _torch() -> Finding:
    if importlib.util.find_spec("torch") is None:
        return Finding(
            "machine", "torch", "missing", "not installed", "pip install torch torchvision"
        )
    import torch

    devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return Finding("machine", "torch", "works", f"{torch.__version__}, {devices} CUDA devices")


def _folders(results: Path) -> Iterator[Finding]:
    for name, folder, fix in (
        ("results", results, "name another with --results"),
        ("cache", cache_folder(), "name another with HARNESS_CACHE"),
    ):
        existing = next(p for p in (folder, *folder.absolute().parents) if p.exists())
        if not os.access(existing, os.W_OK):
            yield Finding("folder", name, "missing", f"{folder} cannot be written", fix)
            continue
        free = shutil.disk_usage(existing).free
        low = free < LOW_DISK_BYTES
        state: State = "warning" if low else "works"
        yield Finding("folder", name, state, f"{folder}, {free / 1e9:.0f} GB free", fix * low)


def _codecs() -> Iterator[Finding]:
    catalog = load_catalog()
    readiness = Readiness()
    for spec in catalog.codecs.values():
        found = list(readiness.needs(spec))
        detail = summary(found) or f"{len(spec.rates)} rate points"
        lack = next(filter(None, (need.lack for need in found)), None)
        if lack is not None:
            yield Finding("codec", spec.name, "missing", detail, lack.remedy)
        else:
            yield Finding("codec", spec.name, "works", detail)
    for name, error in catalog.broken.items():
        yield Finding("codec", name, "missing", error.problem, error.remedy)


def _metrics() -> Iterator[Finding]:
    from harness.catalog.metrics import METRICS
    from harness.metrics.scorer import Scorer

    for metric in METRICS:
        lack = Scorer.availability(metric)
        if lack is None:
            yield Finding("metric", metric, "works", "")
        else:
            yield Finding("metric", metric, "missing", lack.problem, lack.remedy)


def _datasets() -> Iterator[Finding]:
    from harness.catalog.datasets import load_datasets
    from harness.images.datasets import count_here

    catalog = load_datasets()
    for spec in catalog.datasets.values():
        count, folder = count_here(spec)
        if count >= spec.count:
            yield Finding("data set", spec.name, "works", f"{count} images in {folder}")
        else:
            detail = f"{count} of {spec.count} images are here"
            fix = f"harness run --dataset {spec.name}  # downloads; or set HARNESS_DATA to a folder"
            yield Finding("data set", spec.name, "missing", detail, fix)
    for name, error in catalog.broken.items():
        yield Finding("data set", name, "missing", error.problem, error.remedy)
