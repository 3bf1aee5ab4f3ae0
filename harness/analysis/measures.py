"""What the analysis must know of a metric: its name, its direction, and how to print it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from harness.errors import HarnessError, UnknownName
from harness.metrics.card import METRICS


@dataclass(frozen=True)
class Measure:
    """One column of results that says how good a reconstruction is.

    Attributes:
        name: The column's name.
        title: The name that tables and figures print.
        higher_is_better: The metric's direction.
        decimals: How many decimals a table prints.
        unit: The unit, or an empty string.
        needs_reference: Whether it compares with the original. Without, a BD-rate is dubious.
    """

    name: str
    title: str
    higher_is_better: bool
    decimals: int
    unit: str
    needs_reference: bool

    @property
    def arrow(self) -> str:
        """``↑`` where higher is better, else ``↓``."""
        return "↑" if self.higher_is_better else "↓"

    @property
    def sign(self) -> int:
        """1 where higher is better, else -1: what turns a value into a goodness."""
        return 1 if self.higher_is_better else -1

    @property
    def label(self) -> str:
        """Title, unit and direction, as over an axis or a column: ``PSNR (dB) ↑``."""
        unit = f" ({self.unit})" if self.unit else ""
        return f"{self.title}{unit} {self.arrow}"


MEASURES = {
    metric.name: Measure(
        metric.name,
        metric.label,
        higher_is_better=metric.direction == "higher",
        decimals=2 if metric.unit == "dB" else 4,
        unit=metric.unit,
        needs_reference=metric.needs_reference,
    )
    for metric in METRICS.values()
}
"""Every metric that the harness knows, in the order in which tables show them."""


def measure_named(name: str) -> Measure:
    """The measure of that name; hyphens are accepted for underscores.

    Raises:
        UnknownName: There is none; the message names the nearest.
    """
    key = name.strip().lower().replace("-", "_")
    if key == "bpp":
        raise HarnessError("bpp is the rate, not a quality", "name a metric such as psnr")
    if key not in MEASURES:
        raise UnknownName("metric", name, MEASURES)
    return MEASURES[key]


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
