"""Intervals by the bootstrap over images.

Anchor and test are measured on the same images, so an image is drawn with both its curves: the
bootstrap is paired. Intervals are percentile intervals (Efron and Tibshirani, An Introduction to
the Bootstrap, chapter 13) and are the same in every run: the generator is seeded.
"""

from __future__ import annotations

import functools
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
    """A central interval of a bootstrap distribution, in the unit of the estimate."""

    low: float
    high: float


def median_interval(values: Floats, samples: int, level: float) -> Interval | None:
    """The interval of the median of ``values`` (float64, N) when images are drawn again.

    ``None`` under :data:`MIN_IMAGES` images.
    """
    if len(values) < MIN_IMAGES:
        return None
    ranks = _median_ranks(len(values), samples)
    medians = np.sort(values)[ranks].mean(axis=0)
    return _central(medians, level)


def mean_interval(values: Floats, samples: int, level: float) -> Interval | None:
    """The interval of the mean of ``values`` (float64, N) when images are drawn again.

    ``None`` under :data:`MIN_IMAGES` images.
    """
    if len(values) < MIN_IMAGES:
        return None
    return _central(_counts(len(values), samples) @ values / len(values), level)


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
    if len(anchor.images) < MIN_IMAGES:
        return None
    counts = _counts(len(anchor.images), samples)
    columns = np.hstack((anchor.bpp, sign * anchor.quality, test.bpp, sign * test.quality))
    a, t = len(anchor.rates), len(test.rates)
    edges = np.cumsum([a, a, t])
    estimates = []
    for start in range(0, samples, CHUNK):
        drawn = counts[start : start + CHUNK].astype(np.float64)
        means = columns.T @ drawn.T / len(anchor.images)
        anchor_bpp, anchor_good, test_bpp, test_good = np.split(means, edges)
        estimates.append(bd_rates(anchor_bpp, anchor_good, test_bpp, test_good))
    values = np.concatenate(estimates)
    valid = values[~np.isnan(values)]
    return _central(valid, level) if len(valid) > 0.95 * samples else None


def _central(values: Floats, level: float) -> Interval:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


@functools.lru_cache(maxsize=2)
def _counts(n: int, samples: int) -> npt.NDArray[np.uint16]:
    """How often each of n images is drawn in each bootstrap sample: samples x n."""
    random = np.random.default_rng(SEED)
    counts = np.empty((samples, n), dtype=np.uint16)
    for row in counts:
        row[:] = np.bincount(random.integers(0, n, n), minlength=n)
    return counts


@functools.lru_cache(maxsize=256)
def _median_ranks(n: int, samples: int) -> npt.NDArray[np.intp]:
    """2 x samples: the ranks whose values average to the median of each bootstrap sample.

    To draw images is to draw ranks of their values, so one set of draws serves all values.
    """
    random = np.random.default_rng(SEED)
    middle = [(n - 1) // 2, n // 2]
    ranks = np.empty((2, samples), dtype=np.intp)
    for sample in range(samples):
        ranks[:, sample] = np.partition(random.integers(0, n, n), middle)[middle]
    return ranks
