"""The worker: a child process that runs one codec and answers the harness's requests.

Started as ``python -m harness.worker SOCKET``. Whatever the codec prints goes to the log that
the harness opened for the process; answers travel only through the socket.

Requests (``op``) and their answers (``event``):

=========  ==============================================  ==================================
op         header                                          answer
=========  ==============================================  ==================================
open       folder, entry, options, device                  done: capabilities
load       rate (id, options, weights, files, upstream)    done: load_ms, facts
encode     height, width, CALLS; image                     sample..., done: figures; bitstream
decode     CALLS; bitstream                                sample..., done: figures; image
prefixes   rates; bitstream                                done: lengths
profile    height, width                                   done: parameters, flops, flops_torch
=========  ==============================================  ==================================

CALLS are ``warmup``, ``repeats`` and ``cap_ms``. A ``sample`` follows each call, so that the
harness's time limit applies to one call. An exception is answered with ``error``: status,
reason, problem, remedy.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from harness.codec import (
    BitstreamError,
    Codec,
    CodecError,
    Image,
    Profiled,
    Progressive,
    RatePoint,
    SelfTimed,
    Unavailable,
    UnsupportedImage,
)
from harness.errors import Reason, Status
from harness.worker import wire
from harness.worker.adapter import codec_class
from harness.worker.clock import timed
from harness.worker.memory import Peaks, read_peaks, reset_peaks

T = TypeVar("T")


CAPABILITIES = (Progressive, Profiled, SelfTimed)


class WrongOutput(Exception):
    """The codec returned something that the contract does not allow."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


REFUSALS: tuple[tuple[type[CodecError], Status, Reason], ...] = (
    (Unavailable, Status.UNAVAILABLE, Reason.MISSING),
    (UnsupportedImage, Status.UNAVAILABLE, Reason.IMAGE),
    (BitstreamError, Status.FAILED, Reason.BITSTREAM),
    (CodecError, Status.FAILED, Reason.CODEC),
)


