"""BD-rate by PCHIP for many pairs of curves at once.

The ``bjontegaard`` package computes one pair a call, at about half a millisecond: right for the
table's main figure, too slow for every image and every bootstrap sample of it. This is the same
arithmetic on arrays whose last axis is the curves; the tests hold the two equal.

Only for curves along which rate and quality both strictly rise. On those the interpolant of
Fritsch and Butland (SIAM J. Sci. Stat. Comput. 5(2), 1984), which scipy's ``PchipInterpolator``
and the package use, needs no case distinction inside.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.analysis.curves import Floats


def bd_rates(
    anchor_bpp: Floats,
    anchor_goodness: Floats,
    test_bpp: Floats,
    test_goodness: Floats,
    min_overlap: float = 0.0,
    min_inside: int = 0,
) -> Floats:
    """BD-rate of R pairs of curves.

    Args:
        anchor_bpp: float64, K x R, bits per pixel of the anchor.
        anchor_goodness: float64, K x R, its quality; higher is better.
        test_bpp: float64, L x R.
        test_goodness: float64, L x R.
        min_overlap: Least share of the narrower of the two ranges of quality that both cover.
        min_inside: Least number of points of either curve inside the range that both cover.

    Returns:
        float64, R: percent; NaN where a curve is not monotone, where nothing is covered by both, or
        less than asked for.
    """
    low, high = _common(anchor_goodness, test_goodness)
    share = overlap(anchor_goodness, test_goodness)
    usable = (
        _rises(anchor_bpp)
        & _rises(anchor_goodness)
        & _rises(test_bpp)
        & _rises(test_goodness)
        & (share > 0)
        & (share >= min_overlap)
        & (np.minimum(*inside(anchor_goodness, test_goodness)) >= min_inside)
    )
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        area_test = integral(test_goodness, np.log10(test_bpp), low, high)
        area_anchor = integral(anchor_goodness, np.log10(anchor_bpp), low, high)
        percent = (10 ** ((area_test - area_anchor) / (high - low)) - 1) * 100
    return np.where(usable, percent, np.nan)


def overlap(anchor_goodness: Floats, test_goodness: Floats) -> Floats:
    """Share of the narrower of two ranges of quality that the other covers too.

    Args:
        anchor_goodness: float64, K or K x R.
        test_goodness: float64, L or L x R.

    Returns:
        float64, scalar or R, in [0, 1]; 1 where one range lies inside the other.
    """
    low, high = _common(anchor_goodness, test_goodness)
    narrower = np.minimum(np.ptp(anchor_goodness, axis=0), np.ptp(test_goodness, axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        share: Floats = np.maximum(high - low, 0) / narrower
    return share


def inside(
    anchor_goodness: Floats, test_goodness: Floats
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """How many points of each of two curves lie in the range of quality that both cover.

    Args:
        anchor_goodness: float64, K or K x R.
        test_goodness: float64, L or L x R.

    Returns:
        The anchor's and the test's, each scalar or R; the ends of the range count.
    """
    low, high = _common(anchor_goodness, test_goodness)
    anchor, test = (
        np.sum((low <= good) & (good <= high), axis=0) for good in (anchor_goodness, test_goodness)
    )
    return anchor, test


def _common(anchor_goodness: Floats, test_goodness: Floats) -> tuple[Floats, Floats]:
    """The ends of the range of quality that both cover; the low one is above where none is."""
    low: Floats = np.maximum(anchor_goodness.min(axis=0), test_goodness.min(axis=0))
    high: Floats = np.minimum(anchor_goodness.max(axis=0), test_goodness.max(axis=0))
    return low, high


def _rises(values: Floats) -> npt.NDArray[np.bool_]:
    rises: npt.NDArray[np.bool_] = np.all(np.diff(values, axis=0) > 0, axis=0)
    return rises


def integral(x: Floats, y: Floats, low: Floats, high: Floats) -> Floats:
    """The integral from ``low`` to ``high`` of the PCHIP interpolant through (x, y).

    Args:
        x: float64, K x R, strictly rising along K.
        y: float64, K x R, strictly rising along K.
        low: float64, R, within the range of ``x``.
        high: float64, R, likewise.
    """
    h = np.diff(x, axis=0)
    secant = np.diff(y, axis=0) / h
    slope = _slopes(h, secant)
    # On each interval the interpolant is y + t (slope + t (c2 + t c3)), t from its left end.
    c2 = (3 * secant - 2 * slope[:-1] - slope[1:]) / h
    c3 = (slope[:-1] + slope[1:] - 2 * secant) / h**2

    def primitive(t: Floats) -> Floats:
        value: Floats = t * (y[:-1] + t * (slope[:-1] / 2 + t * (c2 / 3 + t * (c3 / 4))))
        return value

    start = np.clip(low - x[:-1], 0, h)
    end = np.clip(high - x[:-1], 0, h)
    area: Floats = (primitive(end) - primitive(start)).sum(axis=0)
    return area


def _slopes(h: Floats, secant: Floats) -> Floats:
    """The interpolant's derivative at each of the K points; all secants are positive."""
    if len(h) == 1:
        return np.concatenate((secant, secant))
    left, right = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    inner = (left + right) / (left / secant[:-1] + right / secant[1:])
    first = _end_slope(h[0], h[1], secant[0], secant[1])
    last = _end_slope(h[-1], h[-2], secant[-1], secant[-2])
    return np.concatenate((first[None], inner, last[None]))


def _end_slope(h0: Floats, h1: Floats, secant0: Floats, secant1: Floats) -> Floats:
    """One-sided three-point estimate, kept from pointing the wrong way."""
    estimate = ((2 * h0 + h1) * secant0 - h0 * secant1) / (h0 + h1)
    return np.maximum(estimate, 0)
