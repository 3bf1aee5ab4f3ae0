"""What the figures show: a checkpoint behind the codec, and photographs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL.Image
import torch

from harness.codec import Image, Profile, RatePoint, WeightsMode
from harness.errors import HarnessError
from harness.images.datasets import scan
from harness.images.files import read_image

from ...bitstream import read
from ...checkpoint import load_checkpoint
from ...codec import ProGIC
from ...network import Network, random_network, to_signal
from ...presets import PRESETS, Settings

PAPER_STEPS = 2_000_000
HARDLY_TRAINED = PAPER_STEPS // 10


@dataclass(frozen=True)
class Photograph:
    """An image and its file's name without suffix."""

    name: str
    image: Image


class Subject:
    """A codec with a checkpoint, or with random weights.

    Attributes:
        preset: The network's.
        network: In float32 on the CPU, for what the bitstream does not show.
        note: What weights these are; every figure says it.
        trained: Whether they were trained long enough to be judged by.
        steps: For how long they were trained; 0 for random weights, ``None`` when not known.
    """

    def __init__(self, source: str) -> None:
        """Load ``source``: a checkpoint's path, or ``random:PRESET``.

        Raises:
            HarnessError: There is no such preset.
            Unavailable: The file is not a checkpoint.
        """
        self.path: Path | None = None
        self.steps: int | None
        if random := re.fullmatch("random:(.*)", source):
            self.preset = random[1]
            if self.preset not in PRESETS:
                raise HarnessError(f"no preset {self.preset!r}", f"known: {', '.join(PRESETS)}")
            self.network: Network = random_network(PRESETS[self.preset])
            self.steps = 0
            self.note = (
                f"{self.preset} with RANDOM WEIGHTS: nothing here says anything about its quality"
            )
        else:
            self.path = Path(source)
            checkpoint = load_checkpoint(self.path)
            self.preset, self.network = checkpoint.metadata["preset"], checkpoint.network
            stated = checkpoint.metadata.get("step", "")
            self.steps = int(stated) if stated.isdecimal() else None
            self.note = f"{self.preset}, weights {checkpoint.sha256[:8]}, {_trained(self.steps)}"
            if before := checkpoint.metadata.get("begun_from"):
                self.note += f", begun from weights {before[:8]}"
        self.trained = self.steps is None or self.steps >= HARDLY_TRAINED
        self._plain = self.codec(range_coding=False)

    @property
    def settings(self) -> Settings:
        """The network's."""
        return self.network.settings

    def codec(self, *, range_coding: bool) -> ProGIC:
        """The codec as the harness runs it, on the CPU."""
        options = {
            "preset": self.preset,
            "seed": 0,
            "half": False,
            "compile": False,
            "range_coding": range_coding,
        }
        codec = ProGIC(options, "cpu")
        codec.load(self._rate(self.settings.stages))
        return codec

    def prefixes(self, image: Image, *, codec: ProGIC | None = None) -> list[bytes]:
        """The bitstreams of 1 to N stages, all cut out of one encode."""
        codec = codec or self._plain
        stream = codec.encode(image)
        stages = range(1, self.settings.stages + 1)
        return [stream[: codec.prefix_length(stream, self._rate(n))] for n in stages]

    def decode(self, stream: bytes) -> Image:
        """All whole stages of a bitstream."""
        return self._plain.decode(stream)

    def indices(self, image: Image) -> npt.NDArray[np.uint16]:
        """What an image's bitstream holds: uint16, N x h x w."""
        return read(self._plain.encode(image), self.settings, self._plain.coder)

    def latent(self, image: Image) -> npt.NDArray[np.float32]:
        """The latent before quantization, float, h*w x C, of whole squares of f x f pixels."""
        height, width = (side // self.settings.factor for side in image.shape[:2])
        pixels = image[: height * self.settings.factor, : width * self.settings.factor]
        with torch.inference_mode():
            latent = self.network.analysis(to_signal(torch.from_numpy(pixels.copy())[None]))
        vectors: npt.NDArray[np.float32] = latent[0].flatten(1).T.numpy()
        return vectors

    def profile(self, height: int, width: int) -> Profile:
        """Parameters and operations, encoding and decoding together."""
        return self._plain.profile(height, width)

    def shown_stages(self, most: int) -> list[int]:
        """All stages, or ``most`` of them at even distances, the first and the last included."""
        chosen = np.linspace(1, self.settings.stages, min(most, self.settings.stages))
        return [int(stage) for stage in chosen.round()]

    def _rate(self, stages: int) -> RatePoint:
        mode: WeightsMode = "random" if self.path is None else "pretrained"
        files = {} if self.path is None else {"checkpoint": self.path}
        return RatePoint(f"s{stages}", {"stages": stages}, mode, files)


def bpp(stream: bytes, image: Image) -> float:
    """Bits per pixel."""
    pixels: int = image.shape[0] * image.shape[1]
    return 8 * len(stream) / pixels


def read_photographs(folder: Path, limit: int) -> list[Photograph]:
    """The first images of a folder.

    Raises:
        HarnessError: There is none, or one cannot be read.
    """
    paths = scan(folder)[:limit]
    if not paths:
        raise HarnessError(f"{folder} has no image files", "name another folder")
    return [Photograph(path.stem, read_image(path)) for path in paths]


def square(image: Image, side: int) -> Image:
    """The middle square of an image, at ``side`` x ``side`` pixels."""
    height, width, _ = image.shape
    least = min(height, width)
    top, left = (height - least) // 2, (width - least) // 2
    cut = PIL.Image.fromarray(image[top : top + least, left : left + least])
    return np.asarray(cut.resize((side, side), PIL.Image.Resampling.LANCZOS))


def entropy(counts: npt.NDArray[np.floating]) -> float:
    """Entropy of a distribution given by counts, in bits."""
    shares = counts[counts > 0] / counts.sum()
    return -float((shares * np.log2(shares)).sum())


def names(photographs: Sequence[Photograph]) -> str:
    """Which photographs a figure was made of."""
    if len(photographs) == 1:
        return photographs[0].name
    return f"{len(photographs)} photographs, {photographs[0].name} to {photographs[-1].name}"


def _trained(steps: int | None) -> str:
    if steps is None:
        return "steps of training not stated"
    hardly = "HARDLY TRAINED: " if steps < HARDLY_TRAINED else ""
    return f"{hardly}{steps:,} steps, the paper's have {PAPER_STEPS:,}"
