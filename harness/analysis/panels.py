"""What an R-D figure shows: curves of means that may stand side by side, as plain data."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pandas as pd

from harness.analysis.curves import Curve, Floats, common_images, curves_of
from harness.analysis.records import ImageSet, curve_records, image_sets, metrics_in
from harness.catalog.metrics import Metric

LEAST_COVERAGE = 0.5
"""A codec that has fewer than this share of the images that the best-covered codec has is left
out of the panel, so that one interrupted codec does not take all images from the others."""


@dataclass(frozen=True)
class Line:
    """One codec's curve of means.

    Attributes:
        codec: The codec's name.
        title: Its name as printed.
        family: Such as ``classical``; empty where unknown.
        rates: Ids of the K rate points, by rising bpp.
        bpp: float64, K, means over the panel's images.
        quality: float64, K, likewise.
    """

    codec: str
    title: str
    family: str
    rates: tuple[str, ...]
    bpp: Floats
    quality: Floats


@dataclass(frozen=True)
class Panel:
    """One metric on one data set; every line is over the same images.

    Attributes:
        image_set: Data set and resolution.
        metric: The metric.
        lines: The codecs, by name.
        images: How many images the means are over.
        notes: What was left out, and why.
    """

    image_set: ImageSet
    metric: Metric
    lines: tuple[Line, ...]
    images: int
    notes: tuple[str, ...] = ()


def rd_panels(frame: pd.DataFrame) -> list[Panel]:
    """The panels of a report, by image set and metric; panels without any line are left out.

    Args:
        frame: Results, in the columns of :func:`harness.load_results`.
    """
    panels = [
        _panel(image_set, rows, metric)
        for image_set, rows in image_sets(curve_records(frame))
        for metric in metrics_in(rows)
    ]
    return [panel for panel in panels if panel.lines]


def _panel(image_set: ImageSet, rows: pd.DataFrame, metric: Metric) -> Panel:
    notes: list[str] = []
    curves = _covered(_of_one_card(_drawable(rows, metric, notes), metric, notes), notes)
    images = common_images(curves)
    everything = {image for curve in curves for image in curve.images}
    if len(images) < len(everything):
        notes.append(
            f"means over the {len(images)} of {len(everything)} images that every codec has"
        )
    lines = tuple(_line(curve.on(images)) for curve in curves) if images else ()
    return Panel(image_set, metric, lines, len(images), tuple(notes))


def _drawable(rows: pd.DataFrame, metric: Metric, notes: list[str]) -> list[Curve]:
    drawable = []
    for curve in curves_of(rows, metric).values():
        kept, left_out = curve.without_empty_points()
        if kept.rates:
            drawable.append(kept)
            notes.extend(left_out)
        else:
            why = curve.missing[0] if curve.missing else "no finite values"
            notes.append(f"{curve.codec} left out: {why}")
    return drawable


def _of_one_card(curves: list[Curve], metric: Metric, notes: list[str]) -> list[Curve]:
    """The curves whose values were computed in the way that most were."""
    ways = Counter(curve.cards for curve in curves if len(curve.cards) <= 1)
    usual = ways.most_common(1)[0][0] if ways else None
    notes.extend(
        f"{curve.codec} left out: its {metric.title} was computed in another way (identity cards "
        f"{', '.join(sorted(curve.cards))})"
        for curve in curves
        if curve.cards != usual
    )
    return [curve for curve in curves if curve.cards == usual]


def _covered(curves: list[Curve], notes: list[str]) -> list[Curve]:
    most = max((int(curve.complete.sum()) for curve in curves), default=0)
    covered = []
    for curve in curves:
        count = int(curve.complete.sum())
        if count == 0 or count < LEAST_COVERAGE * most:
            notes.append(f"{curve.codec} left out: {count} complete images, others have {most}")
        else:
            covered.append(curve)
    return covered


def _line(curve: Curve) -> Line:
    bpp, quality = curve.mean()
    order = bpp.argsort(kind="stable")
    rates = tuple(curve.rates[k] for k in order)
    return Line(curve.codec, curve.title, curve.family, rates, bpp[order], quality[order])
