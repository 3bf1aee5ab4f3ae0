"""What a user requests from ``run`` and ``plan``, and how it is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict

from harness.catalog.codec_spec import EnvironmentName
from harness.catalog.metrics import METRICS

Keep = Literal["all", "bitstreams", "none"]
"""What is kept beside the records once a case is scored."""


@dataclass(frozen=True)
class Request:
    """What a user requests from ``run`` and ``plan``: the command line's options, one for one.

    The command line takes names, types and defaults from here.

    Attributes:
        codec: Codec names, ``name@checkpoint``, or ``all``.
        dataset: Names of data sets, or folders of images.
        rate: Ids of rate points; all of each codec when empty.
        resolution: ``native``, or ``HxW``, height and width in pixels; commas between several.
        metric: Names of metrics, with hyphens or underscores; none when empty.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        limit: Measure only the first ``limit`` images of each data set; all when ``None``.
        repeats: The least number of timed calls for each case, at least 1. Calls of up to 50 ms get
            more (:mod:`harness.worker.timing`).
        warmup: The least number of untimed calls before the first timed one, for each image size in
            a process.
        timeout: The time limit of one encode or decode call, in seconds, above 0.
        weights: Which weights a network runs with. Random ones give true speed and memory, but
            their records enter no quality table.
        results: The results folder.
        name: The run's folder within it.
        threads: The number of threads that a codec should use; all usable cores when ``None``.
        memory_limit: The limit on the resident memory of a codec's processes, in GiB, above 0;
            :data:`harness.plan.prepare.MEMORY_SHARE` of the machine's when ``None``.
        keep: What is kept beside the records once a case is scored: bitstreams and reconstructions,
            bitstreams alone, or nothing.
        upsample: Whether images smaller than the resolution are enlarged instead of skipped.
        environment: Where codecs whose manifest names an environment run; ``auto`` is what
            ``HARNESS_ENVIRONMENT`` names, or else what is built.
        download: Whether missing data sets may be downloaded.
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
    keep: Keep = "all"
    upsample: bool = False
    environment: EnvironmentName = "auto"
    download: bool = True

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.results.expanduser() / self.name


class RunOptions(TypedDict, total=False):
    """The fields of a request that :func:`harness.run` takes besides codecs, data and metrics."""

    device: str
    limit: int | None
    repeats: int
    warmup: int
    timeout: float
    weights: Literal["pretrained", "random"]
    name: str
    threads: int | None
    memory_limit: float | None
    keep: Keep
    upsample: bool
    environment: EnvironmentName
    download: bool


@dataclass(frozen=True)
class Settings:
    """How to measure: a request's values, checked, with this machine's in place of defaults.

    Attributes:
        device: ``cpu``, ``cuda`` or ``cuda:N``. With ``threads``, ``weights`` and ``upsample``
            part of a case's identity.
        threads: The number of threads that the codec should use.
        weights: Which weights networks run with.
        upsample: Whether images that are too small are enlarged.
        metrics: The metrics to score.
        repeats: The least number of timed calls per case.
        warmup: The least number of untimed calls before the first timed one, for each image size in
            a process.
        cap_seconds: A case is not repeated after a call that took longer, in seconds.
        timeout: The time limit of one call, in seconds.
        memory_bytes: The limit on the resident memory of a codec's processes, in bytes.
        keep: What is kept beside the records.
        environment: Where codecs whose manifests name an environment run.
    """

    device: str = Request.device
    threads: int = 1
    weights: Literal["pretrained", "random"] = Request.weights
    upsample: bool = Request.upsample
    metrics: tuple[str, ...] = ()
    repeats: int = Request.repeats
    warmup: int = Request.warmup
    cap_seconds: float | None = None
    timeout: float = Request.timeout
    memory_bytes: int = 1 << 40
    keep: Keep = Request.keep
    environment: EnvironmentName = Request.environment

    @property
    def cap_ms(self) -> float | None:
        """The longest call after which a case is still repeated, in milliseconds."""
        return None if self.cap_seconds is None else self.cap_seconds * 1e3
