"""LPIPS on VGG16 as a loss: the metric's definition and weights, with gradients."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.assets.networks import Tensors, load_network
from harness.metrics.cards import lpips_layers
from harness.metrics.vgg import MEAN, STAGES, STD, VGG16

_EPSILON = 1e-10


class Lpips(nn.Module):
    """The distance between normalised features, weighted by channel, mean over each map.

    Zhang et al., CVPR 2018, weights v0.1. Nothing in it is trained.

    Raises:
        WeightsUnavailable: VGG16's weights cannot be had.
        HarnessError: The package lpips is missing.
    """

    def __init__(self) -> None:
        super().__init__()
        tensors = load_network(VGG16)
        self.convolutions = nn.ModuleList(
            nn.ModuleList(_convolution(tensors, number) for number in stage) for stage in STAGES
        )
        self.linear = nn.ParameterList(
            torch.tensor(layer).flatten() for layer in lpips_layers().values()
        )
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(3, 1, 1))
        self.requires_grad_(requires_grad=False).to(memory_format=torch.channels_last)

    def features(self, images: Tensor) -> list[Tensor]:
        """Normalised features of the five stages, float32, from B x 3 x H x W in [-1, 1]."""
        x = ((images + 1) / 2 - self.mean) / self.std
        x = x.contiguous(memory_format=torch.channels_last)
        found = []
        for stage, layers in enumerate(self.convolutions):
            if stage:
                x = functional.max_pool2d(x, 2)
            for layer in layers:  # type: ignore[attr-defined]
                x = functional.relu(layer(x))
            wide = x.float()
            norm = torch.linalg.vector_norm(wide, dim=1, keepdim=True)
            found.append(wide / (norm + _EPSILON))
        return found

    def forward(self, reference: Tensor, images: Tensor) -> Tensor:
        """LPIPS of several versions of each image.

        Args:
            reference: float, B x 3 x H x W in [-1, 1].
            images: float, N x B x 3 x H x W; gradients flow to them.

        Returns:
            float, N x B.
        """
        versions, batch = images.shape[:2]
        with torch.no_grad():
            expected = self.features(reference)
        found = self.features(images.flatten(0, 1))
        total = images.new_zeros(versions, batch)
        for ours, theirs, weight in zip(expected, found, self.linear, strict=True):
            difference = (ours - theirs.view(versions, batch, *theirs.shape[1:])).square()
            total = total + (difference.mean((3, 4)) * weight).sum(2)
        return total


def _convolution(tensors: Tensors, number: int) -> nn.Conv2d:
    weight = torch.from_numpy(np.ascontiguousarray(tensors[f"features.{number}.weight"]))
    outputs, inputs = weight.shape[:2]
    layer = nn.Conv2d(inputs, outputs, 3, padding=1)
    bias = torch.from_numpy(np.ascontiguousarray(tensors[f"features.{number}.bias"]))
    layer.load_state_dict({"weight": weight, "bias": bias})
    return layer
