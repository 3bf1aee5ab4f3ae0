"""Measures one batch: an encode pass in one process, a decode pass in another, one shard.

The decoder gets the bytes and nothing else: it runs in a process that never saw the image.
After the encode pass the encoding process decodes the first bitstream too; where that gives
another image than the decode pass, or succeeds where the decode pass fails, the codec needs
something outside its bytes, and the records say so.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from harness.catalog.codec_spec import RateSpec
from harness.codec import Image
from harness.environments import Environment, choose
from harness.environments.client import Limits, Measured, WorkerFailure
from harness.environments.resident import ResidentCodec
from harness.errors import HarnessError
from harness.images.files import write_png
from harness.plan.cases import Batch, Case, Settings, device_of
from harness.store.run_store import RunStore
from harness.store.shards import write_bytes

LOAD_SECONDS = 1800.0
SAME_IMAGE = 1.0
"""Largest mean difference, in 8-bit steps, of two decodings that count as the same image."""

Row = dict[str, Any]
ReadImage = Callable[[Batch, Case], Image]
"""Gives the image of a case at its batch's resolution; raises ``HarnessError`` if it cannot."""


@dataclass(frozen=True)
class Context:
    """What the batches of a run share."""

    store: RunStore
    settings: Settings
    read_image: ReadImage
    keep_image: Callable[[str, Image], None]
    finished: Callable[[Batch, Row], None]
    machine: str
    invocation: str
    record: Callable[[list[Row]], None]
    speed_only: bool = False
    """Time and memory alone: no probe of the decoder, no reconstruction for the metrics."""


@dataclass
class Progress:
    """One case on its way through the two passes."""

    case: Case
    row: Row
    bitstream: bytes | None = None
    done: bool = False
    seconds: float = 0.0

    def fail(self, failure: WorkerFailure) -> None:
        """End the case with the status of a failure."""
        self.end(failure.status, failure.reason, failure.message)

    def end(self, status: str, reason: str | None = None, message: str | None = None) -> None:
        """End the case."""
        self.row.update(status=status, reason=reason, message=message)
        self.done = True


def record_unavailable(batch: Batch, context: Context, reason: str) -> None:
    """Record the cases of a codec that cannot run here, without trying."""
    rows = [
        {**_identity(batch, case, context), "status": "unavailable", "reason": "missing",
         "message": reason}
        for case in batch.cases
    ]  # fmt: skip
    context.record(rows)
    for row in rows:
        context.finished(batch, row)


def measure_batch(batch: Batch, context: Context) -> None:
    """Measure the cases of a batch and write them as one shard.

    What was finished is written also when the batch is interrupted.
    """
    environment = choose(batch.codec, context.settings.environment)
    label = environment.label
    progress = [
        Progress(case, {**_identity(batch, case, context), "environment": label})
        for case in batch.cases
    ]
    log = context.store.file("logs", batch.place(batch.cases[0])[:3], batch.cases[0].id, ".log")
    passes = Passes(batch, context, environment, log)
    try:
        passes.encode(progress)
        passes.decode(progress)
    finally:
        rows = [_finish(p, log) for p in progress if p.done]
        if rows:
            context.record(rows)


