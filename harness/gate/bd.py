"""The BD-rate of a candidate against its base, and what it becomes when signs are flipped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from harness.analysis import pchip
from harness.analysis.bdrate import bd_rate
from harness.analysis.comparison import (
    MIN_OVERLAP,
    Refused,
    comparable,
    mean_goodness,
    require_overlap,
)
from harness.analysis.curves import Curve, Floats, curves_of
from harness.analysis.intervals import CHUNK, LEVEL, mean_curve_interval
from harness.catalog.metrics import Metric
from harness.gate.finding import Finding
from harness.gate.limits import Limits

MOST_WITHOUT = 0.01
"""The share of flips that may have no BD-rate, because curves of exchanged images are not
monotone; each counts against the candidate's being worse."""


def bd_change(
    finding: Finding,
    base: pd.DataFrame,
    candidate: pd.DataFrame,
    metric: Metric,
    signs: Floats,
    units: dict[str, int],
    limits: Limits,
) -> tuple[Finding, Floats]:
    """The BD-rate of the curves of means; negative: fewer bits at equal quality.

    Args:
        finding: What to fill in.
        base: Rows of one codec on one image set.
        candidate: The candidate's rows of the same cases.
        metric: The metric.
        signs: float64, F x N, the flips.
        units: By image, its place among the N.
        limits: How many bootstrap samples.

    Returns:
        The finding, yet to be judged (``not judged`` where there is no BD-rate, with the reason),
        and log(1 + BD-rate) under each flip, NaN where that has none.
    """
    notes: list[str] = []
    try:
        before, after = (next(iter(curves_of(rows, metric).values())) for rows in (base, candidate))
        before, after = comparable(before, after, metric, pareto=False, exclude={}, notes=notes)
        require_overlap(before, after, metric, MIN_OVERLAP)
    except Refused as refused:
        return replace(finding, note=refused.detail), np.empty(0)
    curves = (*mean_goodness(before, metric), *mean_goodness(after, metric))
    same = bool((before.bpp == after.bpp).all() and (before.quality == after.quality).all())
    found = replace(
        finding,
        verdict="equal" if same else "no change",
        change=0.0 if same else bd_rate(*curves, method="pchip"),
        interval=mean_curve_interval(before, after, metric.sign, limits.samples, LEVEL),
        images=len(before.images),
        note="; ".join(dict.fromkeys(notes)),
    )
    of_images = signs[:, [units[image] for image in before.images]]
    flipped = _flipped(before, after, metric, of_images)
    if np.isnan(flipped).mean() > MOST_WITHOUT:
        note = "the curves are not monotone when base and candidate are exchanged on some images"
        return replace(found, verdict="not judged", note=note), flipped
    return found, flipped


def _flipped(before: Curve, after: Curve, metric: Metric, signs: Floats) -> Floats:
    """log(1 + BD-rate) when the images whose sign is -1 have base and candidate exchanged."""
    a, b = (np.hstack((c.bpp, metric.sign * c.quality)) for c in (before, after))
    middle, half = ((a + b) / 2).mean(axis=0), (b - a) / (2 * len(a))
    points = len(before.rates)
    flipped = []
    for start in range(0, len(signs), CHUNK):
        moved = (signs[start : start + CHUNK] @ half).T
        bpp, good = np.split(middle[:, None] - moved, [points])
        bpp_after, good_after = np.split(middle[:, None] + moved, [points])
        flipped.append(pchip.bd_rates(bpp, good, bpp_after, good_after))
    return np.log1p(np.concatenate(flipped) / 100)
