"""Finds the photographs behind records, by their sha256."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.codec import Image
from harness.errors import HarnessError, Lack
from harness.images.datasets import Dataset, SourceImage, resolve
from harness.images.files import MAX_PIXELS, read_image
from harness.images.resolution import NATIVE, Resolution, derive, parse, target_size


class Originals:
    """The photographs of data sets and folders on this machine.

    Args:
        named: Data sets and folders that the user named, which are searched first.
        download: Whether data sets that are not here may be downloaded.
    """

    def __init__(self, named: Sequence[str], *, download: bool) -> None:
        self._named = tuple(named)
        self._download = download
        self._resolved: dict[str, Dataset | HarnessError] = {}

    def find(self, record: dict[str, Any], requested: Sequence[str]) -> SourceImage | Lack:
        """The photograph of a record, under the record's name of it, or why it is not here.

        Args:
            record: A row of :func:`harness.load_results`.
            requested: The data sets and folders that the record's run was asked to measure.
        """
        name, wanted = str(record["image"]), str(record["image_sha256"])
        errors = []
        for place in self._places(str(record["dataset"]), requested):
            found = self._resolve(place)
            if isinstance(found, HarnessError):
                errors.append(found.problem)
                continue
            for image in found.images:
                if image.sha256 == wanted:
                    return replace(image, name=name)
            errors.append(f"{place} has no image with the recorded sha256")
        reasons = f" ({'; '.join(dict.fromkeys(errors))})" if errors else ""
        problem = f"photograph {name} of {record['dataset']} is not here{reasons}"
        return Lack(problem, "name the folder that has it with --dataset")

    def _places(self, dataset: str, requested: Sequence[str]) -> Iterator[str]:
        yield from self._named
        if Path(dataset).name == dataset and not dataset.startswith((".", "~")):
            yield dataset
        yield from (path for path in requested if Path(path).name == dataset != path)

    def _resolve(self, place: str) -> Dataset | HarnessError:
        if place not in self._resolved:
            try:
                self._resolved[place] = resolve(place, download=self._download)
            except HarnessError as error:
                self._resolved[place] = error
        return self._resolved[place]


def resolution_of(record: dict[str, Any], source: SourceImage) -> Resolution | Lack:
    """The resolution at which a record's photograph was coded, if it is one that can be derived."""
    try:
        (resolution,) = parse(str(record["resolution"]))
    except (HarnessError, ValueError):
        return Lack(f"{record['resolution']!r} is not a resolution")
    height, width = target_size((source.height, source.width), resolution)
    if resolution != NATIVE and height * width > MAX_PIXELS:
        return Lack(f"{resolution} has more than {MAX_PIXELS} pixels")
    return resolution


def original(source: SourceImage, resolution: Resolution) -> Image:
    """The photograph at a resolution: uint8, H x W x 3.

    A recorded size was derived by the rules of :func:`harness.images.resolution.derive`, enlarged
    if its source was smaller.

    Raises:
        HarnessError: It cannot be read.
    """
    return derive(read_image(source.path), resolution, upsample=True)
