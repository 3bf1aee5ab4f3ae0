"""Rate-distortion curves: one codec on one data set, image by image and as means."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from harness.catalog.metrics import Metric
from harness.errors import Status

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """What one codec reached, by image and rate point.

    Attributes:
        codec: The codec's name.
        title: The name that tables and figures print.
        family: Such as ``classical``; empty where unknown.
        rates: Ids of the rate points, in order of bitrate; K of them.
        images: Names of the images; N of them.
        bpp: float64, N x K, bits per pixel; NaN where there is no ``ok`` case.
        quality: float64, N x K, values of the metric; NaN where blank.
        cards: Identity cards of the metric under which the values were computed.
        missing: Why values are missing, the most frequent reason first.
    """

    codec: str
    title: str
    family: str
    rates: tuple[str, ...]
    images: tuple[str, ...]
    bpp: Floats
    quality: Floats
    cards: frozenset[str]
    missing: tuple[str, ...]

    @property
    def complete(self) -> npt.NDArray[np.bool_]:
        """bool, N: the images that have a value at every rate point."""
        complete: npt.NDArray[np.bool_] = np.all(~np.isnan(self.bpp + self.quality), axis=1)
        return complete

    def without_empty_points(self) -> tuple[Curve, list[str]]:
        """The curve at the rate points that have values, all finite, and what was left out.

        A lossless reconstruction has an infinite PSNR, which no mean survives: the rate point
        is left out, not the image, and the note says so.
        """
        infinite = np.isinf(self.quality).sum(axis=0)
        empty = np.all(np.isnan(self.bpp + self.quality), axis=0)
        notes = [
            f"{self.codec} {rate} left out: "
            + (f"infinite, {count} of {len(self.images)} images lossless" if count else "no values")
            for rate, count, nothing in zip(self.rates, infinite, empty, strict=True)
            if count or nothing
        ]
        return self.take(np.flatnonzero((infinite == 0) & ~empty)), notes

    def at(self, rates: Iterable[str]) -> Curve:
        """The same curve at some of its rate points."""
        chosen = set(rates)
        return self.take([k for k, rate in enumerate(self.rates) if rate in chosen])

    def take(self, points: Sequence[int] | npt.NDArray[np.intp]) -> Curve:
        """The same curve at the rate points of these places, in this order."""
        return replace(
            self,
            rates=tuple(self.rates[k] for k in points),
            bpp=self.bpp[:, points],
            quality=self.quality[:, points],
        )

    def on(self, images: Iterable[str]) -> Curve:
        """The same curve on some of its images, in the order given."""
        place = {image: n for n, image in enumerate(self.images)}
        images = tuple(images)
        rows = [place[image] for image in images]
        return replace(self, images=images, bpp=self.bpp[rows], quality=self.quality[rows])

    def mean(self) -> tuple[Floats, Floats]:
        """The curve of data set means: bpp and quality, K each, over all its images."""
        return self.bpp.mean(axis=0), self.quality.mean(axis=0)


def curves_of(records: pd.DataFrame, metric: Metric) -> dict[str, Curve]:
    """The curve of each codec, for one data set at one resolution.

    Args:
        records: From :func:`harness.analysis.records.curve_records`, of one image set.
        metric: The metric; its column may be missing, and every value is then blank.
    """
    return {str(codec): _curve(rows, metric) for codec, rows in records.groupby("codec", sort=True)}


def _curve(rows: pd.DataFrame, metric: Metric) -> Curve:
    order = rows.groupby("rate")["rate_index"].min().sort_values(kind="stable")
    images = sorted(rows["image"].unique())
    has_values = metric.name in rows
    values = rows if has_values else rows.assign(**{metric.name: np.nan})
    card = f"{metric.name}_card"
    scored = values[metric.name].notna()
    cards = set(values.loc[scored, card].dropna()) if card in values else set()
    return Curve(
        codec=str(rows["codec"].iloc[0]),
        title=str(rows["title"].iloc[0]),
        family=str(rows["family"].iloc[0]),
        rates=tuple(order.index),
        images=tuple(images),
        bpp=_matrix(values, "bpp", images, order.index),
        quality=_matrix(values, metric.name, images, order.index),
        cards=frozenset(cards),
        missing=_why_missing(values[~scored], metric.name),
    )


def _matrix(rows: pd.DataFrame, column: str, images: list[str], rates: pd.Index[str]) -> Floats:
    matrix = np.full((len(images), len(rates)), np.nan)
    of_image, of_rate = (
        pd.Index(names).get_indexer(pd.Index(rows[name]))
        for name, names in (("image", images), ("rate", rates))
    )
    matrix[of_image, of_rate] = rows[column].to_numpy(dtype=np.float64)
    return matrix


def _why_missing(rows: pd.DataFrame, metric: str) -> tuple[str, ...]:
    reasons: Counter[str] = Counter()
    for status, blanks in zip(rows["status"], rows["blanks"], strict=True):
        reason = json.loads(blanks).get(metric) if status == Status.OK and blanks else None
        reasons[str(status if status != Status.OK else reason or "not scored")] += 1
    return tuple(f"{reason} ({count})" for reason, count in reasons.most_common())


def common_images(curves: Iterable[Curve]) -> list[str]:
    """The images that every curve has at all its rate points, by name."""
    complete = [
        {image for image, whole in zip(c.images, c.complete, strict=True) if whole} for c in curves
    ]
    return sorted(set.intersection(*complete)) if complete else []


def pareto_front(bpp: Floats, goodness: Floats) -> npt.NDArray[np.intp]:
    """The points that no other point beats, by rising bpp.

    Args:
        bpp: float64, K.
        goodness: float64, K; higher is better.

    Returns:
        Indices into the K points: along them both bpp and goodness strictly rise.
    """
    order = np.lexsort((-goodness, bpp))
    best = np.maximum.accumulate(goodness[order])
    rises = np.concatenate(([True], best[1:] > best[:-1]))
    return order[rises]


def is_monotone(bpp: Floats, goodness: Floats) -> bool:
    """Whether both strictly rise, point by point."""
    return bool((np.diff(bpp) > 0).all() and (np.diff(goodness) > 0).all())
