"""Bits, metrics and BD-rates of a comparison, all judged as one family of tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from harness.analysis.curves import Floats
from harness.analysis.intervals import LEVEL, MIN_IMAGES, mean_interval
from harness.analysis.records import image_sets, metrics_in
from harness.catalog.metrics import BITRATE, METRICS, Limit, Metric
from harness.gate.bd import bd_change
from harness.gate.finding import Finding, Verdict
from harness.gate.flips import FlipFamily, standardised
from harness.gate.limits import Limits

WEIGHED: frozenset[Verdict] = frozenset({"worse", "better", "small", "no change", "equal"})
"""Verdicts of a BD-rate that has been judged."""


def quality_findings(
    base: pd.DataFrame, candidate: pd.DataFrame, limits: Limits, level: float
) -> list[Finding]:
    """Bits and quality of a comparison; what was made with random weights is left out.

    Args:
        base: ``ok`` rows of the base; see :class:`harness.gate.pairs.Pairs`.
        candidate: The candidate's rows of the same cases, in the same order.
        limits: When a change counts.
        level: The chance that any of them fails where nothing has changed.
    """
    scored = ~base["random"].astype(bool)
    base, candidate = (frame[scored].reset_index(drop=True) for frame in (base, candidate))
    return _Quality(base, candidate, limits, level).findings()


class _Quality:
    """The findings of one comparison, and the family of tests that they share."""

    def __init__(
        self, base: pd.DataFrame, candidate: pd.DataFrame, limits: Limits, level: float
    ) -> None:
        self.base = base
        self.candidate = candidate
        images = self.base[["dataset", "image"]].drop_duplicates()
        names = zip(images["dataset"], images["image"], strict=True)
        self.units = {name: n for n, name in enumerate(names)}
        self.limits = limits
        self.level = level
        self.family = FlipFamily(len(self.units), limits.samples)

    def findings(self) -> list[Finding]:
        """All of them, judged."""
        found = list(self._measured())  # the family is whole before any is judged
        return _traded([self._judged(finding, statistic) for finding, statistic in found])

    def _measured(self) -> Iterator[tuple[Finding, float | None]]:
        """Each finding with its statistic; ``None`` where it takes no part in the family."""
        for image_set, rows in image_sets(self.base):
            for codec, of_codec in rows.groupby("codec", sort=True):
                title = str(of_codec["title"].iloc[0])
                order = of_codec.groupby("rate")["rate_index"].min().sort_values(kind="stable")
                metrics = metrics_in(of_codec)
                for rate in order.index:
                    point = of_codec[of_codec["rate"] == rate]
                    for metric in (BITRATE, *metrics):
                        finding = Finding(
                            "bits" if metric is BITRATE else "quality",
                            metric.name, str(codec), title, image_set, str(rate), "not judged",
                        )  # fmt: skip
                        yield self._of_rate(finding, point, metric)
                for metric in metrics:
                    finding = Finding(
                        "bd_rate", metric.name, str(codec), title, image_set, "", "not judged"
                    )
                    yield self._of_curve(finding, of_codec, metric)

    def _of_rate(
        self, finding: Finding, rows: pd.DataFrame, metric: Metric
    ) -> tuple[Finding, float | None]:
        other = self.candidate.loc[rows.index]
        before, after, note = _values(rows, other, metric)
        known = ~np.isnan(before + after)
        finding = replace(finding, images=int(known.sum()), note=note)
        if metric is BITRATE:
            finding = replace(finding, different=_different(rows, other))
        if not known.any():
            return finding, None
        change = np.where(known, after - before, np.nan)
        finding = replace(
            finding,
            base=float(before[known].mean()),
            candidate=float(after[known].mean()),
            change=float(change[known].mean()),
            interval=mean_interval(change[known], self.limits.samples, LEVEL),
            verdict="no change" if change[known].any() else "equal",
        )
        if finding.images < MIN_IMAGES:
            return finding, None
        harm = np.full(len(self.units), np.nan)
        keys = zip(rows["dataset"], rows["image"], strict=True)
        harm[[self.units[key] for key in keys]] = -metric.sign * change
        return finding, self.family.add(self.family.means(harm))

    def _of_curve(
        self, finding: Finding, rows: pd.DataFrame, metric: Metric
    ) -> tuple[Finding, float | None]:
        units = {image: n for (dataset, image), n in self.units.items()
                 if dataset == finding.image_set.dataset}  # fmt: skip
        other = self.candidate.loc[rows.index]
        found, flipped = bd_change(
            finding, rows, other, metric, self.family.signs, units, self.limits
        )
        if found.verdict == "not judged" or found.images < MIN_IMAGES:
            return found, None
        return found, self.family.add(standardised(flipped))

    def _judged(self, finding: Finding, statistic: float | None) -> Finding:
        if finding.verdict != "no change":
            return finding
        limit = self._limit(finding)
        if statistic is None or not limit.judged:
            few = f"{finding.images} images are too few to judge, {MIN_IMAGES} are needed"
            why = few if statistic is None else "reported only"
            return _noted(replace(finding, verdict="not judged"), why)
        worse, better = self.family.p_above(statistic), self.family.p_below(statistic)
        harm = _harm(finding)
        large = limit.reached(abs(harm), finding.base or 0.0)
        p = worse if harm > 0 else better
        verdict: Verdict = "no change"
        if p <= self.level:
            verdict = "small" if not large else "worse" if harm > 0 else "better"
        return replace(finding, verdict=verdict, p=p)

    def _limit(self, finding: Finding) -> Limit:
        if finding.kind == "bd_rate":
            sound = METRICS[finding.subject].needs_reference
            judged = sound and self.limits.of(finding.subject).judged
            return self.limits.bd_rate if judged else Limit()
        return self.limits.bits if finding.kind == "bits" else self.limits.of(finding.subject)


def _harm(finding: Finding) -> float:
    """The change, positive where it is for the worse."""
    change = finding.change or 0.0
    if finding.kind != "quality":
        return change
    return -METRICS[finding.subject].sign * change


def _values(rows: pd.DataFrame, other: pd.DataFrame, metric: Metric) -> tuple[Floats, Floats, str]:
    """Both sides' values (float64, N each; NaN where they do not compare), and why some do not."""
    before = rows[metric.name].to_numpy(dtype=np.float64, copy=True)
    if metric.name not in other:
        return before, np.full_like(before, np.nan), "the candidate has no values"
    after = other[metric.name].to_numpy(dtype=np.float64, copy=True)
    notes = []
    card = f"{metric.name}_card"
    if card in rows and card in other:
        cards = [frame[card].fillna("").astype(str).to_numpy() for frame in (rows, other)]
        unlike = (cards[0] != cards[1]) & ~np.isnan(before + after)
        if unlike.any():
            both = " against ".join(", ".join(sorted(set(c[unlike]))) for c in cards)
            notes.append(f"computed in different ways: identity cards {both}")
        after[unlike] = np.nan
    for name, values, there in (("base", before, after), ("candidate", after, before)):
        if lacking := int((np.isnan(values) & ~np.isnan(there)).sum()):
            lacks_all = np.isnan(values).all()
            how_many = "no image" if lacks_all else f"{len(values) - lacking} of {len(values)}"
            if not notes:
                notes.append(f"the {name} has values of {how_many}")
    infinite = np.isinf(before) | np.isinf(after)
    if infinite.any():
        one_side = int((np.isinf(before) != np.isinf(after))[infinite].sum())
        notes.append(f"{infinite.sum()} lossless images left out, {one_side} of one side alone")
    before[infinite] = np.nan
    return before, after, "; ".join(notes)


