"""Makes two curves comparable, or says why they are not: same metric, same images, sound points."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from harness.analysis import pchip
from harness.analysis.curves import Curve, Floats, common_images, is_monotone, pareto_front
from harness.catalog.metrics import Metric

MIN_POINTS = 4
"""What Bjøntegaard's VCEG-M33 and the JVET common test conditions use. With fewer, most of the
interpolant's slopes are end conditions, that is, choices of the interpolation and not data."""

FEWEST_POINTS = 3
"""What a protocol may ask for where a paper's codec has no more; each figure then says so."""

MIN_OVERLAP = 1 / 2
"""Of the narrower range of quality. Two curves of equally wide range then share a third of their
union. Under that the figure, quoted for the whole codec, is that of its lesser part."""

MIN_INSIDE = 2
"""Points of each curve inside the range that both cover, its ends included: with fewer, that curve
is the interpolation of one interval there."""


class Refused(Exception):
    """Two curves cannot be compared.

    Args:
        reason: Why, in a few words that many cells of a table may share.
        detail: The whole reason, naming codec and figures.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def comparable(
    anchor: Curve,
    test: Curve,
    metric: Metric,
    *,
    pareto: bool,
    exclude: Mapping[str, float],
    notes: list[str],
    min_points: int = MIN_POINTS,
) -> tuple[Curve, Curve]:
    """Both curves on the same images, at the points that count, by rising bpp.

    Args:
        anchor: The anchor's curve.
        test: The curve to compare with it.
        metric: The metric of both.
        pareto: Keep only the rate points on the Pareto front.
        exclude: By codec, a mean bpp; rate points under it are left out.
        notes: What was left out is added here, and where there are fewer than the usual points.
        min_points: Least number of rate points of a curve.

    Raises:
        Refused: They cannot be compared.
    """
    cards = anchor.cards | test.cards
    if len(cards) > 1:
        raise Refused(
            "the metric was computed in different ways",
            f"{metric.title} was computed in different ways: identity cards "
            f"{', '.join(sorted(cards))}",
        )
    anchor, test = (_with_values(curve, notes) for curve in (anchor, test))
    anchor, test = _on_common_images(anchor, test, notes)
    anchor, test = (
        _sound_points(
            curve, metric, pareto=pareto, exclude=exclude, notes=notes, min_points=min_points
        )
        for curve in (anchor, test)
    )
    return anchor, test


def mean_goodness(curve: Curve, metric: Metric) -> tuple[Floats, Floats]:
    """The curve of means with the metric's sign turned so that higher is better."""
    bpp, quality = curve.mean()
    return bpp, metric.sign * quality


def require_overlap(anchor: Curve, test: Curve, metric: Metric, least: float) -> None:
    """Refuse curves that have too little of their range of quality in common.

    Args:
        anchor: The anchor's curve, from :func:`comparable`.
        test: The test's.
        metric: The metric of both.
        least: Least share of the narrower range that the other covers too.

    Raises:
        Refused: The share is smaller, or a curve has under :data:`MIN_INSIDE` points there.
    """
    goodness = [mean_goodness(curve, metric)[1] for curve in (anchor, test)]
    share = float(pchip.overlap(*goodness))
    if share == 0:
        raise Refused("no overlap", "the curves share no range of quality")
    if share < least:
        raise Refused(
            f"overlap under {least:.0%}",
            f"the curves share {share:.0%} of the narrower range of quality, under {least:.0%}",
        )
    for curve, count in zip((anchor, test), pchip.inside(*goodness), strict=True):
        if count < MIN_INSIDE:
            raise Refused(
                "too few points in the common range",
                f"{curve.codec} has {count} of its {len(curve.rates)} rate points in the range of "
                f"quality that both cover, {MIN_INSIDE} are needed",
            )


def _with_values(curve: Curve, notes: list[str]) -> Curve:
    kept, left_out = curve.without_empty_points()
    if not kept.rates:
        why = curve.missing[0] if curve.missing else "none is finite"
        raise Refused("no values", f"no values of {curve.codec}: {why}")
    notes.extend(left_out)
    return kept


def _on_common_images(anchor: Curve, test: Curve, notes: list[str]) -> tuple[Curve, Curve]:
    total = len(set(anchor.images) | set(test.images))
    common = common_images([anchor, test])
    if not common:
        raise Refused(
            "no image in common",
            "no image has values of both codecs at all their rate points",
        )
    if len(common) < total:
        notes.append(f"on {len(common)} of {total} images, the others lack values")
    return anchor.on(common), test.on(common)


def _sound_points(
    curve: Curve,
    metric: Metric,
    *,
    pareto: bool,
    exclude: Mapping[str, float],
    notes: list[str],
    min_points: int,
) -> Curve:
    bpp, goodness = mean_goodness(curve, metric)
    order: npt.NDArray[np.intp] = np.lexsort((goodness, bpp))
    least = exclude.get(curve.codec, 0.0)
    used = order[bpp[order] >= least]
    if len(used) < len(order):
        excluded = ", ".join(curve.rates[k] for k in order[bpp[order] < least])
        notes.append(f"{curve.codec} under {least:g} bpp excluded: {excluded}")
    if pareto and len(used):
        front = used[pareto_front(bpp[used], goodness[used])]
        if len(front) < len(used):
            notes.append(f"{curve.codec}: Pareto front only, {len(front)} of {len(used)} points")
        used = front
    if len(used) < min_points:
        raise Refused(
            f"fewer than {min_points} rate points",
            f"{curve.codec} has {len(used)} rate points, {min_points} are needed",
        )
    if not is_monotone(bpp[used], goodness[used]):
        raise Refused(
            f"{curve.codec} is not monotone",
            f"{curve.codec} is not monotone: {metric.title} does not improve with every step of "
            "bitrate (the Pareto front can be asked for)",
        )
    if len(used) < MIN_POINTS:
        notes.append(f"{curve.codec} has {len(used)} rate points, {MIN_POINTS} are usual")
    return curve.take(used)
