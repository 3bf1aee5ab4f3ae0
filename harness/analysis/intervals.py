"""Intervals over images: the range in which an estimate may lie, as other images would have it.

Anchor and test are measured on the same images, so an image is drawn with both its curves: all
intervals are paired. They are the same in every run: the generator is seeded.

An interval of means is by the bootstrap, between its expanded percentiles (Hesterberg, The American
Statistician 69, 2015): those of the bootstrap distribution itself are as narrow as if the images'
spread were known and not estimated, and cover 93 % in place of 95 % with 24 images.

An interval of a median is between order statistics (Hettmansperger and Sheather, Statistics and
Probability Letters 4, 1986): bootstrap medians take few distinct values, and no distribution of the
images needs to be supposed.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.analysis.curves import Curve, Floats
from harness.analysis.pchip import bd_rates

SEED = 0

SAMPLES = 10_000
"""Bootstrap samples, unless the user says otherwise."""

LEVEL = 0.95
"""Coverage of an interval, unless the user says otherwise."""

MIN_IMAGES = 6
"""With fewer images there is no interval. The range of n values covers their distribution's median
with probability 1 - 2^(1-n), which first reaches 95 % with six."""

CHUNK = 2_000
"""Bootstrap samples computed at once: bounds the memory, whatever the number of images."""


@dataclass(frozen=True)
class Interval:
    """A central interval, in the unit of the estimate."""

    low: float
    high: float


def median_interval(values: Floats, level: float) -> Interval | None:
    """The interval of the median of the distribution that values come from.

    Args:
        values: float64, N, one an image.
        level: Coverage, such as 0.95.

    Returns:
        ``None`` under :data:`MIN_IMAGES` images, or where the range of the values covers less.
    """
    count = len(values)
    if count < MIN_IMAGES or (place := _median_place(count, level)) is None:
        return None
    ordered = np.interp([place, count - 1 - place], np.arange(count), np.sort(values))
    return Interval(float(ordered[0]), float(ordered[1]))


def mean_interval(values: Floats, samples: int, level: float) -> Interval | None:
    """The interval of the mean of ``values`` (float64, N) when images are drawn again.

    ``None`` under :data:`MIN_IMAGES` images.
    """
    if len(values) < MIN_IMAGES:
        return None
    return _central(_counts(len(values), samples) @ values / len(values), len(values), level)


def mean_curve_interval(
    anchor: Curve, test: Curve, sign: int, samples: int, level: float
) -> Interval | None:
    """The interval of the BD-rate of the curves of means when images are drawn again.

    Args:
        anchor: The anchor's curve, rates in rising order.
        test: The test's curve on the same images.
        sign: 1 where higher is better, else -1.
        samples: Number of bootstrap samples.
        level: Coverage, such as 0.95.

    Returns:
        ``None`` under :data:`MIN_IMAGES` images, and when one sample in twenty or more has no
        BD-rate because resampled curves are not monotone or do not overlap: an interval of the
        others would look too good.
    """
    images = len(anchor.images)
    if images < MIN_IMAGES:
        return None
    counts = _counts(images, samples)
    columns = np.hstack((anchor.bpp, sign * anchor.quality, test.bpp, sign * test.quality))
    a, t = len(anchor.rates), len(test.rates)
    edges = np.cumsum([a, a, t])
    estimates = []
    for start in range(0, samples, CHUNK):
        drawn = counts[start : start + CHUNK].astype(np.float64)
        means = columns.T @ drawn.T / images
        anchor_bpp, anchor_good, test_bpp, test_good = np.split(means, edges)
        estimates.append(bd_rates(anchor_bpp, anchor_good, test_bpp, test_good))
    values = np.concatenate(estimates)
    valid = values[~np.isnan(values)]
    return _central(valid, images, level) if len(valid) > 0.95 * samples else None


@functools.lru_cache(maxsize=64)
def percentiles(images: int, level: float) -> tuple[float, float]:
    """Between which quantiles of a bootstrap distribution of means an interval lies.

    With n images the bootstrap's standard error is sqrt((n - 1) / n) of the usual one, and
    Student's t is due in place of the normal distribution: Phi(-+ sqrt(n / (n - 1)) t). With 24
    images and 95 %, 1.73 and 98.27 % in place of 2.5 and 97.5 %.
    """
    from scipy.stats import norm, t  # slow to import

    width = math.sqrt(images / (images - 1)) * t.ppf((1 + level) / 2, images - 1)
    return float(norm.cdf(-width)), float(norm.cdf(width))


def _central(values: Floats, images: int, level: float) -> Interval:
    low, high = np.quantile(values, percentiles(images, level))
    return Interval(float(low), float(high))


@functools.lru_cache(maxsize=64)
def _median_place(count: int, level: float) -> float | None:
    """How far from either end of the sorted values a median's interval begins, in values.

    How many of the values lie under the median of their distribution is binomial, whatever that
    distribution is. ``None`` where even the whole range of the values covers less than asked for.
    """
    from scipy.stats import binom  # slow to import

    places = np.arange(count // 2 + 1)
    covered = 1 - 2 * binom.cdf(places, count, 0.5)
    enough = np.flatnonzero(covered >= level)
    if not len(enough):
        return None
    rank = int(enough[-1]) + 1
    excess = (covered[rank - 1] - level) / (covered[rank - 1] - covered[rank])
    inwards = (count - rank) * excess / (rank + (count - 2 * rank) * excess)
    return float(rank - 1 + inwards)


@functools.lru_cache(maxsize=2)
def _counts(n: int, samples: int) -> npt.NDArray[np.uint16]:
    """How often each of n images is drawn in each bootstrap sample: samples x n."""
    random = np.random.default_rng(SEED)
    counts = np.empty((samples, n), dtype=np.uint16)
    for row in counts:
        row[:] = np.bincount(random.integers(0, n, n), minlength=n)
    return counts
