"""MS-SSIM as the package pytorch-msssim defines it."""

from __future__ import annotations

import torch

from harness.codec import Image
from harness.metrics.base import PlainMeasure, Score, to_tensor
from harness.metrics.cards import ms_ssim_card

SMALLEST_SIDE = 161
"""Four halvings must leave more than the 11-pixel window (Wang et al., 2003: five scales)."""


class MsSsim(PlainMeasure):
    """``pytorch_msssim.ms_ssim`` of the RGB image: 11-pixel Gaussian window, mean of channels."""

    name = "ms_ssim"

    def __init__(self, device: torch.device) -> None:
        from pytorch_msssim import ms_ssim

        self._ms_ssim = ms_ssim
        self._device = device
        self.cards = {self.name: ms_ssim_card()}

    def compare(self, reference: Image, image: Image) -> Score:
        """MS-SSIM; blank for an image with a side under 161 pixels."""
        if min(image.shape[:2]) < SMALLEST_SIDE:
            return Score(None, f"undefined under {SMALLEST_SIDE} pixels")
        first, second = (to_tensor(i, self._device) for i in (reference, image))
        # Channel by channel it takes a third of the memory and gives the same mean.
        values = [
            self._ms_ssim(first[:, c : c + 1], second[:, c : c + 1], data_range=255)
            for c in range(first.shape[1])
        ]
        return Score.of(torch.stack(values).mean().item())
