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
    """What a user asks of ``run`` and ``plan``. The command line's options, one for one."""

    codec: Sequence[str] = ("all",)
    dataset: Sequence[str] = ("sample",)
    rate: Sequence[str] = ()
    resolution: str = "native"
    metrics: Sequence[str] = tuple(METRICS)
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