def _different(rows: pd.DataFrame, other: pd.DataFrame) -> int:
    """How many images have other bytes: by sha256, or by length where that was not kept."""
    digests = [frame["bitstream_sha256"].fillna("").astype(str).to_numpy()
               for frame in (rows, other)]  # fmt: skip
    known = (digests[0] != "") & (digests[1] != "")
    lengths = rows["bpp"].to_numpy() != other["bpp"].to_numpy()
    return int(np.where(known, digests[0] != digests[1], lengths).sum())


def _traded(findings: list[Finding]) -> list[Finding]:
    """Findings where bits and quality moved against each other, left to the BD-rate to weigh.

    Where no BD-rate has been judged by that metric, they stay as they are.
    """
    weighed = {
        (f.image_set, f.codec, f.subject)
        for f in findings
        if f.kind == "bd_rate" and f.verdict in WEIGHED
    }
    points: dict[object, list[Finding]] = {}
    for f in findings:
        points.setdefault((f.image_set, f.codec, f.rate), []).append(f)

    def moved(f: Finding, kind: str) -> bool:
        """Whether the other kind got better at this rate point, and a BD-rate weighs the two."""
        return any(
            other.kind == kind
            and other.verdict == "better"
            and (f.image_set, f.codec, f.subject if kind == "bits" else other.subject) in weighed
            for other in points[f.image_set, f.codec, f.rate]
        )

    traded = []
    for f in findings:
        against = {"quality": "bits", "bits": "quality"}.get(f.kind)
        if f.verdict == "worse" and against and moved(f, against):
            gain = "fewer bits" if against == "bits" else "better quality"
            traded.append(_noted(replace(f, verdict="traded"), f"for {gain}; see the BD-rate"))
        else:
            traded.append(f)
    return traded


def _noted(finding: Finding, note: str) -> Finding:
    return replace(finding, note="; ".join(filter(None, (finding.note, note))))
