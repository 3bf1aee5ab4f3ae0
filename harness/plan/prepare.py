"""Resolves a request: reads manifests, finds the data, and plans every case."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from harness.catalog.codec_spec import CodecSpec, RateSpec
from harness.catalog.codecs import load_catalog, select
from harness.catalog.metrics import metric_named
from harness.errors import HarnessError, Lack
from harness.images.datasets import Dataset, resolve
from harness.images.resolution import Resolution, parse
from harness.plan.cases import Model, Plan, make_plan
from harness.plan.request import Request, Settings
from harness.readiness.devices import device_of, require_device
from harness.readiness.identity import code_digest
from harness.readiness.machine import total_memory
from harness.readiness.ready import Readiness

MEMORY_SHARE = 0.9
"""The share of the machine's memory that a codec may use if no limit is requested."""


@dataclass
class Prepared:
    """A resolved request: its codecs, data sets and cases.

    Attributes:
        request: The request itself.
        settings: How to measure.
        codecs: The codecs, in the order to run.
        by_name: Whether any codec was requested by name, rather than through ``all``.
        datasets: The data sets.
        plan: The cases.
        broken: Adapters whose manifests cannot be read, with the error; empty if codecs were named.
    """

    request: Request
    settings: Settings
    codecs: list[CodecSpec]
    by_name: bool
    datasets: list[Dataset]
    plan: Plan
    broken: dict[str, HarnessError] = field(default_factory=dict)


def prepare(request: Request) -> Prepared:
    """Resolve a request. Downloads data sets if allowed; starts no codec.

    Raises:
        HarnessError: A name is unknown, a value is not valid, or data is missing.
    """
    settings = settings_of(request)
    resolutions = parse(request.resolution)
    catalog = load_catalog()
    codecs, by_name = select(catalog, request.codec)
    datasets = _distinct(
        [resolve(name, download=request.download, limit=request.limit) for name in request.dataset]
    )
    models = [model for codec in codecs for model in models_of(codec, request.rate, settings)]
    plan = make_plan(models, datasets, resolutions, settings)
    if not plan.cases:
        raise HarnessError.of(_nothing(plan, resolutions))
    broken: dict[str, HarnessError] = {} if by_name else {**catalog.broken}
    return Prepared(request, settings, codecs, by_name, datasets, plan, broken)


def models_of(codec: CodecSpec, rates: Sequence[str], settings: Settings) -> Iterator[Model]:
    """The models of a codec at the requested rate points, each with what it needs here.

    Args:
        codec: What its manifest states.
        rates: Ids of rate points; all when empty.
        settings: How to measure.

    Raises:
        UnknownName: The codec has no such rate point.
    """
    readiness = Readiness(
        weights=settings.weights, device=settings.device, environment=settings.environment
    )
    chosen = [codec.rate(name) for name in rates] or list(codec.rates)
    chosen.sort(key=codec.rates.index)
    code = code_digest(codec)
    for group in [tuple(chosen)] if codec.progressive else [(rate,) for rate in chosen]:
        yield Model(
            codec,
            group,
            readiness.mode_of(codec),
            _identity(readiness, codec, group[-1]),
            code,
            device_of(codec, settings.device),
            # A progressive codec always encodes at its last rate point.
            readiness.of(codec, codec.rates if codec.progressive else group),
        )


def _identity(readiness: Readiness, codec: CodecSpec, rate: RateSpec) -> str:
    weights = readiness.weights(codec, rate)
    return "" if isinstance(weights, Lack) else weights.identity


def settings_of(request: Request) -> Settings:
    """How to measure, with this machine's values where the request names none.

    Raises:
        HarnessError: A value is not valid, or the device is not there.
    """
    metrics = [metric_named(name).name for name in request.metric]
    if request.repeats < 1 or request.warmup < 0 or request.timeout <= 0:
        raise HarnessError(
            "--repeats must be at least 1, --warmup at least 0 and --timeout above 0"
        )
    if request.limit is not None and request.limit < 1:
        raise HarnessError("--limit must be at least 1")
    require_device(request.device)
    memory = (request.memory_limit or 0) * 2**30 or total_memory() * MEMORY_SHARE
    return Settings(
        device=request.device,
        threads=request.threads or len(os.sched_getaffinity(0)),
        weights=request.weights,
        upsample=request.upsample,
        metrics=tuple(dict.fromkeys(metrics)),
        repeats=request.repeats,
        warmup=request.warmup,
        timeout=request.timeout,
        memory_bytes=int(memory),
        keep=request.keep,
        environment=request.environment,
    )


def _distinct(datasets: list[Dataset]) -> list[Dataset]:
    """The data sets, refused if two share a name: their records could not be distinguished."""
    names = [dataset.name for dataset in datasets]
    if doubled := next((name for name in names if names.count(name) > 1), None):
        raise HarnessError(
            f"two data sets are called '{doubled}'",
            "name each one once, and rename a folder that has another data set's name",
        )
    return datasets


def _nothing(plan: Plan, resolutions: Sequence[Resolution]) -> Lack:
    asked = ", ".join(str(r) for r in resolutions)
    problem = f"nothing to measure at {asked}"
    if plan.skipped:
        first, *others = plan.skipped
        more = f" (and {len(others)} more)" if others else ""
        problem = f"no image can be measured: {first.image}{more}: {first.reason}"
    if any(skip.resolution != "native" for skip in plan.skipped):
        return Lack(problem, "choose a smaller --resolution, or allow --upsample")
    return Lack(problem, "name another --dataset or --codec")
