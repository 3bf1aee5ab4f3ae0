"""One connection to the harness: a codec, and the answers to requests about it.

Whatever the codec prints goes to the log; answers travel only through the socket.

Requests (``op``) and their answers (``event``):

=========  ==============================================  ==================================
op         header                                          answer
=========  ==============================================  ==================================
open       folder, entry, options, device                  done: capabilities
load       rate (id, options, weights, files, upstream)    done: load_ms, facts
encode     height, width, CALLS; image                     call..., done: figures; bitstream
decode     CALLS; bitstream                                call..., done: figures; image
prefixes   rates; bitstream                                done: lengths
header     bitstream                                       done: header_bytes
profile    height, width                                   done: parameters, flops, flops_torch
=========  ==============================================  ==================================

CALLS are the fields of :class:`harness.worker.timing.Calls`. ``call`` says that another call
begins, so that the harness's time limit applies to one call; it is left out after calls of some
ms. An exception is answered with ``error``: status, reason, problem, remedy. The harness checks all
of it again (:mod:`harness.environments.answers`): a codec may reach the socket past this module.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from harness.codec import (
    BitstreamError,
    Codec,
    CodecError,
    Profiled,
    ProgramKilled,
    Progressive,
    RatePoint,
    SelfTimed,
    Unavailable,
    UnsupportedImage,
    WithHeader,
)
from harness.errors import Reason, Status
from harness.worker import wire
from harness.worker.adapter import codec_class
from harness.worker.checks import (
    WrongOutput,
    checked_bytes,
    checked_facts,
    checked_image,
    checked_length,
    checked_ms,
    checked_profile,
    checked_report,
)
from harness.worker.clock import timed
from harness.worker.memory import Peaks, read_peaks, reset_peaks
from harness.worker.timing import Calls, Schedule

T = TypeVar("T")


CAPABILITIES = (Progressive, Profiled, SelfTimed, WithHeader)

QUIET_SECONDS = 0.1
"""Calls that are over sooner than this are not reported one by one."""

MAX_TEXT = 10_000
"""How much of a message is sent, in characters."""

REFUSALS: tuple[tuple[type[CodecError], Status, Reason], ...] = (
    (Unavailable, Status.UNAVAILABLE, Reason.MISSING),
    (UnsupportedImage, Status.UNAVAILABLE, Reason.IMAGE),
    (BitstreamError, Status.FAILED, Reason.BITSTREAM),
    (CodecError, Status.FAILED, Reason.CODEC),
)


class Session:
    """One connection: the codec, and a method that answers each kind of request."""

    def __init__(self, sock: socket.socket) -> None:
        wire.widen(sock)
        self.sock = sock
        self.id = 0
        self.codec: Codec

    def serve(self) -> None:
        """Answer requests until the harness closes the connection."""
        while True:
            try:
                header, payload = wire.receive(self.sock)
            except wire.WireClosed:
                return
            self.id = header["id"]
            try:
                answer, result = getattr(self, f"_on_{header['op']}")(header, payload)
            except Exception as error:  # noqa: BLE001 - an adapter may raise anything
                traceback.print_exc()
                sys.stderr.flush()
                self._send({"event": "error", **explain(error)})
            else:
                self._send({"event": "done", **answer}, result)

    def _send(self, header: wire.Header, payload: bytes | memoryview = b"") -> None:
        wire.send(self.sock, {"id": self.id, **header}, payload)

    def _on_open(self, header: wire.Header, _: bytearray) -> tuple[wire.Header, bytes]:
        os.environ["HARNESS_ADAPTER"] = header["folder"]
        cls = codec_class(Path(header["folder"]), header["entry"])
        self.codec = cls(header["options"], header["device"])
        has = [kind.__name__ for kind in CAPABILITIES if isinstance(self.codec, kind)]
        return {"capabilities": has}, b""

    def _on_load(self, header: wire.Header, _: bytearray) -> tuple[wire.Header, bytes]:
        rate = rate_point(header["rate"])
        load_ms = timed(lambda: self.codec.load(rate))[1]
        facts = checked_facts(self.codec.facts())
        return {"load_ms": checked_ms(load_ms, "the clock"), "facts": facts}, b""

    def _on_encode(
        self, header: wire.Header, payload: bytearray
    ) -> tuple[wire.Header, bytes | memoryview]:
        image = wire.payload_image(header, payload)
        longest = wire.max_bitstream(header["height"], header["width"])
        figures, stream, same = self._measure(
            header, lambda: checked_bytes(self.codec.encode(image), longest)
        )
        return {**figures, "deterministic": same}, stream

    def _on_decode(
        self, header: wire.Header, payload: bytearray
    ) -> tuple[wire.Header, bytes | memoryview]:
        bitstream = bytes(payload)
        figures, image, _ = self._measure(
            header, lambda: checked_image(self.codec.decode(bitstream)), compare=False
        )
        shape, pixels = wire.image_payload(image)
        return {**figures, **shape}, pixels

    def _on_prefixes(self, header: wire.Header, payload: bytearray) -> tuple[wire.Header, bytes]:
        if not isinstance(self.codec, Progressive):
            raise CodecError("the codec is not Progressive")
        stream = bytes(payload)
        lengths = [
            checked_length(
                self.codec.prefix_length(stream, rate_point(rate)),
                stream, least=1, what="prefix_length",
            )
            for rate in header["rates"]
        ]  # fmt: skip
        return {"lengths": lengths}, b""

    def _on_header(self, _: wire.Header, payload: bytearray) -> tuple[wire.Header, bytes]:
        if not isinstance(self.codec, WithHeader):
            raise CodecError("the codec does not tell its header apart")
        stream = bytes(payload)
        count = self.codec.header_bytes(stream)
        return {"header_bytes": checked_length(count, stream, least=0, what="header_bytes")}, b""

    def _on_profile(self, header: wire.Header, _: bytearray) -> tuple[wire.Header, bytes]:
        if not isinstance(self.codec, Profiled):
            raise CodecError("the codec is not Profiled")
        return checked_profile(self.codec.profile(header["height"], header["width"])), b""

    def _measure(
        self, header: wire.Header, call: Callable[[], T], *, compare: bool = True
    ) -> tuple[wire.Header, T, bool | None]:
        """Call as often as the request says.

        Returns the figures, the first result, and whether all results were equal to it; ``None``
        with ``compare`` off or if there was only one.
        """
        schedule = Schedule(Calls(**{name: header[name] for name in Calls.__dataclass_fields__}))
        samples: list[float] = []
        peaks = Peaks(0)
        first: list[T] = []
        same = None
        told = time.monotonic()
        while not schedule.over:
            if time.monotonic() - told > QUIET_SECONDS:
                told = time.monotonic()
                self._send({"event": "call"})
            reset_peaks()
            result, wall_ms = timed(call)
            peak = read_peaks()
            ms = checked_ms(wall_ms, "the clock")
            if isinstance(self.codec, SelfTimed):
                ms, rss = checked_report(self.codec.last_call())
                peak = Peaks(rss or 0)
            if schedule.counts(wall_ms):
                samples.append(ms)
                peaks = highest(peaks, peak)
            if not first:
                first.append(result)
            elif compare:
                same = same is not False and bool(result == first[0])
        figures: wire.Header = {
            "samples_ms": samples,
            "peak_rss_bytes": peaks.rss or None,
            "peak_device_bytes": peaks.device,
            "peak_device_reserved_bytes": peaks.device_reserved,
        }
        return figures, first[0], same


def highest(a: Peaks, b: Peaks) -> Peaks:
    """The larger of two peaks, field by field."""

    def pick(x: int | None, y: int | None) -> int | None:
        return x if y is None else y if x is None else max(x, y)

    return Peaks(
        max(a.rss, b.rss), pick(a.device, b.device), pick(a.device_reserved, b.device_reserved)
    )


def rate_point(fields: dict[str, Any]) -> RatePoint:
    """The rate point described in a request's header."""
    files = {name: Path(path) for name, path in fields["files"].items()}
    upstream = Path(fields["upstream"]) if fields["upstream"] else None
    return RatePoint(fields["id"], fields["options"], fields["weights"], files, upstream)


