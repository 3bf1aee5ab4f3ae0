"""Fills in the record of a case: what was measured, under which conditions, times and memory."""

from __future__ import annotations

import json
import statistics
from datetime import UTC, datetime

from harness.environments.client import Measured
from harness.environments.resident import ResidentCodec
from harness.measure.context import Context
from harness.plan.cases import Batch, Case
from harness.store.records import CaseRecord

TRIED = "tried"
"""The ``frontier`` of a record of the search for the largest image."""


def new_record(batch: Batch, case: Case, context: Context, environment: str | None) -> CaseRecord:
    """A record that states the case and the conditions under which it is measured."""
    codec, model, settings = batch.codec, batch.model, context.settings
    return CaseRecord(
        case=case.id,
        codec=codec.name,
        title=codec.title,
        family=codec.family,
        rate=case.rate.id,
        rate_index=codec.rates.index(case.rate),
        checkpoint=model.checkpoint,
        weights=model.weights,
        options=json.dumps({**codec.options, **case.rate.options}, sort_keys=True),
        dataset=batch.dataset,
        image=case.image.name,
        image_sha256=case.image.sha256,
        resolution=str(batch.resolution),
        device=model.device,
        environment=environment,
        threads=settings.threads,
        repeats=settings.repeats,
        timing_scope=codec.timing_scope,
        shared_encode=codec.progressive,
        machine=context.machine,
        invocation=context.invocation,
        frontier=TRIED if context.is_search else None,
        started=datetime.now(UTC),
    )


def set_timing(record: CaseRecord, which: str, measured: Measured) -> None:
    """Set the times and memory peaks of a pass, ``encode`` or ``decode``."""
    figures = {
        "ms": statistics.median(measured.samples_ms),
        "samples_ms": measured.samples_ms,
        "peak_rss_bytes": measured.peak_rss_bytes,
        "peak_device_bytes": measured.peak_device_bytes,
        "peak_device_reserved_bytes": measured.peak_device_reserved_bytes,
    }
    for name, value in figures.items():
        setattr(record, f"{which}_{name}", value)


def set_loading(record: CaseRecord, codec: ResidentCodec) -> None:
    """Set how long the model took to load, and what the codec reports of itself."""
    if codec.loaded is not None:
        record.load_ms = codec.loaded.ms
        record.facts = json.dumps(dict(codec.loaded.facts), sort_keys=True)


def remark(record: CaseRecord) -> str | None:
    """What a reader must know about a case that ended ``ok``, or ``None``."""
    if record.deterministic is False:
        return "not deterministic: encoding the image again gave different bytes"
    return None
