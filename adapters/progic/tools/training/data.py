"""Photographs for training: what there is, and the crops of a step."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from harness.codec import Image
from harness.errors import HarnessError, ImageError
from harness.images.datasets import scan
from harness.images.files import read_image

from .config import Config

_ATTEMPTS = 20


@dataclass(frozen=True)
class Photographs:
    """The image files of a training.

    Attributes:
        training: To draw crops from.
        held_out: Never trained on; the R-D points are measured on them.
        digest: sha256 over the names (within their folders) and sizes of all files. Contents
            are not read: ImageNet alone is 150 GB.
    """

    training: Sequence[Path]
    held_out: Sequence[Path]
    digest: str


def find_photographs(images: Path, held_out: int, validation: Path | None = None) -> Photographs:
    """Look for image files.

    Args:
        images: The folder to train on, with its subfolders.
        held_out: How many images to measure R-D points on.
        validation: The folder of those images. Without it they are taken out of ``images``, at
            even distances in the order of the names.

    Raises:
        HarnessError: There are too few.
    """
    found = scan(images)
    if validation is not None:
        measured, training = _evenly(scan(validation), held_out), found
    else:
        measured = _evenly(found, held_out)
        training = sorted(set(found) - set(measured))
    if not training or not measured:
        raise HarnessError(
            f"{validation or images} has too few image files: {len(training)} to train on, "
            f"{len(measured)} to hold out",
            "name a folder with more images, or hold out fewer",
        )
    digest = hashlib.sha256()
    for folder, paths in ((images, training), (validation or images, measured)):
        for path in paths:
            name = path.relative_to(folder).as_posix()
            digest.update(f"{name}\0{path.stat().st_size}\n".encode())
        digest.update(b"\n")
    return Photographs(training, measured, digest.hexdigest())


def _evenly(paths: Sequence[Path], count: int) -> list[Path]:
    count = min(count, len(paths))
    return [paths[n * len(paths) // count] for n in range(count)]


class Crops(Dataset[Tensor]):
    """Random crops. Each is decided by the seed and its number alone.

    So a training that continues sees what an undisturbed one would, whatever the number of
    processes that read.
    """

    def __init__(self, paths: Sequence[Path], crop: int, seed: int) -> None:
        self._paths = [str(path) for path in paths]
        self._crop = crop
        self._seed = seed

    def __getitem__(self, number: int) -> Tensor:
        """uint8, crop x crop x 3: part of some image, mirrored or not.

        An image smaller than the crop is enlarged; one that cannot be read is passed over.

        Raises:
            RuntimeError: No image of many could be read.
        """
        generator = np.random.default_rng([self._seed, number])
        for _ in range(_ATTEMPTS):
            path = self._paths[generator.integers(len(self._paths))]
            try:
                image = _at_least(read_image(path), self._crop)
            except ImageError as error:
                reason = error
                continue
            top, left = (generator.integers(side - self._crop + 1) for side in image.shape[:2])
            part = image[top : top + self._crop, left : left + self._crop]
            mirrored = part[:, ::-1] if generator.integers(2) else part
            return torch.from_numpy(np.ascontiguousarray(mirrored))
        raise RuntimeError(f"{_ATTEMPTS} images in a row could not be read, the last: {reason}")


def _at_least(image: Image, side: int) -> Image:
    height, width, _ = image.shape
    if min(height, width) >= side:
        return image
    scale = side / min(height, width)
    size = max(side, round(width * scale)), max(side, round(height * scale))
    return np.asarray(PIL.Image.fromarray(image).resize(size, PIL.Image.Resampling.LANCZOS))


def batches(
    paths: Sequence[Path], config: Config, first_step: int, workers: int
) -> Iterator[Tensor]:
    """The batches of all steps from ``first_step`` on: uint8, B x crop x crop x 3.

    Args:
        paths: Of the images.
        config: Of the training.
        first_step: From 0.
        workers: Processes that read ahead; 0 reads in this one.
    """
    numbers = range(first_step * config.batch, config.steps * config.batch)
    loader = DataLoader(
        Crops(paths, config.crop, config.seed),
        config.batch,
        sampler=numbers,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        persistent_workers=workers > 0,
    )
    return iter(loader)
