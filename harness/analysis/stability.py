"""Whether a timing can be trusted, by pyperf's two rules."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

MIN_SAMPLES = 3
MAX_DEVIATION = 0.10
MAX_OUTLIER = 0.50


def unstable(samples_ms: Sequence[float]) -> str | None:
    """Why these samples are too wide to trust, or ``None``.

    They are when the standard deviation is 10 % of the mean or more, or when a sample lies
    50 % of the mean or more away from it. Fewer than three samples say nothing.
    """
    if len(samples_ms) < MIN_SAMPLES:
        return None
    mean = statistics.fmean(samples_ms)
    deviation = statistics.stdev(samples_ms) / mean
    if deviation >= MAX_DEVIATION:
        return f"standard deviation is {deviation:.0%} of the mean"
    outlier = max(abs(max(samples_ms) - mean), abs(min(samples_ms) - mean)) / mean
    if outlier >= MAX_OUTLIER:
        return f"one sample is {outlier:.0%} off the mean"
    return None
