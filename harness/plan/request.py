"""What a user asks of ``run`` and ``plan``, and how it is measured."""

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
            :data:`harness.plan.prepare.MEMORY_SHARE` of the machine's when ``None``.
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
    keep: Keep = "all"
    upsample: bool = False
    environment: EnvironmentName = "auto"
    download: bool = True

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.results.expanduser() / self.name


class RunOptions(TypedDict, total=False):
    """What :func:`harness.run` takes beside codecs, data and metrics: fields of a request."""

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
        threads: Threads for the codec.
        weights: Which weights networks run with.
        upsample: Whether images that are too small are enlarged.
        metrics: The metrics to score.
        repeats: Timed calls a case.
        warmup: Calls before timing, once for each size of image.
        cap_seconds: A case is not repeated after a call that took longer, in seconds.
        timeout: The longest that one call may take, in seconds.
        memory_bytes: The most memory that a codec's process may take.
        keep: What is kept beside the records.
        environment: Where codecs run whose manifests name an environment.
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
        """The longest call that is repeated, in milliseconds."""
        return None if self.cap_seconds is None else self.cap_seconds * 1e3
