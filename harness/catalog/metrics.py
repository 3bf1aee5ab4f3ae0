"""The metrics: what each is called, how it reads, and what a change of it is worth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from harness.errors import HarnessError, UnknownName

Direction = Literal["higher", "lower"]


@dataclass(frozen=True)
class Limit:
    """The least change for the worse that counts in the gate; a smaller one passes.

    Attributes:
        absolute: In the metric's own unit.
        percent: Of the base's mean. One of the two is set, or none: reported, never judged.
    """

    absolute: float | None = None
    percent: float | None = None

    @property
    def judged(self) -> bool:
        """Whether a change can fail the gate."""
        return self.absolute is not None or self.percent is not None

    def reached(self, change: float, base: float) -> bool:
        """Whether a change of that size counts; ``base`` is the base's mean."""
        if self.absolute is not None:
            return change >= self.absolute
        return self.percent is not None and change >= abs(base) * self.percent / 100


@dataclass(frozen=True)
class Metric:
    """One column of results that says how good a reconstruction is.

    Attributes:
        name: The name people type, and the column's name.
        title: The name that tables and figures print.
        unit: The unit, ``""`` when it has none.
        direction: Whether ``higher`` or ``lower`` values are better.
        best: The value of a perfect image.
        decimals: How many decimals a table prints.
        limit: From where on a change counts in the gate, unless its user says otherwise.
        tolerance: By how much two computations of the same value may differ, in the metric's unit:
            another machine, device or number of threads adds in another order. PSNR is computed in
            float64, the others in float32.
        needs_reference: Whether it compares with the original. Without, a BD-rate is dubious.
    """

    name: str
    title: str
    unit: str
    direction: Direction
    best: float
    decimals: int
    limit: Limit
    tolerance: float
    needs_reference: bool = True

    @property
    def sign(self) -> int:
        """1 where higher is better, else -1: what turns a value into a goodness."""
        return 1 if self.direction == "higher" else -1

    @property
    def arrow(self) -> str:
        """``↑`` where higher is better, else ``↓``."""
        return "↑" if self.direction == "higher" else "↓"

    @property
    def label(self) -> str:
        """Title, unit and direction, as over an axis or a column: ``PSNR (dB) ↑``."""
        unit = f" ({self.unit})" if self.unit else ""
        return f"{self.title}{unit} {self.arrow}"


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("psnr", "PSNR", "dB", "higher", math.inf, 2, Limit(absolute=0.05), 1e-6),
        Metric("ms_ssim", "MS-SSIM", "", "higher", 1.0, 4, Limit(absolute=0.0005), 1e-5),
        Metric("lpips", "LPIPS", "", "lower", 0.0, 4, Limit(percent=0.5), 1e-5),
        Metric("dists", "DISTS", "", "lower", 0.0, 4, Limit(percent=0.5), 1e-5),
        Metric("clip_iqa", "CLIP-IQA", "", "higher", 1.0, 4, Limit(absolute=0.005), 1e-5,
               needs_reference=False),
    )
}  # fmt: skip
"""Every metric, in the order in which tables show them."""


BITRATE = Metric("bpp", "Bitrate", "bpp", "lower", 0.0, 4, Limit(percent=0.5), 0.0)
"""What quality is weighed against; reads like a metric where a change of it is judged."""


def metric_named(name: str) -> Metric:
    """The metric of that name; hyphens are accepted for underscores.

    Raises:
        UnknownName: There is none; the message names the nearest.
    """
    key = name.strip().lower().replace("-", "_")
    if key == "bpp":
        raise HarnessError("bpp is the rate, not a quality", "name a metric such as psnr")
    if key not in METRICS:
        raise UnknownName("metric", name, METRICS, "'harness list metrics' shows all")
    return METRICS[key]
