"""A codec resident in a worker: started when first used, started again after it died."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.catalog.codec_spec import CodecSpec, RateSpec
from harness.codec import WeightsMode
from harness.environments import Environment
from harness.environments.client import Limits, Loaded, Worker, WorkerFailure, rate_fields
from harness.paths import find_upstream
from harness.worker import wire


class ResidentCodec:
    """One worker at a time, with a codec loaded at :attr:`rate`. A context manager.

    Args:
        spec: The codec.
        rate: The rate point to load first; set :attr:`rate` to change it.
        environment: Where its code runs.
        weights: Which weights to run with.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        threads: How many threads the codec is to use.
        limits: Time and memory bounds.
        log: The file to which all that the codec prints is appended.
    """

    def __init__(
        self,
        spec: CodecSpec,
        rate: RateSpec,
        *,
        environment: Environment,
        weights: WeightsMode,
        device: str,
        threads: int,
        limits: Limits,
        log: Path,
    ) -> None:
        self.spec = spec
        self.rate = rate
        self.loaded: Loaded | None = None
        self._environment = environment
        self._weights: WeightsMode = weights
        self._device = device
        self._threads = threads
        self._limits = limits
        self._log = log
        self._stack = ExitStack()
        self._worker: Worker | None = None
        self._at: str | None = None
        self._failure: WorkerFailure | None = None
        self._warm: set[tuple[int, ...]] = set()
        self._profiles: dict[tuple[int, int], dict[str, int | None]] = {}

    @contextmanager
    def use(self) -> Iterator[Worker]:
        """The worker, with the codec loaded. One that dies within the block is replaced later.

        Raises:
            WorkerFailure: The codec does not open or load; it is not tried again.
        """
        worker = self._ready()
        try:
            yield worker
        except WorkerFailure as failure:
            if not failure.alive:
                self._discard()
            raise

    def warmup(self, shape: tuple[int, ...], calls: int) -> int:
        """How many warm-up calls an image of ``shape`` needs: none when the size is not new."""
        if shape in self._warm:
            return 0
        self._warm.add(shape)
        return calls

    def profile(self, height: int, width: int) -> dict[str, int | None]:
        """Parameters and FLOPs at a resolution, counted once; nothing without the face."""
        if self._worker is None or "Profiled" not in self._worker.faces:
            return {}
        if (height, width) not in self._profiles:
            self._profiles[height, width] = self._worker.profile(height, width)
        return self._profiles[height, width]

    def fields(self, rate: RateSpec) -> wire.Header:
        """A rate point of this codec as it travels on the wire."""
        return rate_fields(
            rate.id,
            rate.options,
            self._weights,
            self.spec.weights_paths(rate),
            self.spec.upstream_folder,
        )

    def _ready(self) -> Worker:
        if self._failure is not None:
            raise self._failure
        try:
            if self._worker is None:
                self._worker = self._stack.enter_context(
                    self._environment.worker(
                        self._log,
                        self._threads,
                        self._limits,
                        device=self._device,
                        reads=self._reads(),
                    )
                )
                self._worker.open(
                    self.spec.folder, self.spec.entry, self.spec.options, self._device
                )
            if self._at != self.rate.id:
                self.loaded = self._worker.load(self.fields(self.rate))
                self._at = self.rate.id
        except WorkerFailure as failure:
            self._failure = failure
            self._discard()
            raise
        return self._worker

    def _reads(self) -> list[Path]:
        """The files and folders of this machine that the codec reads, as far as they are there."""
        paths = {
            path for rate in self.spec.rates for path in self.spec.weights_paths(rate).values()
        }
        if self.spec.upstream is not None:
            paths.add(find_upstream(self.spec.folder.name))
        return [path for path in (self.spec.folder, *sorted(paths)) if path.exists()]

    def _discard(self) -> None:
        self._worker = self._at = None
        self._warm.clear()
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)
