"""PSNR over all samples of the three channels."""

from __future__ import annotations

import math

import numpy as np

from harness.codec import Image
from harness.metrics.base import PlainMeasure, Score
from harness.metrics.cards import psnr_card

PEAK = 255


class Psnr(PlainMeasure):
    """``10 log10(255^2 / MSE)``, with the MSE over all 3 H W samples."""

    name = "psnr"

    def __init__(self) -> None:
        self.cards = {self.name: psnr_card()}

    def compare(self, reference: Image, image: Image) -> Score:
        """PSNR in dB; infinite for equal images."""
        difference = np.subtract(reference, image, dtype=np.int32)
        error = float(np.mean(np.square(difference), dtype=np.float64))
        return Score.of(10 * math.log10(PEAK**2 / error)) if error else Score(math.inf)
