"""Compares a candidate with its base: did bits, quality or speed get worse, or did it not run?

Everything is paired by image. A change for the worse fails the gate where it is certain (see
:mod:`harness.gate.flips` and :mod:`harness.gate.speed`) and large enough to
matter (see :mod:`harness.gate.limits`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from harness.analysis.records import ImageSet
from harness.gate.finding import Finding, Verdict
from harness.gate.limits import Limits
from harness.gate.pairs import Pairs, Side, pair
from harness.gate.quality import quality_findings
from harness.gate.speed import judges_time, speed_findings, timings_of


@dataclass(frozen=True)
class Comparison:
    """All that a candidate was compared in.

    Attributes:
        base: What the base is called.
        candidate: What the candidate is called.
        findings: By image set, codec and rate point.
        notes: What could not be compared, and why.
        limits: What was judged by.
        quality_level: The share of the limits' level that bits and quality had.
    """

    base: str
    candidate: str
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    limits: Limits
    quality_level: float

    @cached_property
    def regressions(self) -> tuple[Finding, ...]:
        """What makes the gate fail."""
        return tuple(f for f in self.findings if f.fails)


def compare(base: Side, candidate: Side, limits: Limits | None = None) -> Comparison:
    """Compare a candidate with its base.

    Args:
        base: What counts as good.
        candidate: What may have got worse.
        limits: How large a change must be to count.

    Raises:
        HarnessError: Nothing can be compared; see :func:`harness.gate.pairs.pair`.
    """
    limits = limits or Limits()
    pairs = pair(base, candidate)
    timings = list(timings_of(pairs.base, pairs.candidate))
    level = limits.level / 2 if judges_time(timings, limits) else limits.level
    findings = [
        *_status_findings(pairs, limits),
        *quality_findings(pairs.base, pairs.candidate, limits, level),
        *speed_findings(timings, limits),
    ]
    notes = tuple(_notes(pairs, limits))
    return Comparison(base.name, candidate.name, tuple(findings), notes, limits, level)


POINT = ["dataset", "resolution", "codec", "rate_index", "rate"]


def _status_findings(pairs: Pairs, limits: Limits) -> Iterator[Finding]:
    """What stopped running, what runs now, and what is missing where that counts."""
    yield from _by_status(pairs.gone, "did not run")
    if limits.fail_on_missing:
        missing = pairs.only_base.assign(status="missing", message="the candidate lacks it")
        yield from _by_status(missing, "did not run")
    yield from _by_status(pairs.fixed, "runs now")


def _by_status(rows: pd.DataFrame, verdict: Verdict) -> Iterator[Finding]:
    for key, group in rows.groupby([*POINT, "status"], sort=True, dropna=False):
        dataset, resolution, codec, _, rate, status = map(str, key)
        messages = group["message"].fillna("").astype(str)
        yield Finding(
            "status", status, codec, str(group["title"].iloc[0]), ImageSet(dataset, resolution),
            rate, verdict, images=len(group), note=messages.iloc[0],
        )  # fmt: skip


def _notes(pairs: Pairs, limits: Limits) -> Iterator[str]:
    """What was not compared at all."""
    left_out = [
        (pairs.failing, "ok on neither side"),
        (pairs.only_candidate, "in the candidate alone"),
        (pairs.other_image, "of another image file of the same name"),
    ]
    if not limits.fail_on_missing:
        left_out.insert(0, (pairs.only_base, "in the base alone"))
    for rows, why in left_out:
        for key, group in rows.groupby(["codec", "dataset", "resolution"], sort=True):
            codec, dataset, resolution = map(str, key)
            rates = ", ".join(group.sort_values("rate_index")["rate"].unique())
            cases = f"{len(group)} case{'s' if len(group) > 1 else ''}"
            yield f"{codec} on {ImageSet(dataset, resolution).title}: {cases} {why} ({rates})"
