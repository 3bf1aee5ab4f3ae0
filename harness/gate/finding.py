"""One line of a comparison: what was compared, how it changed, and what that amounts to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.analysis.intervals import Interval
from harness.analysis.records import ImageSet

Kind = Literal["bits", "quality", "bd_rate", "speed", "status"]
Verdict = Literal[
    "worse",
    "better",
    "small",
    "no change",
    "equal",
    "traded",
    "not judged",
    "did not run",
    "runs now",
]
FAILURES: frozenset[Verdict] = frozenset({"worse", "did not run"})


@dataclass(frozen=True)
class Finding:
    """One comparison of a candidate with its base.

    Attributes:
        kind: What was compared.
        subject: The column, such as ``dists``, ``bpp`` or ``encode_ms``; of a BD-rate the
            metric it is by; of a status the candidate's.
        codec: The codec's name.
        title: Its name as printed.
        image_set: Data set and resolution.
        rate: The rate point's id; empty where it is about all of them.
        verdict: What the change amounts to. ``small``: certain, and under the limit.
            ``equal``: not one image differs. ``traded``: bits and quality moved against each
            other, and the BD-rate weighs them.
        base: The base's mean; of times the median.
        candidate: The candidate's.
        change: Candidate less base; of a BD-rate percent; of times the ratio.
        interval: Its 95 % interval over images, for this comparison alone.
        p: The chance of such a change for the worse (or for the better, where it is that)
            anywhere in the whole comparison where nothing has changed.
        images: How many images (cases, of a status) it is over.
        different: Images whose bitstreams differ; of bits alone.
        note: What a reader must know about it, such as why it was not judged.
    """

    kind: Kind
    subject: str
    codec: str
    title: str
    image_set: ImageSet
    rate: str
    verdict: Verdict
    base: float | None = None
    candidate: float | None = None
    change: float | None = None
    interval: Interval | None = None
    p: float | None = None
    images: int = 0
    different: int | None = None
    note: str = ""

    @property
    def percent(self) -> float | None:
        """The change in percent of the base."""
        if self.kind == "bd_rate":
            return self.change
        if self.change is None or not self.base:
            return None
        return 100 * (self.change - 1 if self.kind == "speed" else self.change / abs(self.base))

    @property
    def fails(self) -> bool:
        """Whether it makes the gate fail."""
        return self.verdict in FAILURES
