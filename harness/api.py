"""The same from Python as from the command line, for notebooks and scripts."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from harness.catalog.codec_spec import EnvironmentName
from harness.catalog.codecs import load_catalog
from harness.codec import CodecError, Image, WeightsMode
from harness.errors import HarnessError
from harness.plan.request import Request, device_here, prepare, weights_digests
from harness.store.load import load_results

if TYPE_CHECKING:
    import pandas as pd

    from harness.measure.runner import Observer

__all__ = ["LoadedCodec", "load_codec", "load_results", "run"]

Names = str | Sequence[str]


def run(
    codec: Names = "all",
    dataset: Names = "sample",
    *,
    rate: Names = (),
    resolution: Names = "native",
    metric: Names | None = None,
    results: str | Path = "results",
    observer: Observer | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Measure codecs on images, as ``harness run`` does, and return the cases that were asked for.

    Args:
        codec: Codec names, ``name@checkpoint``, or ``all``.
        dataset: Data set names, or folders of images.
        rate: Ids of rate points; all when empty.
        resolution: ``native`` or ``HxW``.
        metric: Metric names; all when ``None``.
        results: The results folder; the run's own folder in it is ``name``.
        observer: Who is told how it goes on.
        **options: The other fields of :class:`harness.plan.request.Request`: ``device``, ``limit``,
            ``repeats``, ``warmup``, ``timeout``, ``weights``, ``name``, ``threads``,
            ``memory_limit``, ``keep``, ``upsample``, ``environment``, ``download``.

    Returns:
        The columns of :func:`load_results`; one row a case, whatever its status.

    Raises:
        HarnessError: A name is unknown, data is missing, or the results cannot be written.
        TypeError: An option that does not exist.
    """
    from harness.measure.runner import Silent
    from harness.measure.runner import run as carry_out

    if "metrics" in options:
        warnings.warn("metrics= is now metric=", DeprecationWarning, stacklevel=2)
        metric = options.pop("metrics")
    known = {field.name for field in fields(Request)}
    if unknown := set(options) - known:
        raise TypeError(f"unknown options: {', '.join(sorted(unknown))}")
    if metric is not None:
        options["metric"] = _names(metric)
    request = Request(
        codec=_names(codec),
        dataset=_names(dataset),
        rate=_names(rate),
        resolution=",".join(_names(resolution)),
        results=Path(results),
        **options,
    )
    prepared = prepare(request)
    outcome = carry_out(prepared, observer or Silent())
    frame = load_results(outcome.folder)
    asked = {case.id for batch in prepared.plan.batches for case in batch.cases}
    return frame[frame["case"].isin(asked)].reset_index(drop=True)


class LoadedCodec:
    """A codec at one rate point, in a process of its own. A context manager."""

    def __init__(
        self,
        name: str,
        rate: str | None = None,
        *,
        device: str = "cpu",
        weights: WeightsMode = "pretrained",
        threads: int | None = None,
        timeout: float = 600.0,
        environment: EnvironmentName = "auto",
    ) -> None:
        """Start nothing yet; see :func:`load_codec`."""
        from harness.environments import choose, missing
        from harness.environments.client import Limits
        from harness.environments.resident import ResidentCodec
        from harness.readiness.machine import total_memory

        spec = load_catalog().get(name)
        self.name = spec.name
        self.rate = spec.rate(rate) if rate is not None else spec.rates[len(spec.rates) // 2]
        if reason := missing(spec, environment) or spec.unavailable(weights, self.rate):
            raise HarnessError(f"codec '{spec.name}' is unavailable: {reason}")
        device = device_here(spec, device)
        if spec.network and weights == "pretrained" and spec.checkpoint is None:
            weights_digests(spec, self.rate)
        self._scratch = tempfile.TemporaryDirectory(prefix="harness-log-")
        self._resident = ResidentCodec(
            spec,
            self.rate,
            environment=choose(spec, environment),
            weights=weights if spec.network else "none",
            device=device,
            threads=threads or len(os.sched_getaffinity(0)),
            limits=Limits(timeout, max(timeout, 1800.0), total_memory()),
            log=Path(self._scratch.name) / "codec.log",
        )

    def encode(self, image: Image) -> bytes:
        """Code an image: uint8, H x W x 3, RGB.

        Raises:
            CodecError: The codec refused it, failed, crashed or took too long.
        """
        from harness.environments.client import WorkerFailure

        try:
            with self._resident.use() as worker:
                return worker.encode(image)[0]
        except WorkerFailure as failure:
            raise CodecError(f"{self.name}: {failure.message}") from failure

    def decode(self, bitstream: bytes) -> Image:
        """Decode a bitstream: uint8, H x W x 3, RGB.

        Raises:
            CodecError: The bytes are no bitstream of the codec, or it failed.
        """
        from harness.environments.client import WorkerFailure

        try:
            with self._resident.use() as worker:
                return worker.decode(bitstream)[0]
        except WorkerFailure as failure:
            raise CodecError(f"{self.name}: {failure.message}") from failure

    def close(self) -> None:
        """End the process."""
        self._resident.__exit__(None, None, None)
        self._scratch.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def load_codec(
    name: str,
    rate: str | None = None,
    *,
    device: str = "cpu",
    weights: WeightsMode = "pretrained",
    threads: int | None = None,
    timeout: float = 600.0,
    environment: EnvironmentName = "auto",
) -> LoadedCodec:
    """A codec with ``encode`` and ``decode``, each of which runs in a child process.

    Args:
        name: The codec's name, or ``name@checkpoint``.
        rate: The rate point's id; the middle one when ``None``.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        weights: ``pretrained`` or ``random``, for a codec that is a network.
        threads: How many threads it may use; all when ``None``.
        timeout: The longest that one call may take, in seconds.
        environment: ``auto``, ``inline``, ``venv`` or ``docker``.

    Raises:
        HarnessError: The codec is unknown or unavailable.
    """
    return LoadedCodec(
        name,
        rate,
        device=device,
        weights=weights,
        threads=threads,
        timeout=timeout,
        environment=environment,
    )


def _names(value: Names | Iterable[str]) -> tuple[str, ...]:
    return tuple(value.split(",")) if isinstance(value, str) else tuple(value)
