"""A codec kept loaded in a worker: started when first used, restarted after it died."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.catalog.codec_spec import RateSpec
from harness.codec import Image, Profile, Profiled
from harness.environments.client import Limits, Loaded, Worker, WorkerFailure
from harness.environments.ready import Ready


@dataclass(frozen=True)
class WorkerSettings:
    """How a codec is run.

    Attributes:
        threads: The number of threads that it should use.
        limits: Time and memory bounds.
        log: The file to which everything that it prints is appended.
    """

    threads: int
    limits: Limits
    log: Path


class ResidentCodec:
    """One worker at a time, with a codec loaded at :attr:`rate`. A context manager.

    Args:
        ready: The codec, and what it needs.
        rate: The rate point to load first; set :attr:`rate` to change it.
        settings: How it is run.
    """

    def __init__(self, ready: Ready, rate: RateSpec, settings: WorkerSettings) -> None:
        self.ready = ready
        self.rate = rate
        self.loaded: Loaded | None = None
        self._settings = settings
        self._stack = ExitStack()
        self._worker: Worker | None = None
        self._at: str | None = None
        self._failure: WorkerFailure | None = None
        self._warm: set[tuple[int, ...]] = set()
        self._profiles: dict[tuple[int, int], Profile] = {}

    @contextmanager
    def use(self) -> Iterator[Worker]:
        """The worker, with the codec loaded. One that dies in the block is replaced on next use.

        Raises:
            WorkerFailure: The codec cannot be opened or loaded; this is not attempted again.
        """
        worker = self._loaded_worker()
        try:
            yield worker
        except WorkerFailure as failure:
            if not failure.alive:
                self._discard()
            raise

    def encode(self, image: Image) -> bytes:
        """The bitstream of an image (uint8, H x W x 3, RGB), untimed.

        Raises:
            WorkerFailure: The codec refused it, failed, crashed or took too long.
        """
        with self.use() as worker:
            return worker.encode(image)[0]

    def decode(self, bitstream: bytes) -> Image:
        """The image (uint8, H x W x 3, RGB) of a bitstream, untimed.

        Raises:
            WorkerFailure: The codec refused it, failed, crashed or took too long.
        """
        with self.use() as worker:
            return worker.decode(bitstream)[0]

    def warmup(self, shape: tuple[int, ...], calls: int) -> int:
        """How many warm-up calls an image of ``shape`` needs: none if the size is not new."""
        if shape in self._warm:
            return 0
        self._warm.add(shape)
        return calls

    def profile(self, height: int, width: int) -> Profile | None:
        """Parameters and FLOPs at a size, counted once; ``None`` if the codec is not Profiled."""
        if self._worker is None or Profiled.__name__ not in self._worker.capabilities:
            return None
        if (height, width) not in self._profiles:
            self._profiles[height, width] = self._worker.profile(height, width)
        return self._profiles[height, width]

    def _loaded_worker(self) -> Worker:
        if self._failure is not None:
            raise self._failure
        try:
            if self._worker is None:
                self._worker = self._start()
            if self._at != self.rate.id:
                self.loaded = self._worker.load(self.ready.fields(self.rate))
                self._at = self.rate.id
        except WorkerFailure as failure:
            self._failure = failure
            self._discard()
            raise
        return self._worker

    def _start(self) -> Worker:
        codec = self.ready.codec
        worker = self._stack.enter_context(
            self.ready.environment.worker(
                self._settings.log,
                self._settings.threads,
                self._settings.limits,
                device=self.ready.device,
                reads=self.ready.reads,
            )
        )
        worker.open(codec.folder, codec.entry, codec.options, self.ready.device)
        return worker

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
