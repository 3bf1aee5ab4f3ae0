"""BD-rate: the average difference of bitrate at equal quality, or the reason why there is none.

The integral is that of the ``bjontegaard`` package: log10 of the rate as a function of quality,
interpolated by PCHIP as in the common test conditions of JVET (JVET-T2010), over the range of
quality that both curves cover, never beyond. Metrics where lower is better are negated. The code
around it decides whether there may be a number at all; where not, the cell gives the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis import intervals, pchip
from harness.analysis.comparison import (
    MIN_INSIDE,
    MIN_OVERLAP,
    MIN_POINTS,
    Refused,
    comparable,
    mean_goodness,
    require_overlap,
)
from harness.analysis.curves import Curve, Floats, curves_of
from harness.analysis.intervals import Interval
from harness.analysis.records import ImageSet, curve_records, image_sets, name_among
from harness.catalog.metrics import Metric

DEFAULT_ANCHORS = ("vtm", "jpeg-xl", "avif", "webp", "jpeg")
"""The anchor, if none is named: the first of these that was measured."""


@dataclass(frozen=True)
class BDOptions:
    """How BD-rates are computed, and what is refused.

    Attributes:
        min_overlap: Least share of the narrower of the two ranges of quality that both cover.
        min_points: Least number of rate points of a curve.
        pareto: Keep only the rate points on the Pareto front, in place of refusing a curve that
            is not monotone.
        exclude: By codec, a mean bpp; rate points under it are left out of its curve.
        samples: Bootstrap samples.
        level: Coverage of the intervals.
    """

    min_overlap: float = MIN_OVERLAP
    min_points: int = MIN_POINTS
    pareto: bool = False
    exclude: Mapping[str, float] = field(default_factory=dict)
    samples: int = intervals.SAMPLES
    level: float = intervals.LEVEL


@dataclass(frozen=True)
class BDRate:
    """One cell: a codec against the anchor on one data set, by one metric.

    Percentages are of bitrate at equal quality; negative means fewer bits than the anchor.

    Attributes:
        codec: The codec under test.
        title: Its name as printed.
        anchor: The anchor's name.
        metric: The metric's name.
        image_set: Data set and resolution.
        percent: BD-rate of the curves of data set means by PCHIP; ``None`` where refused.
        interval: Its interval over images; see :mod:`harness.analysis.intervals`.
        akima: The same figure by Akima interpolation.
        median: Median over images of the images' own BD-rates.
        median_interval: Its interval over images.
        overlap: Share of the narrower of the two ranges of quality that both cover.
        points: Rate points used, of the anchor and of the codec.
        images: Images used: those that both have at all rate points used.
        images_with_bd: Images that have a BD-rate of their own.
        reason: Why there is no figure, in a few words; empty where there is one.
        detail: The whole reason, naming codec and figures.
        notes: What a reader of the figure must know.
    """

    codec: str
    title: str
    anchor: str
    metric: str
    image_set: ImageSet
    percent: float | None = None
    interval: Interval | None = None
    akima: float | None = None
    median: float | None = None
    median_interval: Interval | None = None
    overlap: float | None = None
    points: tuple[int, int] = (0, 0)
    images: int = 0
    images_with_bd: int = 0
    reason: str = ""
    detail: str = ""
    notes: tuple[str, ...] = ()

    @property
    def is_anchor(self) -> bool:
        """Whether the codec is the anchor itself."""
        return self.codec == self.anchor


def default_anchor(frame: pd.DataFrame) -> str | None:
    """The codec to compare with where none is named; ``None`` without any that was measured."""
    records = curve_records(frame)
    measured = set(records.loc[records["bpp"].notna(), "codec"])
    usual = [name for name in DEFAULT_ANCHORS if name in measured]
    return next(iter([*usual, *sorted(measured)]), None)


def bd_rates(
    frame: pd.DataFrame, metric: Metric, anchor: str, options: BDOptions | None = None
) -> list[BDRate]:
    """The BD-rate of every codec against ``anchor``, on every data set and resolution.

    Args:
        frame: Results, in the columns of :func:`harness.load_results`.
        metric: The metric.
        anchor: Name of the codec to compare with; underscores are accepted for hyphens.
        options: What to refuse and how to interpolate.

    Returns:
        One cell for every codec in the results, the anchor included, by image set and codec. Codecs
        that were only ever run with random weights have none.

    Raises:
        UnknownName: No such codec, as anchor or in the exclusions, is in the results.
    """
    options = options or BDOptions()
    records = curve_records(frame)
    codecs = records["codec"].unique()
    anchor = name_among("codec", anchor, codecs)
    exclude = {name_among("codec", k, codecs): v for k, v in options.exclude.items()}
    cells = []
    for image_set, rows in image_sets(records):
        curves = curves_of(rows, metric)
        for codec, test in curves.items():
            cell = BDRate(codec, test.title, anchor, metric.name, image_set)
            reference = curves.get(anchor)
            cells.append(_filled(cell, reference, test, metric, options, exclude))
    return cells


def _filled(
    cell: BDRate,
    anchor: Curve | None,
    test: Curve,
    metric: Metric,
    options: BDOptions,
    exclude: Mapping[str, float],
) -> BDRate:
    notes: list[str] = []
    if not metric.needs_reference:
        notes.append(f"dubious: {metric.title} does not compare with the original")
    facts: dict[str, Any] = {}
    try:
        if anchor is None:
            raise Refused("no anchor", f"the anchor {cell.anchor} has no results here")  # noqa: TRY301
        facts["points"] = (len(anchor.rates), len(test.rates))
        anchor, test = comparable(
            anchor, test, metric, pareto=options.pareto, exclude=exclude, notes=notes,
            min_points=options.min_points,
        )  # fmt: skip
        facts |= {"points": (len(anchor.rates), len(test.rates)), "images": len(test.images)}
        goodness = [mean_goodness(curve, metric)[1] for curve in (anchor, test)]
        facts["overlap"] = float(pchip.overlap(*goodness))
        require_overlap(anchor, test, metric, options.min_overlap)
        if cell.is_anchor:
            facts["percent"] = 0.0
        else:
            facts |= _of_means(anchor, test, metric, options)
            facts |= _over_images(anchor, test, metric, options)
    except Refused as refused:
        facts |= {"reason": refused.reason, "detail": refused.detail}
    return replace(cell, **facts, notes=tuple(dict.fromkeys(notes)))


def _of_means(anchor: Curve, test: Curve, metric: Metric, options: BDOptions) -> dict[str, Any]:
    """The BD-rate of the curves of means, and its interval."""
    curves = (*mean_goodness(anchor, metric), *mean_goodness(test, metric))
    return {
        "percent": bd_rate(*curves, method="pchip"),
        "akima": bd_rate(*curves, method="akima"),
        "interval": intervals.mean_curve_interval(
            anchor, test, metric.sign, options.samples, options.level
        ),
    }


def bd_rate(
    anchor_bpp: Floats, anchor_good: Floats, test_bpp: Floats, test_good: Floats, *, method: str
) -> float:
    """BD-rate in percent of one pair of monotone, overlapping curves, by ``bjontegaard``."""
    import bjontegaard  # imports pyplot, which takes longer than the rest of this module

    return float(
        bjontegaard.bd_rate(
            anchor_bpp,
            anchor_good,
            test_bpp,
            test_good,
            method=method,
            require_matching_points=False,
            min_overlap=0,
        )
    )


def _over_images(anchor: Curve, test: Curve, metric: Metric, options: BDOptions) -> dict[str, Any]:
    """The median over the images that have a BD-rate of their own, and its interval.

    There is no median where half of the images or more have none: it would be one over images
    that the outcome itself has selected.
    """
    sign = metric.sign
    values = pchip.bd_rates(
        anchor.bpp.T,
        sign * anchor.quality.T,
        test.bpp.T,
        sign * test.quality.T,
        options.min_overlap,
        MIN_INSIDE,
    )
    values = values[~np.isnan(values)]
    facts: dict[str, Any] = {"images_with_bd": len(values)}
    if 2 * len(values) > len(test.images):
        facts["median"] = float(np.median(values))
        facts["median_interval"] = intervals.median_interval(values, options.level)
    return facts
