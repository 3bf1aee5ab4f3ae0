"""CLIP-IQA (Wang et al., AAAI 2023), as the package pyiqa defines it."""

from __future__ import annotations

from pathlib import Path

import torch

from harness.assets.digests import sha256_of
from harness.assets.networks import PublishedFile, load_file
from harness.codec import Image
from harness.errors import HarnessError
from harness.metrics.base import PlainMeasure, Score, package_version, to_tensor
from harness.metrics.card import Card

CLIP_RN50 = PublishedFile(
    url=(
        "https://openaipublic.azureedge.net/clip/models/"
        "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762/RN50.pt"
    ),
    sha256="afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762",
    size=255_796_990,
    hub="clip",
)
"""OpenAI's CLIP with a ResNet-50, a TorchScript archive."""


class ClipIqa(PlainMeasure):
    """pyiqa's ``clipiqa``: RN50 at the image's size, five prompt pairs averaged."""

    name = "clip_iqa"

    def __init__(self, device: torch.device, weights: Path | None = None) -> None:
        """Load the metric.

        Args:
            device: Where to compute.
            weights: CLIP's file, when it is not :data:`CLIP_RN50`.

        Raises:
            WeightsUnavailable: CLIP's weights cannot be had.
            HarnessError: pyiqa is not installed, or not whole.
        """
        version = package_version("pyiqa")
        path = weights or load_file(CLIP_RN50)
        self._device = device
        try:
            import pyiqa

            self._model = pyiqa.create_metric("clipiqa", device=str(device), backbone=str(path))
        except (ImportError, KeyError, RuntimeError) as error:
            # pyiqa leaves out, without a word, the metrics whose own dependencies are missing.
            problem = f"pyiqa {version} cannot make clipiqa: {error}"
            raise HarnessError(problem, "pip install --force-reinstall pyiqa") from error
        definition = "clipiqa: CLIP RN50, five prompt pairs averaged"
        files = {"clip_rn50": sha256_of(path)}
        self.cards = {self.name: Card(self.name, "pyiqa", version, definition, "0..1", files)}

    def compare(self, reference: Image, image: Image) -> Score:
        """CLIP-IQA of ``image`` alone, in [0, 1]."""
        del reference
        return Score.of(self._model(to_tensor(image, self._device, full_scale=1.0)).item())