def explain(error: Exception) -> wire.Header:
    """What an exception means for a case: status, reason, problem and remedy."""
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an adapter's exception may have any __str__
        text = ""
    described = f"{name}: {text}" if text else name
    on_device = any(cls.__name__ == "OutOfMemoryError" for cls in type(error).__mro__)
    if on_device or isinstance(error, MemoryError) or "DefaultCPUAllocator" in text:
        where = Reason.DEVICE if on_device else Reason.HOST
        return _answer(Status.OUT_OF_MEMORY, where, described)
    if isinstance(error, WrongOutput):
        return _answer(Status.WRONG_OUTPUT, error.reason, text)
    if isinstance(error, ProgramKilled):
        return _killed(error)
    for kind, status, reason in REFUSALS:
        if isinstance(error, kind):
            return _answer(status, reason, error.problem, error.remedy)
    return _answer(Status.FAILED, Reason.EXCEPTION, described)


def _killed(error: ProgramKilled) -> wire.Header:
    if error.out_of_memory:
        return _answer(Status.OUT_OF_MEMORY, Reason.HOST, error.problem)
    known = error.signal in signal.Signals.__members__
    return _answer(Status.CRASHED, error.signal if known else Reason.EXIT, error.problem)


def _answer(status: Status, reason: str, problem: object, remedy: object = "") -> wire.Header:
    shown = (value if isinstance(value, str) else repr(value) for value in (problem, remedy))
    short = (text[:MAX_TEXT] for text in shown)
    return {"status": status, "reason": reason, "problem": next(short), "remedy": next(short)}
