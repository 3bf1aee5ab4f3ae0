"""The harness's side of a worker: requests with a time limit, and what a failure means."""

from __future__ import annotations

import select
import signal
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.codec import Image, Profile
from harness.environments.process import Process
from harness.errors import Lack, Reason, Status
from harness.worker import wire

WATCH_INTERVAL = 0.05
START_TIMEOUT = 120.0


class WorkerFailure(Exception):
    """A request that failed.

    Attributes:
        status: The status of the case.
        reason: A short code within the status: a :class:`Reason`, or the name of a signal.
        lack: What happened, and what to do about it.
        alive: Whether the worker can still answer requests.
    """

    def __init__(self, status: Status, reason: str, lack: Lack, *, alive: bool) -> None:
        super().__init__(str(lack))
        self.status = status
        self.reason = reason
        self.lack = lack
        self.alive = alive

    def __str__(self) -> str:
        """Everything in one line: ``out of memory: encode took 3.1 GiB of memory``."""
        return f"{self.status.words}: {self.lack}"


@dataclass(frozen=True)
class Limits:
    """Bounds on a worker.

    Attributes:
        call_seconds: The time limit of one encode or decode call, in seconds.
        load_seconds: The time limit of loading a model, in seconds.
        memory_bytes: The limit on the resident memory of the worker and its children together, in
            bytes.
    """

    call_seconds: float
    load_seconds: float
    memory_bytes: int


