"""Encodes and decodes again, each in a process of its own, untimed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from harness.codec import Image
from harness.environments.client import Limits, WorkerFailure
from harness.environments.ready import Ready
from harness.environments.resident import ResidentCodec, WorkerSettings
from harness.errors import HarnessError
from harness.verify.originals import original
from harness.verify.subject import Subject


@dataclass(frozen=True)
class Coded:
    """A case made again.

    Attributes:
        bytes: Length of the bitstream.
        bitstream_sha256: Of the bitstream.
        facts: What the codec reports of itself once loaded, as JSON.
        height: Of the photograph, in pixels.
        width: In pixels.
        file: Where the decoded image lies, as numpy writes it: uint8, H x W x 3.
    """

    bytes: int
    bitstream_sha256: str
    facts: str
    height: int
    width: int
    file: Path

    @property
    def picture(self) -> Image:
        """The decoded image: uint8, H x W x 3."""
        image: Image = np.load(self.file)
        return image


@dataclass(frozen=True)
class Bench:
    """Where and under which limits codecs run.

    Attributes:
        call_seconds: The time limit of one encode or decode call, in seconds.
        memory_bytes: The limit on the resident memory of a codec's processes, in bytes.
        scratch: A folder for logs and decoded images.
    """

    call_seconds: float
    memory_bytes: int
    scratch: Path

    def code(self, group: Sequence[Subject]) -> Iterator[Coded | WorkerFailure | HarnessError]:
        """Encode and decode the cases of one :attr:`Subject.worker`; one result for each.

        All are encoded in one process and decoded in another, which gets the bytes alone.
        """
        ready = _together(group)
        made = self._encode(group, ready)
        with self._resident(group, ready) as codec:
            for number, (subject, encoded) in enumerate(zip(group, made, strict=True)):
                if isinstance(encoded, Exception):
                    yield encoded
                    continue
                codec.rate = subject.rate
                stream, size = encoded
                try:
                    image = codec.decode(stream)
                except WorkerFailure as failure:
                    yield failure
                    continue
                file = self.scratch / f"{number}-{subject.record['case']}.npy"
                np.save(file, image)
                facts = dict(codec.loaded.facts) if codec.loaded else {}
                yield Coded(
                    len(stream),
                    hashlib.sha256(stream).hexdigest(),
                    json.dumps(facts, sort_keys=True),
                    *size,
                    file,
                )

    def _encode(
        self, group: Sequence[Subject], ready: Ready
    ) -> list[tuple[bytes, tuple[int, int]] | WorkerFailure | HarnessError]:
        made: list[tuple[bytes, tuple[int, int]] | WorkerFailure | HarnessError] = []
        with self._resident(group, ready) as codec:
            for subject in group:
                try:
                    image = original(subject.source, subject.resolution)
                    made.append((_encoded(codec, subject, image), (image.shape[0], image.shape[1])))
                except (WorkerFailure, HarnessError) as failure:
                    made.append(failure)
        return made

    def _resident(self, group: Sequence[Subject], ready: Ready) -> ResidentCodec:
        limits = Limits.of(self.call_seconds, self.memory_bytes)
        threads = int(group[0].record["threads"])
        settings = WorkerSettings(threads, limits, self.scratch / "log")
        return ResidentCodec(ready, group[0].rate, settings)


def _together(group: Sequence[Subject]) -> Ready:
    """The codec with what it needs at all rate points of the group."""
    weights = {name: w for subject in group for name, w in subject.ready.weights.items()}
    return replace(group[0].ready, weights=weights)


def _encoded(codec: ResidentCodec, subject: Subject, image: Image) -> bytes:
    """The bitstream of a case: of a progressive codec, the prefix for its rate point."""
    progressive = subject.model.codec.progressive
    codec.rate = subject.model.codec.rates[-1] if progressive else subject.rate
    stream = codec.encode(image)
    if not progressive:
        return stream
    with codec.use() as worker:
        (length,) = worker.prefixes(stream, [subject.ready.fields(subject.rate)])
    return stream[:length]