@dataclass
class Passes:
    """The two passes over a batch, each in a worker that is started again when it dies."""

    batch: Batch
    context: Context
    environment: Environment
    log: Path
    probe: Image | None = None
    """The first bitstream of the batch as the encoding process decodes it."""
    leak: tuple[str, str] | None = None
    """Status and message of a codec whose decoder needs something outside the bytes."""

    def encode(self, progress: Sequence[Progress]) -> None:
        """Encode every image, and write the bitstreams."""
        by_image: dict[str, list[Progress]] = {}
        for item in progress:
            by_image.setdefault(item.case.image.name, []).append(item)
        rate = self.batch.codec.rates[-1] if self.batch.codec.progressive else self.batch.rates[0]
        with self._resident(rate) as codec:
            for items in by_image.values():
                self._encode_image(codec, items)
            if not self.context.speed_only:
                self._probe(codec, progress)

    def _encode_image(self, codec: ResidentCodec, items: list[Progress]) -> None:
        """Encode one image for all its rate points: more than one where they are prefixes."""
        start = time.perf_counter()
        try:
            image = self.context.read_image(self.batch, items[0].case)
        except HarnessError as error:
            self._end(items, "failed", "image", str(error))
            return
        height, width, _ = image.shape
        for item in items:
            item.row.update(height=height, width=width)
        limit = self.batch.codec.constraints.max_pixels
        if limit is not None and height * width > limit:
            text = f"{height}x{width} is over the codec's limit of {limit} pixels"
            self._end(items, "unavailable", "image", text)
            return
        try:
            with codec.use() as worker:
                stream, measured, deterministic = worker.encode(
                    image,
                    warmup=codec.warmup(image.shape, self.context.settings.warmup),
                    repeats=self.context.settings.repeats,
                    cap_ms=self.context.settings.cap_ms,
                )
                lengths = [len(stream)]
                if self.batch.codec.progressive:
                    fields = [codec.fields(item.case.rate) for item in items]
                    lengths = worker.prefixes(stream, fields)
                profile = codec.profile(height, width)
        except WorkerFailure as failure:
            for item in items:
                item.fail(failure)
                self.context.finished(self.batch, item.row)
            return
        share = (time.perf_counter() - start) / len(items)
        for item, length in zip(items, lengths, strict=True):
            item.bitstream = stream[:length]
            item.seconds += share
            item.row.update(
                profile,
                **_loading(codec),
                bytes=length,
                bpp=8 * length / (height * width),
                bitstream_sha256=hashlib.sha256(item.bitstream).hexdigest(),
                deterministic=deterministic,
                **_timing("encode", measured),
            )
            if self.context.settings.keep != "none":
                write_bytes(self._file("bitstreams", item.case, ".bin"), item.bitstream)
                item.row["kept_bytes"] = length

    def _probe(self, codec: ResidentCodec, progress: Sequence[Progress]) -> None:
        """Decode the first bitstream where it was made; failures are for the decode pass."""
        first = next((item for item in progress if item.bitstream is not None), None)
        if first is None or first.bitstream is None:
            return
        with suppress(WorkerFailure), codec.use() as worker:
            if self.batch.codec.progressive:
                worker.load(codec.fields(first.case.rate))
            self.probe, _ = worker.decode(first.bitstream)

    def decode(self, progress: Sequence[Progress]) -> None:
        """Decode every bitstream in a fresh process, and write the reconstructions."""
        probed = next((item for item in progress if item.bitstream is not None), None)
        with self._resident(self.batch.rates[0]) as codec:
            for item in progress:
                if item.bitstream is not None and not item.done:
                    codec.rate = item.case.rate
                    self._decode_one(codec, item, first=item is probed)

    def _decode_one(self, codec: ResidentCodec, item: Progress, *, first: bool) -> None:
        assert item.bitstream is not None  # noqa: S101 - the caller's condition
        start = time.perf_counter()
        shape = (item.row["height"], item.row["width"], 3)
        image = None
        try:
            with codec.use() as worker:
                image, measured = worker.decode(
                    item.bitstream,
                    warmup=codec.warmup(shape, self.context.settings.warmup),
                    repeats=self.context.settings.repeats,
                    cap_ms=self.context.settings.cap_ms,
                )
        except WorkerFailure as failure:
            item.fail(failure)
        else:
            item.row.update(_timing("decode", measured), **_loading(codec))
            if image.shape == shape:
                item.end("ok", None, _remark(item.row))
            else:
                text = f"decode returned {image.shape[0]}x{image.shape[1]}, not {_size(shape)}"
                item.end("wrong_output", "shape", text)
        if first and self.probe is not None:
            self.leak = _leak(self.probe, image, item.row)
        if self.leak and item.row["status"] in {"ok", "failed", "wrong_output"}:
            status, message = self.leak
            item.end(status, "outside_bytes", message)
        if item.row["status"] == "ok" and image is not None:
            self._keep(item, image)
        item.seconds += time.perf_counter() - start
        self.context.finished(self.batch, item.row)

    def _keep(self, item: Progress, image: Image) -> None:
        """Keep the reconstruction for the metrics, in memory and (as PNG) on disk."""
        if self.batch.weights == "random" or self.context.speed_only:
            return  # never scored
        path = self._file("reconstructions", item.case, ".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(path, image)
        if self.context.settings.keep == "all":
            item.row["kept_bytes"] += path.stat().st_size
        self.context.keep_image(item.case.id, image)

    def _end(self, items: list[Progress], status: str, reason: str, message: str) -> None:
        for item in items:
            item.end(status, reason, message)
            self.context.finished(self.batch, item.row)

    def _resident(self, rate: RateSpec) -> ResidentCodec:
        settings = self.context.settings
        return ResidentCodec(
            self.batch.codec,
            rate,
            environment=self.environment,
            weights=self.batch.weights,
            device=device_of(self.batch.codec, settings),
            threads=settings.threads,
            limits=Limits(settings.timeout, LOAD_SECONDS, settings.memory_bytes),
            log=self.log,
        )

    def _file(self, kind: str, case: Case, suffix: str) -> Path:
        return self.context.store.file(kind, self.batch.place(case), case.id, suffix)


OUTSIDE_FAILS = (
    "the decoder fails in a fresh process but works in the one that encoded: it needs something "
    "that is not in the bitstream ({})"
)
OUTSIDE_DIFFERS = (
    "a fresh process decodes another image than the process that encoded: the decoder depends on "
    "something that is not in the bitstream"
)


def _leak(probe: Image, image: Image | None, row: Row) -> tuple[str, str] | None:
    """Status and message when the encoding process decodes, and a fresh one does not, or else."""
    if image is None:
        if row["status"] != "failed" and row["status"] != "wrong_output":
            return None  # a time or memory limit says nothing about the bytes
        return row["status"], OUTSIDE_FAILS.format(row["message"])
    if probe.shape == image.shape:
        difference = np.abs(probe.astype(np.int16) - image.astype(np.int16)).mean()
        if difference <= SAME_IMAGE:
            return None
    return "wrong_output", OUTSIDE_DIFFERS


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[0]}x{shape[1]}"