@dataclass(frozen=True)
class Measured:
    """What the worker measured in the calls for one case. Times in ms, memory in bytes."""

    samples_ms: list[float]
    peak_rss_bytes: int | None
    peak_device_bytes: int | None
    peak_device_reserved_bytes: int | None

    @classmethod
    def of(cls, answer: wire.Header) -> Self:
        """The figures of an answer to ``encode`` or ``decode``."""
        return cls(**{name: answer[name] for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Loaded:
    """A loaded rate point: how long loading took, in ms, and what the codec reports of itself."""

    ms: float
    facts: Mapping[str, Any]


class Worker:
    """A running worker. Use it as a context manager, or call :meth:`stop`."""

    def __init__(self, process: Process, server: socket.socket, log: Path, limits: Limits) -> None:
        """Wait for the process to connect to ``server``.

        Raises:
            WorkerFailure: It ended, or did not connect in time.
        """
        self.process = process
        self.log = log
        self.limits = limits
        self.capabilities: frozenset[str] = frozenset()
        self._sock = self._accept(server)

    def open(
        self, folder: Path, entry: str, options: Mapping[str, Any], device: str
    ) -> frozenset[str]:
        """Import the adapter and create its codec. Returns its optional capabilities."""
        header = {
            "op": "open",
            "folder": str(folder),
            "entry": entry,
            "options": dict(options),
            "device": device,
        }
        answer, _ = self._request(header, limit=self.limits.load_seconds)
        self.capabilities = frozenset(answer["capabilities"])
        return self.capabilities

    def load(self, rate: wire.Header) -> Loaded:
        """Load the model for a rate point (see :func:`rate_fields`)."""
        answer, _ = self._request({"op": "load", "rate": rate}, limit=self.limits.load_seconds)
        return Loaded(answer["load_ms"], answer["facts"])

    def encode(
        self, image: Image, *, warmup: int = 0, repeats: int = 1, cap_ms: float | None = None
    ) -> tuple[bytes, Measured, bool | None]:
        """Encode one image. The last value says whether all calls gave the same bytes.

        It is ``None`` if there was only one call. A call that took longer than ``cap_ms`` is the
        last.
        """
        shape, pixels = wire.image_payload(image)
        calls = {"warmup": warmup, "repeats": repeats, "cap_ms": cap_ms}
        header = {"op": "encode", **calls, **shape}
        answer, payload = self._request(header, pixels)
        return bytes(payload), Measured.of(answer), answer["deterministic"]

    def decode(
        self, bitstream: bytes, *, warmup: int = 0, repeats: int = 1, cap_ms: float | None = None
    ) -> tuple[Image, Measured]:
        """Decode one bitstream: uint8, H x W x 3, whatever H and W the decoder gave."""
        header = {"op": "decode", "warmup": warmup, "repeats": repeats, "cap_ms": cap_ms}
        answer, payload = self._request(header, bitstream)
        return wire.payload_image(answer, payload), Measured.of(answer)

    def prefixes(self, bitstream: bytes, rates: list[wire.Header]) -> list[int]:
        """The length of each rate point's prefix, in bytes (``Progressive`` codecs)."""
        answer, _ = self._request({"op": "prefixes", "rates": rates}, bitstream)
        lengths: list[int] = answer["lengths"]
        return lengths

    def profile(self, height: int, width: int) -> Profile:
        """Parameters and FLOPs (``Profiled`` codecs)."""
        header = {"op": "profile", "height": height, "width": width}
        answer, _ = self._request(header, limit=self.limits.load_seconds)
        return Profile(answer["parameters"], answer["flops"], answer["flops_torch"])

    def stop(self) -> None:
        """End the process and everything that it started."""
        self._sock.close()
        self.process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _accept(self, server: socket.socket) -> socket.socket:
        deadline = time.monotonic() + START_TIMEOUT
        with server:
            while time.monotonic() < deadline:
                ready, _, _ = select.select([server], [], [], WATCH_INTERVAL)
                if ready:
                    sock = server.accept()[0]
                    wire.widen(sock)
                    return sock
                if self.process.wait(0) is not None:
                    raise self._died("while it started")
        self.process.kill()
        problem = f"the worker did not start in {START_TIMEOUT:.0f} s"
        raise WorkerFailure(Status.TIMEOUT, Reason.START, Lack(problem), alive=False)

    def _request(
        self,
        header: wire.Header,
        payload: bytes | memoryview = b"",
        limit: float | None = None,
    ) -> tuple[wire.Header, bytearray]:
        limit = self.limits.call_seconds if limit is None else limit
        what = header["op"]
        try:
            wire.send(self._sock, header, payload)
            while True:
                self._watch(what, limit)
                answer, result = wire.receive(self._sock)
                if answer["event"] != "sample":
                    break
        except wire.WireClosed:
            raise self._died(f"in {what}") from None
        if answer["event"] == "error":
            lack = Lack(answer["problem"], answer["remedy"])
            raise WorkerFailure(Status(answer["status"]), answer["reason"], lack, alive=True)
        return answer, result

    def _watch(self, what: str, limit: float) -> None:
        """Wait until the worker answers; kill it if it exceeds the time or memory limit."""
        deadline = time.monotonic() + limit
        while True:
            remaining = deadline - time.monotonic()
            ready, _, _ = select.select(
                [self._sock], [], [], max(0, min(WATCH_INTERVAL, remaining))
            )
            if ready:
                return
            if remaining <= 0:
                self.process.kill()
                problem = f"{what} took longer than {limit:g} s"
                raise WorkerFailure(Status.TIMEOUT, what, Lack(problem), alive=False)
            if (used := self.process.memory_bytes() or 0) > self.limits.memory_bytes:
                self.process.kill()
                problem = (
                    f"{what} took {used / 2**30:.1f} GiB of memory, "
                    f"over the limit of {self.limits.memory_bytes / 2**30:.1f} GiB"
                )
                raise WorkerFailure(Status.OUT_OF_MEMORY, Reason.HOST, Lack(problem), alive=False)

    def _died(self, when: str) -> WorkerFailure:
        """Distinguish a crash by a signal, an exit and the kernel's out-of-memory killer."""
        ended = self.process.wait(10)
        self.process.kill()
        if ended is not None and ended.out_of_memory:
            problem = f"the kernel ended the worker {when}: out of memory"
            return WorkerFailure(Status.OUT_OF_MEMORY, Reason.HOST, Lack(problem), alive=False)
        if ended is not None and -ended.code in set(signal.Signals):
            name = signal.Signals(-ended.code).name
            problem = f"the worker was ended by {name} {when}"
            return WorkerFailure(Status.CRASHED, name, Lack(problem), alive=False)
        code = "none" if ended is None else ended.code
        problem = f"the worker ended with exit code {code} {when}"
        return WorkerFailure(Status.CRASHED, Reason.EXIT, Lack(problem), alive=False)
