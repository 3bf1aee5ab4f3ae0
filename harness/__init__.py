"""Benchmarks learned image codecs.

The functions for notebooks and scripts; what they depend on is imported on first use::

    import harness

    frame = harness.run(codec=["jpeg", "avif"], dataset="sample")
    frame = harness.load_results("results")
    with harness.load_codec("jpeg", rate="q50") as codec:
        image = codec.decode(codec.encode(image))

Standard library alone: workers import this package inside any codec's environment.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Unpack

    import pandas as pd

    from harness.catalog.codec_spec import EnvironmentName
    from harness.codec import WeightsMode
    from harness.measure.loaded import LoadedCodec
    from harness.measure.observer import Observer
    from harness.plan.request import RunOptions

__version__ = "0.1.0"
__all__ = ["__version__", "load_codec", "load_results", "run"]


def run(
    codec: str | Iterable[str] = "all",
    dataset: str | Iterable[str] = "sample",
    *,
    rate: str | Iterable[str] = (),
    resolution: str | Iterable[str] = "native",
    metric: str | Iterable[str] | None = None,
    metrics: str | Iterable[str] | None = None,
    results: str | Path = "results",
    observer: Observer | None = None,
    **options: Unpack[RunOptions],
) -> pd.DataFrame:
    """Measure codecs on images, as ``harness run`` does, and return the requested cases.

    Args:
        codec: Codec names, ``name@checkpoint``, or ``all``.
        dataset: Data set names, or folders of images.
        rate: Ids of rate points; all when empty.
        resolution: ``native`` or ``HxW``.
        metric: Metric names; all when ``None``.
        metrics: The old spelling of ``metric``, to be removed in the next release.
        results: The results folder; the run's own folder in it is ``name``.
        observer: Receives the progress of the run.
        **options: The other fields of :class:`harness.plan.request.Request`: ``device``,
            ``limit``, ``repeats``, ``warmup``, ``timeout``, ``weights``, ``name``, ``threads``,
            ``memory_limit``, ``keep``, ``upsample``, ``environment``, ``download``.

    Returns:
        The columns of :func:`load_results`; one row per case, whatever its status.

    Raises:
        HarnessError: A name is unknown, data is missing, or the results cannot be written.
        TypeError: An option that does not exist.
    """
    from pathlib import Path

    from harness.measure.observer import Observer
    from harness.measure.runner import run as carry_out
    from harness.plan.prepare import prepare
    from harness.plan.request import Request

    if metrics is not None:
        import warnings

        warnings.warn("metrics= is now metric=", DeprecationWarning, stacklevel=2)
        metric = metrics if metric is None else metric
    chosen = {} if metric is None else {"metric": _names(metric)}
    request = Request(
        codec=_names(codec),
        dataset=_names(dataset),
        rate=_names(rate),
        resolution=",".join(_names(resolution)),
        results=Path(results),
        **chosen,
        **options,
    )
    return carry_out(prepare(request), observer or Observer()).records()


def load_results(path: str | Path) -> pd.DataFrame:
    """One row per case, in the columns of :data:`harness.store.schema.COLUMNS`.

    A damaged shard is left out with a warning that names it.

    Args:
        path: A results folder, all of whose runs are read, the folder of one run, or a bundle.

    Raises:
        HarnessError: There are no results, or a newer harness wrote them.
    """
    from harness.store.load import load_results as load

    return load(path)


def load_codec(
    name: str,
    rate: str | None = None,
    *,
    device: str = "cpu",
    weights: WeightsMode = "pretrained",
    threads: int | None = None,
    timeout: float | None = None,
    environment: EnvironmentName = "auto",
) -> LoadedCodec:
    """A codec with ``encode`` and ``decode``, each of which runs in a child process.

    Args:
        name: The codec's name, or ``name@checkpoint``.
        rate: The rate point's id; the middle one when ``None``.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        weights: ``pretrained`` or ``random``, for a codec that is a network.
        threads: How many threads it may use; all when ``None``.
        timeout: The time limit of one call, in seconds; that of ``harness run`` when ``None``.
        environment: ``auto``, ``inline``, ``venv`` or ``docker``.

    Raises:
        HarnessError: The codec is unknown or unavailable.
    """
    from harness.measure.loaded import LoadedCodec

    return LoadedCodec(
        name,
        rate,
        device=device,
        weights=weights,
        threads=threads,
        timeout=timeout,
        environment=environment,
    )


def _names(value: str | Iterable[str]) -> tuple[str, ...]:
    return tuple(value.split(",")) if isinstance(value, str) else tuple(value)
