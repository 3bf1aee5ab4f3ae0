"""The interface between a metric's module and the scorer."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from harness.codec import Image
from harness.metrics.cards import Card


@dataclass(frozen=True)
class Score:
    """A metric's value, or why there is none.

    Attributes:
        value: The value; infinite only where that is correct (PSNR of equal images).
        reason: Why ``value`` is ``None``.
        final: Whether another attempt would give the same; a blank that is not final is retried.
    """

    value: float | None
    reason: str | None = None
    final: bool = True

    @classmethod
    def of(cls, value: float) -> Score:
        """The score of ``value``; a blank if it is not a finite number."""
        return cls(value) if math.isfinite(value) else cls(None, f"not finite ({value})")


class Measure(ABC):
    """Computes one metric, or several that share their work.

    A measure is created once per device, prepares each reference once, and then compares any
    number of decoded images with what it prepared.
    """

    cards: dict[str, Card]
    """The identity card of each metric it computes."""

    @abstractmethod
    def prepare(self, reference: Image) -> Any:
        """What the measure needs of the reference (uint8, H x W x 3), for all comparisons."""

    @abstractmethod
    def score(self, prepared: Any, image: Image) -> dict[str, Score]:
        """Score ``image`` (uint8, of the reference's shape) under every metric of :attr:`cards`."""


class PlainMeasure(Measure):
    """A measure of one metric that needs only the reference's pixels."""

    name: ClassVar[str]

    def prepare(self, reference: Image) -> Image:
        """The reference itself."""
        return reference

    def score(self, prepared: Image, image: Image) -> dict[str, Score]:
        """The one metric's score."""
        return {self.name: self.compare(prepared, image)}

    @abstractmethod
    def compare(self, reference: Image, image: Image) -> Score:
        """The metric's score of ``image``."""


def to_tensor(image: Image, device: torch.device, full_scale: float = 255.0) -> torch.Tensor:
    """The image as float32, 1 x 3 x H x W, channels last, in [0, ``full_scale``]."""
    tensor = torch.from_numpy(np.array(image)).to(device).permute(2, 0, 1)[None].float()
    return tensor if full_scale == 255.0 else tensor.mul_(full_scale / 255.0)  # noqa: PLR2004