class Session:
    """One connection: the codec, and a method that answers each kind of request."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.codec: Codec

    def serve(self) -> None:
        """Answer requests until the harness closes the connection."""
        while True:
            try:
                header, payload = wire.receive(self.sock)
            except wire.WireClosed:
                return
            try:
                answer, result = getattr(self, f"_on_{header['op']}")(header, payload)
            except Exception as error:  # noqa: BLE001 - an adapter may raise anything
                traceback.print_exc()
                sys.stderr.flush()
                wire.send(self.sock, {"event": "error", **explain(error)})
            else:
                wire.send(self.sock, {"event": "done", **answer}, result)

    def _on_open(self, header: wire.Header, _: bytearray) -> tuple[wire.Header, bytes]:
        os.environ["HARNESS_ADAPTER"] = header["folder"]
        cls = codec_class(Path(header["folder"]), header["entry"])
        self.codec = cls(header["options"], header["device"])
        has = [kind.__name__ for kind in CAPABILITIES if isinstance(self.codec, kind)]
        return {"capabilities": has}, b""

    def _on_load(self, header: wire.Header, _: bytearray) -> tuple[wire.Header, bytes]:
        rate = rate_point(header["rate"])
        load_ms = timed(lambda: self.codec.load(rate))[1]
        return {"load_ms": load_ms, "facts": dict(self.codec.facts())}, b""

    def _on_encode(
        self, header: wire.Header, payload: bytearray
    ) -> tuple[wire.Header, bytes | memoryview]:
        image = wire.payload_image(header, payload)
        figures, streams = self._measure(header, lambda: checked_bytes(self.codec.encode(image)))
        figures["deterministic"] = all(s == streams[0] for s in streams) if streams[1:] else None
        return figures, streams[0]

    def _on_decode(
        self, header: wire.Header, payload: bytearray
    ) -> tuple[wire.Header, bytes | memoryview]:
        bitstream = bytes(payload)
        figures, images = self._measure(
            header, lambda: checked_image(self.codec.decode(bitstream)), keep=1
        )
        shape, pixels = wire.image_payload(images[0])
        return {**figures, **shape}, pixels

    def _on_prefixes(self, header: wire.Header, payload: bytearray) -> tuple[wire.Header, bytes]:
        if not isinstance(self.codec, Progressive):
            raise CodecError("the codec is not Progressive")
        stream = bytes(payload)
        rates = [rate_point(rate) for rate in header["rates"]]
        return {"lengths": [self.codec.prefix_length(stream, rate) for rate in rates]}, b""

    def _on_profile(self, header: wire.Header, _: bytearray) -> tuple[wire.Header, bytes]:
        if not isinstance(self.codec, Profiled):
            raise CodecError("the codec is not Profiled")
        return vars(self.codec.profile(header["height"], header["width"])), b""

    def _measure(
        self, header: wire.Header, call: Callable[[], T], keep: int | None = None
    ) -> tuple[wire.Header, list[T]]:
        """Warm up, then time ``repeats`` calls. ``keep`` limits how many results are held.

        A call that takes longer than ``cap_ms`` is the last; it counts as a sample even if it was
        meant as a warm-up.
        """
        cap_ms = header["cap_ms"]
        results: list[T] = []
        samples: list[float] = []
        peaks = Peaks(0)
        for index in range(header["warmup"] + header["repeats"]):
            reset_peaks()
            result, ms = timed(call)
            peak = read_peaks()
            if isinstance(self.codec, SelfTimed):
                report = self.codec.last_call()
                ms, peak = report.ms, Peaks(report.peak_rss_bytes or 0)
            if len(results) < (keep or index + 1):
                results.append(result)
            capped = cap_ms is not None and ms > cap_ms
            warm_up = index < header["warmup"] and not capped
            if not warm_up:
                samples.append(ms)
                peaks = highest(peaks, peak)
            wire.send(self.sock, {"event": "sample", "ms": ms, "warm_up": warm_up})
            if capped:
                break
        figures: wire.Header = {
            "samples_ms": samples,
            "peak_rss_bytes": peaks.rss or None,
            "peak_device_bytes": peaks.device,
            "peak_device_reserved_bytes": peaks.device_reserved,
        }
        return figures, results


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


def checked_bytes(result: object) -> bytes:
    """What ``encode`` returned, which must be bytes and not empty."""
    if not isinstance(result, (bytes, bytearray, memoryview)):
        raise WrongOutput(Reason.TYPE, f"encode returned {type(result).__name__}, not bytes")
    if not len(result):
        raise WrongOutput(Reason.EMPTY, "encode returned no bytes")
    return bytes(result)


def checked_image(result: object) -> Image:
    """What ``decode`` returned, which must be uint8, H x W x 3. The harness checks H and W."""
    if not isinstance(result, np.ndarray):
        raise WrongOutput(
            Reason.TYPE, f"decode returned {type(result).__name__}, not a numpy array"
        )
    if result.dtype != np.uint8:
        raise WrongOutput(Reason.DTYPE, f"decode returned {result.dtype}, not uint8")
    if result.ndim != 3 or result.shape[2] != 3:  # noqa: PLR2004 - H, W, RGB
        raise WrongOutput(Reason.SHAPE, f"decode returned shape {result.shape}, not H x W x 3")
    return result


def explain(error: Exception) -> wire.Header:
    """What an exception means for a case: status, reason, problem and remedy."""
    text = str(error)
    described = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if any(cls.__name__ == "OutOfMemoryError" for cls in type(error).__mro__):
        return _answer(Status.OUT_OF_MEMORY, Reason.DEVICE, described)
    if isinstance(error, MemoryError) or "DefaultCPUAllocator" in text:
        return _answer(Status.OUT_OF_MEMORY, Reason.HOST, described)
    if isinstance(error, WrongOutput):
        return _answer(Status.WRONG_OUTPUT, error.reason, text)
    for kind, status, reason in REFUSALS:
        if isinstance(error, kind):
            return _answer(status, reason, error.problem, error.remedy)
    return _answer(Status.FAILED, Reason.EXCEPTION, described)


def _answer(status: Status, reason: Reason, problem: str, remedy: str = "") -> wire.Header:
    return {"status": status, "reason": reason, "problem": problem, "remedy": remedy}


def die_with_parent() -> None:
    """Ask Linux to kill this process when the harness dies, and first when memory runs out."""
    prctl_set_pdeathsig = 1
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(prctl_set_pdeathsig, signal.SIGKILL)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def die_with_connection(sock: socket.socket) -> None:
    """End this process when the harness is gone: in a container it is not the harness's child."""

    def watch() -> None:
        poll = select.poll()
        poll.register(sock, select.POLLRDHUP)
        poll.poll()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    """Connect to the harness and serve it."""
    die_with_parent()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.connect(sys.argv[1])
        wire.widen(sock)
        die_with_connection(sock)
        Session(sock).serve()


if __name__ == "__main__":
    main()
