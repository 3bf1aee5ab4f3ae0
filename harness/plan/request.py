"""What a user asks for, resolved: manifests read, data at hand, every case known."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from harness.assets.datasets import Dataset, resolve
from harness.assets.digests import remembered_sha256
from harness.catalog.codec_spec import CodecSpec, EnvironmentName, RateSpec
from harness.catalog.codecs import load_catalog, select
from harness.catalog.metrics import METRICS
from harness.environments import missing
from harness.errors import HarnessError, UnknownName
from harness.images.resolution import Resolution, parse
from harness.plan.cases import (
    Plan,
    Settings,
    device_for,
    label,
    make_plan,
    weights_mode,
    wrong_device,
)
from harness.readiness.parts import changed_checkout

MEMORY_SHARE = 0.9
"""The share of the machine's memory that a codec may take where no limit is asked for."""


@dataclass(frozen=True)
class Request:
    """What a user asks of ``run`` and ``plan``: the options of the command line, one for one.

    The command line takes names, types and defaults from here.

    Attributes:
        codec: Codec names, ``name@checkpoint``, or ``all``.
        dataset: Names of data sets, or folders of images.
        rate: Ids of rate points; all of each codec when empty.
        resolution: ``native``, or height x width in pixels as ``HxW``; commas between several.
        metric: Names of metrics, hyphens or underscores; none when empty.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        limit: How many images of each data set, from the first on; all when ``None``.
        repeats: Timed calls for each case, at least 1.
        warmup: Untimed calls before the first timed one, for each image size in a process.
        timeout: The longest that one encode or decode call may take, in seconds, above 0.
        weights: Which weights a network runs with. Random ones give true speed and memory, and
            their records enter no quality table.
        results: The results folder.
        name: The run's folder within it.
        threads: How many threads a codec is asked to use; all usable cores when ``None``.
        memory_limit: The most resident memory of a codec's processes, in GiB, above 0;
            ``MEMORY_SHARE`` of the machine's when ``None``.
        keep: What stays beside the records once a case is scored: bitstreams and reconstructions,
            bitstreams alone, or nothing.
        upsample: Whether images smaller than the resolution are enlarged, instead of skipped.
        environment: Where a codec runs whose manifest names an environment; ``auto`` is what
            ``HARNESS_ENVIRONMENT`` names, or else what is built.
        download: Whether data sets that are not here may be downloaded.
    """

    codec: Sequence[str] = ("all",)
    dataset: Sequence[str] = ("sample",)
    rate: Sequence[str] = ()
    resolution: str = "native"
    metric: Sequence[str] = tuple(METRICS)
    device: str = "cpu"
    limit: int | None = None
    repeats: int = 1
    warmup: int = 1
    timeout: float = 600.0
    weights: Literal["pretrained", "random"] = "pretrained"
    results: Path = Path("results")
    name: str = "default"
    threads: int | None = None
    memory_limit: float | None = None
    keep: Literal["all", "bitstreams", "none"] = "all"
    upsample: bool = False
    environment: EnvironmentName = "auto"
    download: bool = True

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.results.expanduser() / self.name


@dataclass
class Prepared:
    """A request, resolved: manifests read, data at hand, cases known."""

    request: Request
    settings: Settings
    codecs: list[CodecSpec]
    by_name: bool
    datasets: list[Dataset]
    plan: Plan
    broken: dict[str, str] = field(default_factory=dict)


def prepare(request: Request) -> Prepared:
    """Resolve a request. Downloads data sets where allowed; starts no codec.

    Raises:
        HarnessError: A name is unknown, a value makes no sense, or data is missing.
    """
    settings = _settings(request)
    resolutions = parse(request.resolution)
    catalog = load_catalog()
    codecs, by_name = select(catalog, request.codec)
    datasets = [
        resolve(name, download=request.download, limit=request.limit) for name in request.dataset
    ]
    _distinct(datasets)
    checkpoints: dict[tuple[str, Path | None, str], str] = {}
    refused: dict[str, str] = {}
    for codec in codecs:
        if reason := missing(codec, request.environment) or changed_checkout(codec):
            refused[label(codec)] = reason
        try:
            for rate in codec.rates:
                identity = checkpoint(codec, rate, settings)
                checkpoints[codec.name, codec.checkpoint, rate.id] = identity
        except HarnessError as error:
            refused[label(codec)] = str(error)
    plan = make_plan(codecs, datasets, resolutions, request.rate, settings, checkpoints, refused)
    if not plan.cases:
        raise HarnessError(_nothing(plan, resolutions), _nothing_remedy(plan))
    broken = {} if by_name else {name: str(error) for name, error in catalog.broken.items()}
    return Prepared(request, settings, codecs, by_name, datasets, plan, broken)


