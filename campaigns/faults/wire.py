"""Answers that are none: what reaches the harness's socket past the worker's own code."""

from __future__ import annotations

import json
import math
import os
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

from harness.worker import wire

_send = wire.send


def _sockets() -> list[int]:
    """The descriptors of this process that are sockets."""
    found = []
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        try:
            if os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):  # noqa: PTH115
                found.append(int(name))
        except OSError:
            continue
    return found


def _put(data: bytes) -> None:
    for number in _sockets():
        os.write(number, data)


def _frame(header: bytes, payload: int = 0) -> bytes:
    return struct.pack(">IQ", len(header), payload) + header


def _answer(change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the header of every answer that follows."""

    def send(sock: socket.socket, header: Any, payload: Any = b"") -> None:
        if header.get("event") == "done":
            changed = json.dumps(change(header)).encode()
            sock.sendall(_frame(changed, len(payload)))
            sock.sendall(payload)
        else:
            _send(sock, header, payload)

    wire.send = send


def _set(**fields: Any) -> None:
    _answer(lambda header: {**header, **fields})


def garbage(_: Any) -> None:
    _put(os.urandom(4096))


def text_on_socket(_: Any) -> None:
    _put(b'{"event": "done"}\n')


def no_json(_: Any) -> None:
    _put(_frame(b"done"))


def list_of_json(_: Any) -> None:
    _put(_frame(b"[1, 2]"))


def no_utf8(_: Any) -> None:
    _put(_frame(b'{"event": "\xff\xfe"}'))


def deep_json(_: Any) -> None:
    _put(_frame(b"[" * 500_000))


def digits(_: Any) -> None:
    _put(_frame(b'{"id": ' + b"9" * 100_000 + b"}"))


def huge_payload(_: Any) -> None:
    _put(struct.pack(">IQ", 2, 1 << 60) + b"{}")


def huge_header(_: Any) -> None:
    _put(struct.pack(">IQ", (1 << 32) - 1, 0))


def huge_answer(_: Any) -> None:
    def send(sock: socket.socket, header: Any, payload: Any = b"") -> None:
        sock.sendall(_frame(json.dumps(header).encode(), 1 << 50 if len(payload) else 0))

    wire.send = send


def half_a_frame(_: Any) -> None:
    def send(sock: socket.socket, header: Any, payload: Any = b"") -> None:
        sock.sendall(_frame(json.dumps(header).encode(), len(payload))[:-7])
        time.sleep(1000)

    wire.send = send


def half_a_payload(_: Any) -> None:
    def send(sock: socket.socket, header: Any, payload: Any = b"") -> None:
        sock.sendall(_frame(json.dumps(header).encode(), len(payload)))
        sock.sendall(payload[: len(payload) // 2])
        time.sleep(1000)

    wire.send = send


def trickle(_: Any) -> None:
    def send(sock: socket.socket, header: Any, payload: Any = b"") -> None:
        for byte in _frame(json.dumps(header).encode(), len(payload)) + bytes(payload):
            sock.sendall(bytes([byte]))
            time.sleep(0.05)

    wire.send = send


def grow_while_answering(_: Any) -> None:
    def send(sock: socket.socket, header: Any, payload: Any = b"") -> None:
        sock.sendall(_frame(json.dumps(header).encode(), len(payload))[:-7])
        eaten = []
        while True:
            eaten.append(b"x" * (32 << 20))
            time.sleep(0.01)

    wire.send = send


def answer_twice(_: Any) -> None:
    def send(sock: socket.socket, header: Any, payload: Any = b"") -> None:
        _send(sock, header, payload)
        _send(sock, header, payload)

    wire.send = send


def calls_without_end(_: Any) -> None:
    def send(sock: socket.socket, header: Any, _: Any = b"") -> None:
        while True:
            _send(sock, {"id": header["id"], "event": "call"})

    wire.send = send


def other_request(_: Any) -> None:
    _answer(lambda header: {**header, "id": header["id"] - 1})


def no_request(_: Any) -> None:
    _answer(lambda header: {k: v for k, v in header.items() if k != "id"})


def true_as_request(_: Any) -> None:
    _set(id=True)


def unknown_event(_: Any) -> None:
    _set(event="ok")


def event_is_a_list(_: Any) -> None:
    _set(event=["done"])


def error_that_is_ok(_: Any) -> None:
    _answer(
        lambda h: {"id": h["id"], "event": "error", "status": "ok", "reason": "host",
                   "problem": "", "remedy": ""}
    )  # fmt: skip


def error_without_reason(_: Any) -> None:
    _answer(lambda h: {"id": h["id"], "event": "error", "status": "failed"})


def error_of_numbers(_: Any) -> None:
    _answer(
        lambda h: {"id": h["id"], "event": "error", "status": "failed", "reason": "codec",
                   "problem": 3, "remedy": None}
    )  # fmt: skip


def times_not_a_number(_: Any) -> None:
    _set(samples_ms=[math.nan])


def times_infinite(_: Any) -> None:
    _set(samples_ms=[math.inf])


def times_negative(_: Any) -> None:
    _set(samples_ms=[-5.0])


def times_huge(_: Any) -> None:
    _set(samples_ms=[1e300])


def times_huge_integer(_: Any) -> None:
    _set(samples_ms=[10**400])


def times_true(_: Any) -> None:
    _set(samples_ms=[True])


def times_text(_: Any) -> None:
    _set(samples_ms=["1.0"])


def times_null(_: Any) -> None:
    _set(samples_ms=None)


def times_none(_: Any) -> None:
    _set(samples_ms=[])


def times_many(_: Any) -> None:
    _set(samples_ms=[1.0] * 10_000)


def times_years(_: Any) -> None:
    _set(samples_ms=[1e11])


def memory_huge(_: Any) -> None:
    _set(peak_rss_bytes=1 << 70)


def memory_negative(_: Any) -> None:
    _set(peak_rss_bytes=-1)


def memory_float(_: Any) -> None:
    _set(peak_device_bytes=1.5)


def same_is_text(_: Any) -> None:
    _set(deterministic="yes")


def field_too_many(_: Any) -> None:
    _set(note="hello")


def field_missing(_: Any) -> None:
    _answer(lambda header: {k: v for k, v in header.items() if k != "peak_rss_bytes"})


def height_negative(_: Any) -> None:
    _set(height=-4, width=-4)


def height_huge(_: Any) -> None:
    _set(height=1 << 27, width=1 << 27)


def height_true(_: Any) -> None:
    _set(height=True)


def height_of_another(_: Any) -> None:
    _answer(lambda header: {**header, "height": header["height"] + 1})


def closes_its_socket(_: Any) -> None:
    for number in _sockets():
        os.close(number)


def shuts_its_socket(_: Any) -> None:
    for number in _sockets():
        socket.socket(fileno=os.dup(number)).shutdown(socket.SHUT_RDWR)


def never_reads_again(_: Any) -> None:
    wire.receive = lambda _: time.sleep(1000)


def answers_to_a_child(_: Any) -> None:
    """A child answers, too: for the next request its answer is stale."""
    os.fork()
