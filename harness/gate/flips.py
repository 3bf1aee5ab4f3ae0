"""Tests of paired differences: many comparisons at once, and few false alarms.

Base and candidate are measured on the same images. Where nothing has changed, the two could
trade places on any image: all differences of that image, at every rate and by every metric,
would change sign together, and the outcome would be no less likely. So the outcome is set
against those with the signs of the images flipped. The largest standardised difference over all
comparisons is what is set against, which keeps the chance of any false alarm at the level asked
for and takes account of how strongly rates and metrics go together (max-T of Westfall and Young,
Resampling-Based Multiple Testing, 1993, section 2.6; with sign flips as in Nichols and Holmes,
Human Brain Mapping 15, 2002). Standardised means make the test robust where differences are
not symmetric (Romano, Annals of Statistics 18, 1990).
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.analysis.curves import Floats

SEED = 0

TOLERANCE = 1e-9
"""Sums of the same numbers in another order differ by less."""


class FlipFamily:
    """All comparisons that share one chance of a false alarm.

    Args:
        units: How many images there are, N.
        flips: Most sign flips to look at; all of them where there are no more.
    """

    def __init__(self, units: int, flips: int) -> None:
        self.signs = sign_flips(units, flips)
        self._most = np.full(len(self.signs), -np.inf)
        self._least = np.full(len(self.signs), np.inf)

    def means(self, differences: Floats) -> Floats:
        """The standardised mean difference under each flip.

        Args:
            differences: float64, N; NaN for images without one.

        Returns:
            float64, one a flip; the first is what was found. Zeros where nothing differs.
        """
        known = np.nan_to_num(differences, nan=0.0)
        size = float(np.sqrt(np.sum(known**2)))
        return self.signs @ (known / size) if size else np.zeros(len(self.signs))

    def add(self, statistic: Floats) -> float:
        """Count a comparison in, by its statistic under each flip; gives back what was found."""
        self._most = np.maximum(self._most, statistic)
        self._least = np.minimum(self._least, statistic)
        return float(statistic[0])

    def p_above(self, found: float) -> float:
        """The chance that any comparison comes out at ``found`` or above where none has changed."""
        return float(np.mean(self._most >= found - TOLERANCE))

    def p_below(self, found: float) -> float:
        """The same at ``found`` or below."""
        return float(np.mean(self._least <= found + TOLERANCE))


@functools.lru_cache(maxsize=2)
def sign_flips(units: int, flips: int) -> Floats:
    """float64, F x N, of 1 and -1: all there are, or ``flips`` at random; no flip comes first."""
    if 2**units <= flips:
        places = np.arange(2**units)[:, None] >> np.arange(units)
        return np.where(places & 1, -1.0, 1.0)
    random = np.random.default_rng(SEED)
    signs = random.choice([-1.0, 1.0], size=(flips, units))
    signs[0] = 1.0
    return signs


def standardised(statistic: Floats) -> Floats:
    """A statistic under each flip in units of its own spread around zero; NaN counts as far."""
    known = statistic[~np.isnan(statistic)]
    spread = float(np.sqrt(np.mean(known**2))) if len(known) else 0.0
    return np.where(np.isnan(statistic), np.inf, statistic) / spread if spread else 0 * statistic


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values of independent or dependent tests (Holm, Scand. J. Statist. 6, 1979)."""
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    steps = np.arange(len(p_values), 0, -1)
    adjusted[order] = np.maximum.accumulate(np.asarray(p_values, dtype=float)[order] * steps)
    return [float(p) for p in np.minimum(adjusted, 1.0)]


@dataclass(frozen=True)
class Change:
    """A step at which a series changed.

    Attributes:
        place: Index of the first point after it.
        difference: Mean of the stretch after it less that of the stretch before.
        p: The chance of a step this large where the stretch around it has none.
    """

    place: int
    difference: float
    p: float


def change_points(values: Floats, least: float, level: float, flips: int) -> list[Change]:
    """The steps of a series that was taken on the same images at each point.

    Binary segmentation (Vostrikova, Soviet Math. Dokl. 24, 1981): the split of a stretch that
    leaves the least squares is kept where it is larger than sign flips of the images make it,
    and its two sides are searched in turn.

    Args:
        values: float64, C x N: points in their order, and images.
        least: The least difference that counts as a change.
        level: The chance of a false alarm in one stretch.
        flips: Most sign flips to look at.

    Returns:
        By place; none with fewer than two points.
    """
    signs = sign_flips(values.shape[1], flips)
    found: list[int] = []
    chances: dict[int, float] = {}
    stretches = [(0, len(values))]
    while stretches:
        start, end = stretches.pop()
        if end - start < 2:  # noqa: PLR2004 - one point has no step
            continue
        place, p = _split(values[start:end], signs)
        before, after = values[start : start + place], values[start + place : end]
        if p <= level and abs(after.mean() - before.mean()) >= least:
            found.append(start + place)
            chances[start + place] = p
            stretches += [(start, start + place), (start + place, end)]
    edges = [0, *sorted(found), len(values)]
    means = [float(values[a:b].mean()) for a, b in itertools.pairwise(edges)]
    return [
        Change(place, means[k + 1] - means[k], chances[place])
        for k, place in enumerate(edges[1:-1])
    ]


def _split(values: Floats, signs: Floats) -> tuple[int, float]:
    """The split of a stretch that leaves the least squares, and its chance under sign flips."""
    count = len(values)
    before: npt.NDArray[np.int64] = np.arange(1, count)
    centred = values - values.mean(axis=0)
    weight = np.sqrt(count / (before * (count - before)))
    contrasts = weight[:, None] * np.cumsum(centred, axis=0)[:-1]
    sums = np.abs(contrasts @ signs.T)
    largest = sums.max(axis=0)
    p = float(np.mean(largest >= largest[0] * (1 - TOLERANCE))) if largest[0] else 1.0
    return int(sums[:, 0].argmax()) + 1, p
