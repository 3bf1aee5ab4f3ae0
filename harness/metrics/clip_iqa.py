"""CLIP-IQA (Wang et al., AAAI 2023), as the package pyiqa defines it."""

from __future__ import annotations

from pathlib import Path

import torch

from harness.assets.digests import sha256_of
from harness.assets.networks import load_file
from harness.codec import Image
from harness.errors import HarnessError
from harness.metrics.base import PlainMeasure, Score, to_tensor
from harness.metrics.cards import CLIP_RN50, clip_iqa_card


class ClipIqa(PlainMeasure):
    """pyiqa's ``clipiqa``: RN50 at the image's size, five prompt pairs averaged."""

    name = "clip_iqa"

    def __init__(self, device: torch.device, weights: Path | None = None) -> None:
        """Load the metric.

        Args:
            device: Where to compute.
            weights: CLIP's file, if it is not :data:`CLIP_RN50`.

        Raises:
            WeightsUnavailable: CLIP's weights cannot be downloaded.
            HarnessError: pyiqa is not installed, or is incomplete.
        """
        path = weights or load_file(CLIP_RN50)
        self._device = device
        try:
            import pyiqa

            self._model = pyiqa.create_metric("clipiqa", device=str(device), backbone=str(path))
        except (ImportError, KeyError, RuntimeError) as error:
            # pyiqa silently leaves out the metrics whose own dependencies are missing.
            problem = f"pyiqa cannot create clipiqa: {error}"
            raise HarnessError(problem, "pip install --force-reinstall pyiqa") from error
        self.cards = {self.name: clip_iqa_card(sha256_of(path))}

    def compare(self, reference: Image, image: Image) -> Score:
        """CLIP-IQA of ``image``, in [0, 1]; the reference is not used."""
        del reference
        return Score.of(self._model(to_tensor(image, self._device, full_scale=1.0)).item())
