"""Measures one batch: an encode pass in one process, a decode pass in another, one shard.

The decoder gets the bytes and nothing else: it runs in a process that never saw the image.
After the encode pass, the encoding process also decodes the first bitstream. If that gives a
different image than the decode pass, or succeeds where the decode pass fails, the codec needs
something outside its bytes, and the records say so.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.catalog.codec_spec import RateSpec
from harness.codec import Image
from harness.environments.client import Limits, WorkerFailure
from harness.environments.ready import Ready
from harness.environments.resident import ResidentCodec, WorkerSettings
from harness.errors import HarnessError, Reason, Status
from harness.images.files import picture_sha256
from harness.measure.context import Context
from harness.measure.recording import new_record, remark, set_loading, set_timing
from harness.plan.cases import Batch, Case
from harness.store.records import CaseRecord
from harness.store.shards import write_bytes
from harness.worker.timing import Calls

SAME_IMAGE = 1.0
"""Largest mean difference, in 8-bit steps, between two decodings that count as the same image."""


@dataclass
class Progress:
    """One case on its way through the two passes."""

    case: Case
    record: CaseRecord
    bitstream: bytes | None = None
    done: bool = False
    seconds: float = 0.0

    def fail(self, failure: WorkerFailure) -> None:
        """End the case with the status of a failure."""
        self.end(failure.status, failure.reason, str(failure.lack))

    def end(self, status: Status, reason: str | None = None, message: str | None = None) -> None:
        """End the case."""
        self.record.status, self.record.reason, self.record.message = status, reason, message
        self.done = True


def measure_batch(batch: Batch, context: Context) -> None:
    """Measure the cases of a batch and write them as one shard.

    Finished cases are written even if the batch is interrupted. The cases of a codec that cannot
    run here are recorded as such, without an attempt.
    """
    ready = batch.model.ready
    environment = ready.environment.label if isinstance(ready, Ready) else None
    progress = [
        Progress(case, new_record(batch, case, context, environment)) for case in batch.cases
    ]
    if not isinstance(ready, Ready):
        message = str(ready)
        for item in progress:
            item.end(Status.UNAVAILABLE, Reason.MISSING, message)
        context.recorder.add_cases([item.record for item in progress])
        for item in progress:
            context.observer.case(item.record)
        return
    log = context.store.file("logs", batch.place(batch.cases[0])[:3], batch.cases[0].id, ".log")
    passes = Passes(batch, ready, context, log)
    try:
        passes.encode(progress)
        passes.decode(progress)
    finally:
        if finished := [_finished(item, log) for item in progress if item.done]:
            context.recorder.add_cases(finished)


@dataclass
class Passes:
    """The two passes over a batch, each in a worker that is restarted if it dies."""

    batch: Batch
    ready: Ready
    context: Context
    log: Path
    probe: Image | None = None
    """The image that the encoding process decodes from the first bitstream of the batch."""
    leak: tuple[Status, str] | None = None
    """Status and message if the decoder needs something outside the bytes."""

    def encode(self, progress: Sequence[Progress]) -> None:
        """Encode every image, and write the bitstreams."""
        by_image: dict[str, list[Progress]] = {}
        for item in progress:
            by_image.setdefault(item.case.image.name, []).append(item)
        codec_rates = self.batch.codec.rates
        rate = codec_rates[-1] if self.batch.codec.progressive else self.batch.rates[0]
        with self._resident(rate) as codec:
            for items in by_image.values():
                self._encode_image(codec, items)
            if not self.context.speed_only:
                self._probe(codec, progress)

    def _encode_image(self, codec: ResidentCodec, items: list[Progress]) -> None:
        """Encode one image once for all of ``items``: several rate points if they are prefixes."""
        start = time.perf_counter()
        try:
            image = self.context.images.photograph(self.batch, items[0].case)
        except HarnessError as error:
            self._end(items, Status.FAILED, Reason.IMAGE, str(error))
            return
        height, width, _ = image.shape
        for item in items:
            item.record.height, item.record.width = height, width
        limit = self.batch.codec.constraints.max_pixels
        if limit is not None and height * width > limit:
            message = f"{height}x{width} is over the codec's limit of {limit} pixels"
            self._end(items, Status.UNAVAILABLE, Reason.IMAGE, message)
            return
        settings = self.context.settings
        try:
            with codec.use() as worker:
                calls = self._calls(codec, image.shape)
                stream, measured, deterministic = worker.encode(image, calls)
                lengths = [len(stream)]
                if self.batch.codec.progressive:
                    rates = [self.ready.fields(item.case.rate) for item in items]
                    lengths = worker.prefixes(stream, rates)
                headers = [worker.header_bytes(stream[:length]) for length in lengths]
                profile = codec.profile(height, width)
        except WorkerFailure as failure:
            for item in items:
                item.fail(failure)
                self.context.observer.case(item.record)
            return
        share = (time.perf_counter() - start) / len(items)
        for item, length, header in zip(items, lengths, headers, strict=True):
            item.bitstream = stream[:length]
            item.seconds += share
            record = item.record
            if profile is not None:
                record.parameters, record.flops = profile.parameters, profile.flops
                record.flops_torch = profile.flops_torch
            record.bytes, record.header_bytes = length, header
            record.bpp = 8 * length / (height * width)
            record.bitstream_sha256 = hashlib.sha256(item.bitstream).hexdigest()
            record.deterministic = deterministic
            set_loading(record, codec)
            set_timing(record, "encode", measured)
            if settings.keep != "none":
                write_bytes(self._file("bitstreams", item.case, ".bin"), item.bitstream)
                record.kept_bytes = length
            else:  # that of an earlier measurement is not this one's
                self._file("bitstreams", item.case, ".bin").unlink(missing_ok=True)

    def _probe(self, codec: ResidentCodec, progress: Sequence[Progress]) -> None:
        """Decode the first bitstream in the process that made it; failures are ignored here."""
        first = next((item for item in progress if item.bitstream is not None), None)
        if first is None or first.bitstream is None:
            return
        with suppress(WorkerFailure), codec.use() as worker:
            if self.batch.codec.progressive:
                worker.load(self.ready.fields(first.case.rate))
            pixels = (first.record.height or 0) * (first.record.width or 0)
            self.probe, _ = worker.decode(first.bitstream, most_pixels=pixels)

    def decode(self, progress: Sequence[Progress]) -> None:
        """Decode every bitstream in a fresh process, and write the reconstructions."""
        probed = next((item for item in progress if item.bitstream is not None), None)
        with self._resident(self.batch.rates[0]) as codec:
            for item in progress:
                if item.bitstream is not None and not item.done:
                    codec.rate = item.case.rate
                    self._decode_one(codec, item, item.bitstream, first=item is probed)

    def _decode_one(
        self, codec: ResidentCodec, item: Progress, bitstream: bytes, *, first: bool
    ) -> None:
        start = time.perf_counter()
        record = item.record
        shape = (record.height or 0, record.width or 0, 3)
        image = None
        try:
            with codec.use() as worker:
                image, measured = worker.decode(
                    bitstream, self._calls(codec, shape), most_pixels=shape[0] * shape[1]
                )
        except WorkerFailure as failure:
            item.fail(failure)
        else:
            set_timing(record, "decode", measured)
            set_loading(record, codec)
            if image.shape == shape:
                item.end(Status.OK, None, remark(record))
            else:
                message = f"decode returned {_size(image.shape)}, not {_size(shape)}"
                item.end(Status.WRONG_OUTPUT, Reason.SHAPE, message)
        if first and self.probe is not None:
            self.leak = _leak(self.probe, image, record)
        if self.leak and record.status in {Status.OK, Status.FAILED, Status.WRONG_OUTPUT}:
            status, message = self.leak
            item.end(status, Reason.OUTSIDE_BYTES, message)
        if record.status == Status.OK and image is not None:
            self._keep(item, image)
        item.seconds += time.perf_counter() - start
        self.context.observer.case(record)

    def _keep(self, item: Progress, image: Image) -> None:
        """Record which picture was decoded, and keep it for the metrics."""
        record = item.record
        if self.batch.model.weights == "random" or self.context.speed_only:
            record.picture_sha256 = picture_sha256(image)
            return  # never scored
        written = self.context.images.keep(self.batch, item.case, image)
        record.picture_sha256 = written.picture_sha256
        if self.context.settings.keep == "all":
            record.reconstruction_sha256 = written.file_sha256
            record.kept_bytes += written.bytes

    def _end(self, items: list[Progress], status: Status, reason: Reason, message: str) -> None:
        for item in items:
            item.end(status, reason, message)
            self.context.observer.case(item.record)

    def _calls(self, codec: ResidentCodec, shape: tuple[int, ...]) -> Calls:
        settings = self.context.settings
        return Calls(
            warmup=codec.warmup(shape, settings.warmup),
            repeats=settings.repeats,
            cap_ms=settings.cap_ms,
            steady=not self.context.is_search,
        )

    def _resident(self, rate: RateSpec) -> ResidentCodec:
        settings = self.context.settings
        limits = Limits.of(settings.timeout, settings.memory_bytes)
        return ResidentCodec(self.ready, rate, WorkerSettings(settings.threads, limits, self.log))

    def _file(self, kind: str, case: Case, suffix: str) -> Path:
        return self.context.store.file(kind, self.batch.place(case), case.id, suffix)


OUTSIDE_FAILS = (
    "the decoder fails in a fresh process but works in the one that encoded: it needs something "
    "that is not in the bitstream ({})"
)
OUTSIDE_DIFFERS = (
    "a fresh process decodes a different image than the one that encoded: the decoder depends on "
    "something that is not in the bitstream"
)


def _leak(probe: Image, image: Image | None, record: CaseRecord) -> tuple[Status, str] | None:
    """Status and message if a fresh process fails to decode, or decodes to a different image."""
    if image is None:
        if record.status not in {Status.FAILED, Status.WRONG_OUTPUT}:
            return None  # a time or memory limit says nothing about the bytes
        return record.status, OUTSIDE_FAILS.format(record.message)
    if probe.shape == image.shape:
        difference = np.abs(probe.astype(np.int16) - image.astype(np.int16)).mean()
        if difference <= SAME_IMAGE:
            return None
    return Status.WRONG_OUTPUT, OUTSIDE_DIFFERS


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[0]}x{shape[1]}"


def _finished(item: Progress, log: Path) -> CaseRecord:
    record = item.record
    record.wall_ms = item.seconds * 1e3
    if record.status not in {Status.OK, Status.UNAVAILABLE}:
        record.message = f"{record.message}; log: {log}"
    return record