def _distinct(datasets: Sequence[Dataset]) -> None:
    """Refuse two data sets whose records could not be told apart."""
    names = [dataset.name for dataset in datasets]
    if doubled := next((name for name in names if names.count(name) > 1), None):
        raise HarnessError(
            f"two data sets are called '{doubled}'",
            "name each once, and rename a folder that bears another's name",
        )


def checkpoint(codec: CodecSpec, rate: RateSpec, settings: Settings) -> str:
    """The identity of a rate point's weights: the file's name and its sha256, or ``random``.

    Raises:
        HarnessError: A file is not the one that the manifest names by its sha256.
    """
    if weights_mode(codec, settings) != "pretrained":
        return "random" if codec.network else ""
    if codec.checkpoint is not None:
        return f"{codec.checkpoint.name}:{remembered_sha256(codec.checkpoint)[:16]}"
    paths = codec.weights_paths(rate)
    if not all(path.is_file() for path in paths.values()):
        return ""  # unavailable; the plan says why
    digests = weights_digests(codec, rate)
    one = digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    return f"{codec.weights_of(rate)[0].file}:{one[:16]}" if digests else ""


def weights_digests(codec: CodecSpec, rate: RateSpec) -> list[str]:
    """The sha256 of each weights file of a rate point, all of which are here.

    Raises:
        HarnessError: A file has not the sha256 or the size that the manifest states.
    """
    paths = codec.weights_paths(rate)
    digests = []
    for weights in codec.weights_of(rate):
        path = paths[weights.file]
        digest, size = remembered_sha256(path), path.stat().st_size
        wrong = ""
        if weights.sha256 not in {None, digest}:
            wrong = f"sha256 is {digest[:16]}..., not {str(weights.sha256)[:16]}..."
        elif weights.size not in {None, size}:
            wrong = f"size is {size} bytes, not {weights.size}"
        if wrong:
            raise HarnessError(
                f"weights {path} are truncated or of another version: their {wrong}",
                "delete the file and get it again",
            )
        digests.append(digest)
    return digests


def _settings(request: Request) -> Settings:
    from harness.readiness.machine import total_memory

    for metric in request.metric:
        if metric.replace("-", "_") not in METRICS:
            raise UnknownName("metric", metric, METRICS, "'harness list metrics' shows all")
    if request.repeats < 1 or request.warmup < 0 or request.timeout <= 0:
        raise HarnessError(
            "--repeats must be at least 1, --warmup at least 0 and --timeout above 0"
        )
    if request.limit is not None and request.limit < 1:
        raise HarnessError("--limit must be at least 1")
    check_device(request.device)
    usable = len(os.sched_getaffinity(0))
    memory = (request.memory_limit or 0) * 2**30 or total_memory() * MEMORY_SHARE
    return Settings(
        device=request.device,
        threads=request.threads or usable,
        weights=request.weights,
        upsample=request.upsample,
        metrics=tuple(dict.fromkeys(m.replace("-", "_") for m in request.metric)),
        repeats=request.repeats,
        warmup=request.warmup,
        timeout=request.timeout,
        memory_bytes=int(memory),
        keep=request.keep,
        environment=request.environment,
    )


def device_here(codec: CodecSpec, device: str) -> str:
    """Where a codec runs when ``device`` is asked for.

    Raises:
        HarnessError: The device is not there, or the codec does not run on it.
    """
    check_device(device)
    chosen = device_for(codec, device)
    if reason := wrong_device(codec, chosen):
        problem, _, remedy = reason.partition("; ")
        raise HarnessError(problem, remedy)
    return chosen


def check_device(device: str) -> None:
    """Refuse a device that is not there.

    Raises:
        HarnessError: It is neither ``cpu`` nor a CUDA device of this machine.
    """
    kind, _, index = device.partition(":")
    if kind == "cpu" and not index:
        return
    if kind != "cuda" or (index and not index.isdigit()):
        raise HarnessError(f"unknown device {device!r}", "use cpu, cuda or cuda:N")
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(index or 0) >= count:
        raise HarnessError(
            f"device {device!r} is not there: PyTorch sees {count} CUDA devices",
            "use --device cpu, or install a PyTorch that matches the driver",
        )


def _nothing(plan: Plan, resolutions: Sequence[Resolution]) -> str:
    if plan.skipped:
        first = plan.skipped[0]
        more = f" (and {len(plan.skipped) - 1} more)" if plan.skipped[1:] else ""
        return f"no image can be measured: {first.image}{more}: {first.reason}"
    asked = ", ".join(str(r) for r in resolutions)
    return f"nothing to measure at {asked}"


def _nothing_remedy(plan: Plan) -> str:
    if any(skip.resolution != "native" for skip in plan.skipped):
        return "choose a smaller --resolution, or allow --upsample"
    return "name another --dataset or --codec"
