"""One codec for a notebook or a script: ``encode`` and ``decode``, each in a child process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from harness.catalog.codec_spec import EnvironmentName
from harness.catalog.codecs import load_catalog
from harness.codec import CodecError, Image, WeightsMode
from harness.environments.client import Limits, WorkerFailure
from harness.environments.resident import ResidentCodec, WorkerSettings
from harness.errors import HarnessError, Lack
from harness.leftovers import remove_tree
from harness.paths import new_scratch_folder
from harness.plan.request import Request
from harness.readiness.devices import require_device
from harness.readiness.machine import total_memory
from harness.readiness.ready import Readiness


class LoadedCodec:
    """A codec at one rate point, in its own process. A context manager.

    Attributes:
        name: The codec's name.
        rate: The rate point, as the manifest states it.
    """

    def __init__(
        self,
        name: str,
        rate: str | None,
        *,
        device: str,
        weights: WeightsMode,
        threads: int | None,
        timeout: float | None,
        environment: EnvironmentName,
    ) -> None:
        """Locate what the codec needs, but start nothing yet; see :func:`harness.load_codec`."""
        spec = load_catalog().get(name)
        self.name = spec.name
        self.rate = spec.rate(rate) if rate is not None else spec.rates[len(spec.rates) // 2]
        require_device(device)
        readiness = Readiness(weights=weights, device=device, environment=environment)
        # A progressive codec always encodes at its last rate point.
        ready = readiness.of(spec, spec.rates if spec.progressive else [self.rate])
        if isinstance(ready, Lack):
            raise HarnessError.of(ready, f"codec '{spec.name}' is unavailable")
        self._scratch = new_scratch_folder()
        timeout = Request.timeout if timeout is None else timeout
        limits = Limits.of(timeout, total_memory())
        log = self._scratch / "codec.log"
        threads = threads or len(os.sched_getaffinity(0))
        self._resident = ResidentCodec(ready, self.rate, WorkerSettings(threads, limits, log))

    def encode(self, image: Image) -> bytes:
        """Encode an image: uint8, H x W x 3, RGB.

        Raises:
            CodecError: The codec refused the image, failed, crashed or took too long.
        """
        with self._failures():
            return self._resident.encode(image)

    def decode(self, bitstream: bytes) -> Image:
        """Decode a bitstream: uint8, H x W x 3, RGB.

        Raises:
            CodecError: The bytes are not a bitstream of the codec, or the codec failed.
        """
        with self._failures():
            return self._resident.decode(bitstream)

    def close(self) -> None:
        """End the process."""
        self._resident.__exit__(None, None, None)
        remove_tree(self._scratch)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Turn a worker's failure into a ``CodecError``."""
        try:
            yield
        except WorkerFailure as failure:
            problem, remedy = failure.lack.problem, failure.lack.remedy
            raise CodecError(f"{self.name}: {problem}", remedy) from failure

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
