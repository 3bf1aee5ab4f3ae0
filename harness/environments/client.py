"""The harness's side of a worker: requests with a time limit, and what a failure means."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.codec import Image, Profile, Profiled, Progressive, SelfTimed, WithHeader
from harness.environments.answers import (
    COUNT,
    ERROR,
    FACTS,
    TIME,
    TRUTH,
    BadAnswer,
    Rule,
    check_length,
    check_times,
    checked,
    event_of,
    fewer,
    figures,
    integer,
    one_of,
)
from harness.environments.connection import Connection
from harness.environments.limits import Limits, Watch, WorkerFailure, WorkerGone
from harness.environments.process import Process
from harness.errors import Lack, Reason, Status
from harness.worker import wire
from harness.worker.timing import Calls

__all__ = ["Limits", "Loaded", "Measured", "Worker", "WorkerFailure"]

START_SECONDS = 120.0
CAPABILITIES = [kind.__name__ for kind in (Progressive, Profiled, SelfTimed, WithHeader)]
ONCE = Calls()


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
        self._requests = 0
        self._wire = self._accept(server)

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
        rules = {"capabilities": one_of(*CAPABILITIES).list_of(0, len(CAPABILITIES))}
        answer, _ = self._request(header, rules, limit=self.limits.load_seconds)
        self.capabilities = frozenset(answer["capabilities"])
        return self.capabilities

    def load(self, rate: wire.Header) -> Loaded:
        """Load the model for a rate point (see :func:`rate_fields`)."""
        header = {"op": "load", "rate": rate}
        rules = {"load_ms": TIME, "facts": FACTS}
        answer, _ = self._request(header, rules, limit=self.limits.load_seconds)
        return Loaded(answer["load_ms"], answer["facts"])

    def encode(self, image: Image, calls: Calls = ONCE) -> tuple[bytes, Measured, bool | None]:
        """Encode one image. The last value says whether all calls gave the same bytes.

        It is ``None`` if there was only one call.
        """
        shape, pixels = wire.image_payload(image)
        header = {"op": "encode", **vars(calls), **shape}
        rules = {**figures(calls), "deterministic": TRUTH.or_null()}
        longest = wire.max_bitstream(**shape)
        answer, payload = self._request(
            header, rules, pixels, lengths=lambda _: (1, longest), most_calls=calls.most
        )
        return bytes(payload), Measured.of(answer), answer["deterministic"]

    def decode(
        self, bitstream: bytes, calls: Calls = ONCE, *, most_pixels: int = wire.MAX_PIXELS
    ) -> tuple[Image, Measured]:
        """Decode one bitstream: uint8, H x W x 3, whatever H and W the decoder gave.

        A larger image than ``most_pixels`` is not received; the worker is ended.
        """
        header = {"op": "decode", **vars(calls)}
        side = integer(1, wire.MAX_PIXELS)
        rules = {**figures(calls), "height": side, "width": side}

        def length(answer: wire.Header) -> tuple[int, int]:
            height, width = answer["height"], answer["width"]
            if height * width > most_pixels:
                self.process.kill()
                problem = f"decode returned {height}x{width}, over {most_pixels} pixels"
                raise WorkerFailure(Status.WRONG_OUTPUT, Reason.SHAPE, Lack(problem), alive=False)
            return 3 * height * width, 3 * height * width

        answer, payload = self._request(
            header, rules, bitstream, lengths=length, most_calls=calls.most
        )
        return wire.payload_image(answer, payload), Measured.of(answer)

    def prefixes(self, bitstream: bytes, rates: list[wire.Header]) -> list[int]:
        """The length of each rate point's prefix, in bytes (``Progressive`` codecs)."""
        count = len(rates)
        rules = {"lengths": integer(1, len(bitstream)).list_of(count, count)}
        answer, _ = self._request({"op": "prefixes", "rates": rates}, rules, bitstream)
        lengths: list[int] = answer["lengths"]
        return lengths

    def header_bytes(self, bitstream: bytes) -> int | None:
        """Bytes outside the coded data; ``None`` if the codec is not ``WithHeader``."""
        if WithHeader.__name__ not in self.capabilities:
            return None
        rules = {"header_bytes": integer(0, len(bitstream))}
        answer, _ = self._request({"op": "header"}, rules, bitstream)
        return int(answer["header_bytes"])

    def profile(self, height: int, width: int) -> Profile:
        """Parameters and FLOPs (``Profiled`` codecs)."""
        header = {"op": "profile", "height": height, "width": width}
        rules = {"parameters": COUNT, "flops": COUNT.or_null(), "flops_torch": COUNT.or_null()}
        answer, _ = self._request(header, rules, limit=self.limits.load_seconds)
        return Profile(**answer)

    def stop(self) -> None:
        """End the process and everything that it started."""
        self._wire.close()
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

    def _accept(self, server: socket.socket) -> Connection:
        watch = Watch(
            self.process,
            "starting the worker",
            min(START_SECONDS, self.limits.load_seconds),
            self.limits.memory_bytes,
            late=Reason.START,
        )
        with server:
            try:
                watch.wait(server)
            except WorkerGone:
                raise self._died("while it started") from None
            return Connection(server.accept()[0])

    def _request(
        self,
        header: wire.Header,
        rules: Mapping[str, Rule],
        payload: bytes | memoryview = b"",
        *,
        lengths: Callable[[wire.Header], tuple[int, int]] = lambda _: (0, 0),
        most_calls: int = 1,
        limit: float | None = None,
    ) -> tuple[wire.Header, bytearray]:
        """Send a request, and wait for its answer under the limits.

        Args:
            header: The request.
            rules: What the answer's fields must hold.
            payload: What follows the request.
            lengths: From the answer's fields, the least and the greatest length of its payload;
                nothing is received unless it is within.
            most_calls: How many calls the time limit applies to, one by one.
            limit: That limit, in seconds; that of a call when ``None``.

        Raises:
            WorkerFailure: It failed, exceeded a limit, or answered something else.
        """
        what = header["op"]
        self._requests += 1
        seconds = self.limits.call_seconds if limit is None else limit
        watch = Watch(self.process, what, seconds, self.limits.memory_bytes)
        try:
            self._wire.send({"id": self._requests, **header}, payload, watch)
            answer, event, length = self._event(watch)
            while event == "call":
                most_calls = fewer(most_calls)
                watch.restart()
                answer, event, length = self._event(watch)
            if event == "error":
                raise self._refusal(checked(answer, ERROR))
            answer = checked(answer, rules)
            check_times(answer, watch.waited_ms)
            check_length(length, *lengths(answer))
            return answer, self._wire.read(length, watch)
        except WorkerGone:
            raise self._died(f"in {what}") from None
        except BadAnswer as bad:
            self.process.kill()
            problem = f"the worker cannot be trusted: asked to {what}, {bad}"
            raise WorkerFailure(
                Status.WRONG_OUTPUT, Reason.ANSWER, Lack(problem), alive=False
            ) from bad

    def _event(self, watch: Watch) -> tuple[wire.Header, str, int]:
        header, length = self._wire.receive(watch)
        event = event_of(header, self._requests)
        if event != "done":
            check_length(length, 0, 0)
        return header, event, length

    def _refusal(self, answer: wire.Header) -> WorkerFailure:
        lack = Lack(answer["problem"], answer["remedy"])
        return WorkerFailure(Status(answer["status"]), answer["reason"], lack, alive=True)

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
