"""The columns of the results, each documented once: name, type, unit and meaning.

``cases`` hold what was measured, one row a case; ``scores`` hold the metrics in long form, one
row a case and metric. :func:`harness.load_results` joins them into the columns of
:data:`COLUMNS`.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

SCHEMA_VERSION = 1
"""Raised when an older harness could misread what is written."""


@dataclass(frozen=True)
class Column:
    """One column of a table of results."""

    name: str
    type: pa.DataType
    meaning: str
    unit: str = ""


CASE_COLUMNS = (
    Column("case", pa.string(), "the case's identity: a hash of all that decides its numbers"),
    Column("codec", pa.string(), "the codec's name, as typed on the command line"),
    Column("title", pa.string(), "the codec's name, as printed in tables"),
    Column("family", pa.string(), "the codec's family, such as classical or generative"),
    Column("rate", pa.string(), "the rate point's id"),
    Column("rate_index", pa.int32(), "place of the rate point in the manifest, from 0, by bitrate"),
    Column("checkpoint", pa.string(), "weights file and the head of its sha256; empty without"),
    Column("weights", pa.string(), "pretrained, random or none"),
    Column("options", pa.string(), "the codec's and the rate point's options, as JSON"),
    Column("dataset", pa.string(), "the data set's name"),
    Column("image", pa.string(), "the image's name within the data set"),
    Column("image_sha256", pa.string(), "sha256 of the source image's file"),
    Column("resolution", pa.string(), "'native', or height x width as asked"),
    Column("height", pa.int32(), "of the image that was coded", "px"),
    Column("width", pa.int32(), "of the image that was coded", "px"),
    Column("status", pa.string(), "ok, unavailable, timeout, out_of_memory, crashed, "
                                  "wrong_output or failed"),
    Column("reason", pa.string(), "a short code within the status, such as SIGSEGV or dtype"),
    Column("message", pa.string(), "what happened, with the remedy and the log's path"),
    Column("bytes", pa.int64(), "length of the bitstream", "B"),
    Column("bpp", pa.float64(), "8 * bytes / (height * width)", "bit/px"),
    Column("bitstream_sha256", pa.string(), "sha256 of the bitstream"),
    Column("deterministic", pa.bool_(), "whether repeated encodes gave the same bytes; null: "
                                        "encoded once"),
    Column("facts", pa.string(), "what the codec tells of itself once loaded, such as its version, "
                                 "as JSON"),
    Column("load_ms", pa.float64(), "time to load the model, timed apart", "ms"),
    Column("encode_ms", pa.float64(), "median of encode_samples_ms", "ms"),
    Column("decode_ms", pa.float64(), "median of decode_samples_ms", "ms"),
    Column("encode_samples_ms", pa.list_(pa.float64()), "every timed encode call", "ms"),
    Column("decode_samples_ms", pa.list_(pa.float64()), "every timed decode call", "ms"),
    Column("encode_peak_device_bytes", pa.int64(), "peak of the device allocator", "B"),
    Column("decode_peak_device_bytes", pa.int64(), "peak of the device allocator", "B"),
    Column("encode_peak_device_reserved_bytes", pa.int64(), "peak reserved by the allocator", "B"),
    Column("decode_peak_device_reserved_bytes", pa.int64(), "peak reserved by the allocator", "B"),
    Column("encode_peak_rss_bytes", pa.int64(), "peak resident memory of the process", "B"),
    Column("decode_peak_rss_bytes", pa.int64(), "peak resident memory of the process", "B"),
    Column("parameters", pa.int64(), "parameters of encoder and decoder"),
    Column("flops", pa.int64(), "encode and decode, by calflops; 1 FLOP = 2 MACs", "FLOP"),
    Column("flops_torch", pa.int64(), "the same by torch's own counter", "FLOP"),
    Column("device", pa.string(), "cpu, cuda or cuda:N"),
    Column("environment", pa.string(), "where the codec ran: inline, venv:NAME@TAG or "
                                       "docker:NAME@TAG"),
    Column("threads", pa.int32(), "threads the codec was given"),
    Column("repeats", pa.int32(), "timed calls asked for"),
    Column("timing_scope", pa.string(), "call: the calls alone, model resident; process: external "
                                        "programs, their start included"),
    Column("shared_encode", pa.bool_(), "whether encode_ms is that of one progressive bitstream "
                                        "which serves all rate points"),
    Column("machine", pa.string(), "fingerprint of the machine; equal ones may be compared"),
    Column("invocation", pa.string(), "the run manifest (runs/<id>.json) this was taken under"),
    Column("kept_bytes", pa.int64(), "what was written beside the record: bitstream and PNG", "B"),
    Column("wall_ms", pa.float64(), "all that measuring the case took, the harness included", "ms"),
    Column("started", pa.timestamp("us", tz="UTC"), "when its batch began"),
    Column("written", pa.int64(), "when the row was written; of two rows of a case the later "
                                  "counts", "ns"),
)  # fmt: skip

SCORE_COLUMNS = (
    Column("case", pa.string(), "the case scored"),
    Column("metric", pa.string(), "the metric's name"),
    Column("value", pa.float64(), "the metric's value; null where blank"),
    Column("reason", pa.string(), "why the value is blank"),
    Column("final", pa.bool_(), "false when a later run may fill the blank"),
    Column("card", pa.string(), "id of the metric's identity card (cards/<id>.json)"),
    Column("score_ms", pa.float64(), "time to score the case with all metrics at once", "ms"),
    Column("written", pa.int64(), "when the row was written", "ns"),
)

CASES = pa.schema([(c.name, c.type) for c in CASE_COLUMNS])
SCORES = pa.schema([(c.name, c.type) for c in SCORE_COLUMNS])

METRIC_COLUMNS = ("psnr", "ms_ssim", "lpips", "dists", "clip_iqa")
"""Always present after loading, empty where a metric was not asked for."""

COLUMNS = (
    Column("run", pa.string(), "the run's name (--name)"),
    *(c for c in CASE_COLUMNS if c.name != "written"),
    *(Column(m, pa.float64(), "see 'harness list metrics'") for m in METRIC_COLUMNS),
    *(Column(f"{m}_card", pa.string(), f"identity card of the {m} value") for m in METRIC_COLUMNS),
    Column("score_ms", pa.float64(), "time to score the case with all metrics at once", "ms"),
    Column("blanks", pa.string(), "JSON object: metric to the reason why its cell is blank"),
)
"""The columns of :func:`harness.load_results`."""
