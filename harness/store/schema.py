"""The columns of the results: those of the records, and those after loading.

``cases`` hold what was measured, one row per case; ``scores`` hold the metrics in long form, one
row per case and metric. :func:`harness.load_results` joins them into the columns of
:data:`COLUMNS`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, get_args, get_type_hints

import pyarrow as pa

from harness.catalog.metrics import METRICS
from harness.store.records import CaseRecord, ScoreRecord

SCHEMA_VERSION = 1
"""Increased when an older harness could misread what is written."""

TYPES: dict[Any, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    list[float]: pa.list_(pa.float64()),
    datetime: pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True)
class Column:
    """One column of a table of results."""

    name: str
    type: pa.DataType
    meaning: str
    unit: str = ""


def columns_of(record: type) -> tuple[Column, ...]:
    """The columns of a record class, in its order."""
    hints = get_type_hints(record)
    return tuple(
        Column(
            f.name,
            getattr(pa, f.metadata["stored"])() if f.metadata["stored"] else _type(hints[f.name]),
            f.metadata["meaning"],
            f.metadata["unit"],
        )
        for f in fields(record)
    )


def _type(hint: Any) -> pa.DataType:
    """The stored type of an annotation, ``X`` or ``X | None``; enumerations are strings."""
    if hint in TYPES:
        return TYPES[hint]
    kind = next(kind for kind in get_args(hint) or (hint,) if kind is not type(None))
    return TYPES[kind] if kind in TYPES else TYPES[str]


CASE_COLUMNS = columns_of(CaseRecord)
SCORE_COLUMNS = columns_of(ScoreRecord)

CASES = pa.schema([(c.name, c.type) for c in CASE_COLUMNS])
SCORES = pa.schema([(c.name, c.type) for c in SCORE_COLUMNS])

METRIC_COLUMNS = tuple(METRICS)
"""Always present after loading; empty where a metric was not requested."""

COLUMNS = (
    Column("run", pa.string(), "the run's name (--name)"),
    *(c for c in CASE_COLUMNS if c.name != "written"),
    *(Column(m, pa.float64(), "see 'harness list metrics'") for m in METRIC_COLUMNS),
    *(Column(f"{m}_card", pa.string(), f"identity card of the {m} value") for m in METRIC_COLUMNS),
    *(c for c in SCORE_COLUMNS if c.name == "score_ms"),
    Column("blanks", pa.string(), "JSON object: for each metric whose cell is blank, the reason"),
)
"""The columns of :func:`harness.load_results`."""
