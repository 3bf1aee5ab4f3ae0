"""The records of a run, and with them the columns of its tables: each is defined only here.

A case is a :class:`CaseRecord` from its start to the shard it is written to; a metric's value for a
case is a :class:`ScoreRecord`.
"""

# ruff: noqa: RUF009 - column() makes a field

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from harness.errors import Reason, Status


def column(meaning: str, unit: str = "", *, stored: str = "", default: Any = None) -> Any:
    """A field of a record that is a column of a table.

    Args:
        meaning: What the column holds.
        unit: Its unit, where it has one.
        stored: Its type on disk, if that does not follow from the annotation: ``int32``.
        default: The value where a record gives none; ``...`` if every record must give one.
    """
    facts = {"meaning": meaning, "unit": unit, "stored": stored}
    return field(metadata=facts) if default is ... else field(default=default, metadata=facts)


@dataclass(kw_only=True)
class CaseRecord:
    """What was measured for one case."""

    case: str = column(
        "the case's identity: a hash of everything that decides its numbers", default=...
    )
    codec: str = column("the codec's name, as typed on the command line", default=...)
    title: str = column("the codec's name, as printed in tables", default=...)
    family: str = column("the codec's family, such as classical or generative", default=...)
    rate: str = column("the rate point's id", default=...)
    rate_index: int = column(
        "position of the rate point in the manifest, from 0, by bitrate",
        stored="int32",
        default=...,
    )
    checkpoint: str = column("weights file and the start of its sha256; empty without", default=...)
    weights: str = column("pretrained, random or none", default=...)
    options: str = column("the codec's and the rate point's options, as JSON", default=...)
    dataset: str = column("the data set's name", default=...)
    image: str = column("the image's name within the data set", default=...)
    image_sha256: str = column("sha256 of the source image's file", default=...)
    resolution: str = column("'native', or height x width as requested", default=...)
    height: int | None = column("height of the coded image", "px", stored="int32")
    width: int | None = column("width of the coded image", "px", stored="int32")
    status: Status | None = column(f"{', '.join(list(Status)[:-1])} or {list(Status)[-1]}")
    reason: Reason | str | None = column("a short code within the status, such as SIGSEGV or dtype")
    message: str | None = column("what happened, with the remedy and the log's path")
    bytes: int | None = column("length of the bitstream", "B")
    header_bytes: int | None = column(
        "bytes outside the coded data: signature, header, container, metadata; null: not told", "B"
    )
    bpp: float | None = column("8 * bytes / (height * width)", "bit/px")
    bitstream_sha256: str | None = column("sha256 of the bitstream")
    picture_sha256: str | None = column(
        "sha256 of the decoded picture: its uint8 pixels, height x width x 3, in C order"
    )
    reconstruction_sha256: str | None = column(
        "sha256 of the PNG that is kept of the decoded picture; null where none is kept"
    )
    deterministic: bool | None = column(
        "whether repeated encodes gave the same bytes; null: encoded once"
    )
    facts: str | None = column(
        "what the codec reports of itself once loaded, such as its version, as JSON"
    )
    load_ms: float | None = column("time to load the model, timed separately", "ms")
    encode_ms: float | None = column("median of encode_samples_ms", "ms")
    decode_ms: float | None = column("median of decode_samples_ms", "ms")
    encode_samples_ms: list[float] | None = column("every timed encode call", "ms")
    decode_samples_ms: list[float] | None = column("every timed decode call", "ms")
    encode_peak_device_bytes: int | None = column("peak of the device allocator", "B")
    decode_peak_device_bytes: int | None = column("peak of the device allocator", "B")
    encode_peak_device_reserved_bytes: int | None = column("peak reserved by the allocator", "B")
    decode_peak_device_reserved_bytes: int | None = column("peak reserved by the allocator", "B")
    encode_peak_rss_bytes: int | None = column("peak resident memory of the process", "B")
    decode_peak_rss_bytes: int | None = column("peak resident memory of the process", "B")
    parameters: int | None = column("parameters of encoder and decoder")
    flops: int | None = column("encode and decode, by calflops; 1 FLOP = 2 MACs", "FLOP")
    flops_torch: int | None = column("the same by torch's own counter", "FLOP")
    device: str = column("cpu, cuda or cuda:N", default=...)
    environment: str | None = column(
        "where the codec ran: inline with the libraries it needs, venv:NAME@TAG or docker:NAME@TAG"
    )
    threads: int = column("threads the codec was given", stored="int32", default=...)
    repeats: int = column(
        "timed calls requested; fast codecs get more", stored="int32", default=...
    )
    timing_scope: str = column(
        "call: the calls alone, with the model loaded; process: external programs, start included",
        default=...,
    )
    shared_encode: bool = column(
        "whether encode_ms is that of one progressive bitstream that serves all rate points",
        default=...,
    )
    machine: str = column(
        "fingerprint of hardware, driver, Python and torch; times with equal ones may be compared",
        default=...,
    )
    invocation: str = column("the run manifest (runs/<id>.json) of this measurement", default=...)
    frontier: str | None = column(
        "null outside the search for the largest image; 'tried' within it; on the largest that "
        "succeeded, why the search ended"
    )
    kept_bytes: int = column(
        "size of the files kept beside the record: bitstream and PNG", "B", default=0
    )
    wall_ms: float | None = column(
        "total time of measuring the case, including the harness's own", "ms"
    )
    started: datetime = column("when its batch began", default=...)
    written: int = column(
        "when the row was written; of two rows for a case the later counts", "ns", default=0
    )


@dataclass(kw_only=True)
class ScoreRecord:
    """One metric for one case."""

    case: str = column("the scored case", default=...)
    metric: str = column("the metric's name", default=...)
    value: float | None = column("the metric's value; null where blank")
    reason: str | None = column("why the value is blank")
    final: bool = column("false when a later run may fill the blank", default=True)
    card: str | None = column("id of the metric's identity card (cards/<id>.json)")
    measured: int | None = column(
        "when the row of the scored case was written: a score counts for that row alone", "ns"
    )
    score_ms: float | None = column("time to score the case with all metrics at once", "ms")
    written: int = column("when the row was written", "ns", default=0)
