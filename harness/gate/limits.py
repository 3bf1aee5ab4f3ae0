"""How large a change must be to count: the gate's limits, and the TOML file that sets them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.analysis.intervals import SAMPLES
from harness.catalog.metrics import BITRATE, METRICS, Limit
from harness.catalog.toml import Table, read_toml
from harness.errors import ManifestError, UnknownName

BD_RATE = Limit(absolute=1.0)
"""In percent of bitrate."""


@dataclass(frozen=True)
class Limits:
    """When the gate fails.

    Attributes:
        level: The chance that it fails where nothing has changed, over all it looks at. Half of
            it goes to bits and quality, half to speed; bits and quality have all of it where no
            time is judged.
        fail_on_missing: Whether cases that only the base has fail it.
        bits: Limit of the mean bitrate at a rate point.
        bd_rate: Limit of the BD-rate of the candidate against the base, in percent.
        metrics: Limits by metric.
        slower: The ratio of times from which on the candidate is slower; ``None``: not judged.
        floor_ms: Differences of time under it never count.
        samples: Bootstrap samples and sign flips.
    """

    level: float = 0.05
    fail_on_missing: bool = False
    bits: Limit = BITRATE.limit
    bd_rate: Limit = BD_RATE
    metrics: Mapping[str, Limit] = field(
        default_factory=lambda: {metric.name: metric.limit for metric in METRICS.values()}
    )
    slower: float | None = 1.15
    floor_ms: float = 1.0
    samples: int = SAMPLES

    def of(self, metric: str) -> Limit:
        """The limit of a metric; one that nobody has set is reported and not judged."""
        return self.metrics.get(metric, Limit())


def read_limits(path: Path) -> Limits:
    """The limits that a TOML file sets; what it leaves out stays at its default.

    Raises:
        ManifestError: The file does not read, or has a wrong or unknown key or value.
        UnknownName: It names a metric that the harness does not know.
    """
    top = read_toml(path)
    usual = Limits()
    slower, floor_ms = _speed(top.table("speed", required=False), usual)
    limits = replace(
        usual,
        level=_within(top, "level", usual.level, 1e-6, 0.5),
        fail_on_missing=top.boolean("fail_on_missing", default=usual.fail_on_missing),
        bits=_limit(top.table("bits", required=False), usual.bits),
        bd_rate=_percent(top.table("bd_rate", required=False), usual.bd_rate),
        metrics={**usual.metrics, **dict(_metric(n, t) for n, t in top.named_tables("metrics"))},
        slower=slower,
        floor_ms=floor_ms,
    )
    top.done()
    return limits


def _metric(name: str, table: Table) -> tuple[str, Limit]:
    if name not in METRICS:
        raise UnknownName("metric", name, METRICS, f"in {table.where}")
    return name, _limit(table, Limit())


def _limit(table: Table | None, usual: Limit) -> Limit:
    if table is None:
        return usual
    absolute = table.number("absolute", default=None)
    percent = table.number("percent", default=None)
    judged = table.boolean("judged", default=True)
    table.done()
    given = [value for value in (absolute, percent) if value is not None]
    if len(given) != (1 if judged else 0):
        raise ManifestError(
            f"{table.where}: give either 'absolute' or 'percent', or 'judged = false' alone"
        )
    if any(value < 0 for value in given):
        raise ManifestError(f"{table.where}: a limit cannot be negative")
    return Limit(absolute, percent)


def _percent(table: Table | None, usual: Limit) -> Limit:
    """A limit that is in percent by its nature."""
    if table is None:
        return usual
    limit = _limit(table, usual)
    if limit.absolute is not None:
        raise ManifestError(f"{table.where}: a BD-rate has no 'absolute' limit", "give 'percent'")
    return Limit(absolute=limit.percent)


def _speed(table: Table | None, usual: Limits) -> tuple[float | None, float]:
    if table is None:
        return usual.slower, usual.floor_ms
    judged = table.boolean("judged", default=True)
    ratio = _within(table, "ratio", usual.slower or 0.0, 1.0, float("inf"))
    floor = _within(table, "floor_ms", usual.floor_ms, 0.0, float("inf"))
    table.done()
    return (ratio if judged else None), floor


def _within(table: Table, key: str, usual: float, low: float, high: float) -> float:
    value = float(table.number(key, default=usual))
    if not low <= value <= high:
        top = "" if high == float("inf") else f" and at most {high:g}"
        raise ManifestError(f"{table.where}: '{key}' must be at least {low:g}{top}, not {value:g}")
    return value
