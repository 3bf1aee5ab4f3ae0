"""The parsers of what a run reads back: a worker's answers, and the files of its folder."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import socket
import struct
from pathlib import Path

from campaigns.parsing.parser import Parser, in_file, refused_by, scratch


class Ended:
    """The process of a worker that has sent its answer and ended."""

    def memory_bytes(self) -> None:
        """Nothing is watched."""

    def has_ended(self) -> bool:
        """It has."""
        return True

    def wait(self, seconds: float) -> None:
        """Nothing is known of how."""

    def kill(self) -> None:
        """There is nothing to end."""


def answer() -> Parser:
    """A worker's answer to a request to encode, from the socket to the bitstream."""
    from harness.environments.answers import (
        ERROR,
        TRUTH,
        BadAnswer,
        check_length,
        check_times,
        checked,
        event_of,
        figures,
    )
    from harness.environments.connection import Connection
    from harness.environments.limits import Watch, WorkerGone
    from harness.worker.timing import Calls

    rules = {**figures(Calls()), "deterministic": TRUTH.or_null()}
    longest = 1 << 12

    def parse(data: bytes) -> None:
        ours, theirs = socket.socketpair()
        with theirs, contextlib.closing(Connection(ours)) as connection:
            theirs.sendall(data)
            theirs.shutdown(socket.SHUT_WR)
            watch = Watch(Ended(), "encode", 5.0, 1 << 40)
            header, length = connection.receive(watch)
            event = event_of(header, 1)
            fields = checked(header, rules if event == "done" else ERROR)
            json.dumps(fields, allow_nan=False).encode()
            check_times(fields, 1e4)
            check_length(length, *((1, longest) if event == "done" else (0, 0)))
            assert len(connection.read(length, watch)) == length <= longest

    def repair(data: bytes) -> bytes:
        """Lengths that fit what follows them."""
        text = data[12:].partition(b"\n")
        header, payload = (text[0] + text[1], text[2]) if text[1] else (data[12:], b"")
        return struct.pack(">IQ", len(header), len(payload)) + header + payload

    def frame(header: object, payload: bytes = b"") -> bytes:
        text = json.dumps(header).encode() + b"\n" * bool(payload)
        return struct.pack(">IQ", len(text), len(payload)) + text + payload

    times = {"samples_ms": [1.5, 2], "peak_rss_bytes": 3, "peak_device_bytes": None,
             "peak_device_reserved_bytes": None}  # fmt: skip
    done = {"id": 1, "event": "done", **times, "deterministic": None}
    error = {"status": "failed", "reason": "codec", "problem": "x", "remedy": ""}
    seeds = [
        frame(done, b"bitstream"),
        frame({"id": 1, "event": "error", **error}),
        frame({"id": 1, "event": "call"}),
        frame([]),
        frame({**done, "id": 2}, b"b"),
    ]
    tokens = [*done, *error, "NaN", "Infinity", "1e999", "\\ud800"]
    return Parser(refused_by((BadAnswer, WorkerGone), parse), seeds, repair, tokens)


def document() -> Parser:
    """A JSON file of a run's folder, whose digest is made to match."""
    from harness.store.documents import DamagedDocument, read_json, write_json

    context = contextlib.ExitStack()
    atexit.register(context.close)
    path = context.enter_context(scratch()) / "input.json"

    def sealed(data: object) -> bytes:
        write_json(path, data if isinstance(data, dict) else {"value": data})
        return path.read_bytes()

    def repair(data: bytes) -> bytes:
        try:
            read = json.loads(data)
        except (ValueError, RecursionError):
            return data
        if isinstance(read, dict):
            read.pop("sha256", None)
        return sealed(read)

    def parse(data: bytes) -> None:
        path.write_bytes(data)
        assert isinstance(read_json(path), dict)

    seeds = [sealed({"schema": 1}), sealed({"a": {"b": [1.5, None, "é"]}}), b"[" * 100_000, b"{}"]
    return Parser(refused_by(DamagedDocument, parse), seeds, repair)


def shard() -> Parser:
    """A shard of records whose name fits its bytes, as anyone can make one for a bundle."""
    import pyarrow as pa

    from harness.errors import HarnessError
    from harness.store import schema
    from harness.store.shards import DIGITS, read_shard, write_shard

    context = contextlib.ExitStack()
    atexit.register(context.close)
    folder = context.enter_context(scratch())

    def parse(data: bytes) -> None:
        digest = hashlib.sha256(data).hexdigest()[:DIGITS]
        path = folder / f"20260101T000000000000-{digest}.parquet"
        path.write_bytes(data)
        try:
            table = read_shard(path, schema.SCORES)
        finally:
            path.unlink()
        assert table.schema.equals(schema.SCORES)

    row = {"case": "c", "metric": "psnr", "value": 31.5, "final": True, "written": 7}
    tables = [pa.Table.from_pylist([row], schema.SCORES), schema.SCORES.empty_table()]
    seeds = [write_shard(folder, table).read_bytes() for table in tables]
    foreign = pa.table({"case": ["c"], "metric": ["psnr"], "value": ["text"]})
    seeds.append(write_shard(folder, foreign).read_bytes())
    return Parser(refused_by(HarnessError, parse), seeds)


def store_version() -> Parser:
    """``store.json``, which says who wrote a run's folder."""
    from harness.errors import HarnessError
    from harness.store.run_store import check_version

    def parse(path: Path) -> None:
        check_version(path.parent)

    seeds = [b'{"schema": 1}', b'{"schema": 10000000000}', b"[]", b'{"schema": "1"}']
    return Parser(refused_by(HarnessError, in_file("store.json", parse)), seeds)
