"""What the analysis must know of a metric: its name, its direction, and how to print it."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from harness.catalog.metrics import METRICS, Metric, metric_named
from harness.errors import UnknownName

Measure = Metric
MEASURES = METRICS
measure_named = metric_named


def measures_in(frame: pd.DataFrame) -> list[Measure]:
    """The measures that have at least one value in ``frame``, in the usual order."""
    return [m for m in MEASURES.values() if m.name in frame and frame[m.name].notna().any()]


def name_among(kind: str, name: str, known: Iterable[str]) -> str:
    """``name`` as it stands in ``known``; case does not count, nor ``_`` against ``-``.

    Raises:
        UnknownName: There is none; the message names the nearest.
    """
    known = list(known)
    by_key = {k.lower().replace("_", "-"): k for k in known}
    key = name.strip().lower().replace("_", "-")
    if key not in by_key:
        raise UnknownName(kind, name, known)
    return by_key[key]