def _identity(batch: Batch, case: Case, context: Context) -> Row:
    codec, settings = batch.codec, context.settings
    return {
        "case": case.id,
        "codec": codec.name,
        "title": codec.title,
        "family": codec.family,
        "rate": case.rate.id,
        "rate_index": codec.rates.index(case.rate),
        "checkpoint": batch.checkpoint,
        "weights": batch.weights,
        "options": json.dumps({**codec.options, **case.rate.options}, sort_keys=True),
        "dataset": batch.dataset,
        "image": case.image.name,
        "image_sha256": case.image.sha256,
        "resolution": str(batch.resolution),
        "device": device_of(codec, settings),
        "threads": settings.threads,
        "repeats": settings.repeats,
        "timing_scope": codec.timing_scope,
        "shared_encode": codec.progressive,
        "machine": context.machine,
        "invocation": context.invocation,
        "status": None,
        "kept_bytes": 0,
        "started": datetime.now(UTC),
    }


def _timing(which: str, measured: Measured) -> Row:
    return {
        f"{which}_ms": statistics.median(measured.samples_ms),
        f"{which}_samples_ms": measured.samples_ms,
        f"{which}_peak_rss_bytes": measured.peak_rss_bytes,
        f"{which}_peak_device_bytes": measured.peak_device_bytes,
        f"{which}_peak_device_reserved_bytes": measured.peak_device_reserved_bytes,
    }


def _loading(codec: ResidentCodec) -> Row:
    if codec.loaded is None:
        return {}
    facts = json.dumps(dict(codec.loaded.facts), sort_keys=True)
    return {"load_ms": codec.loaded.ms, "facts": facts}


def _remark(row: Row) -> str | None:
    if row.get("deterministic") is False:
        return "not deterministic: encoding the image again gave other bytes"
    return None


def _finish(item: Progress, log: Path) -> Row:
    row = {**item.row, "wall_ms": item.seconds * 1e3}
    if row["status"] not in {"ok", "unavailable"}:
        row["message"] = f"{row['message']}; log: {log}"
    return row
