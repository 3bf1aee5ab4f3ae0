"""The R-D point of a checkpoint on held-out photographs, by the codec as it is used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np

from harness.codec import Image, RatePoint
from harness.errors import HarnessError, ImageError
from harness.images.files import read_image
from harness.metrics.scorer import Scorer

from ...codec import ProGIC
from ...presets import PRESETS

METRICS = ("psnr", "lpips", "dists")
COLUMNS = ("stage", "bpp", "l1", *METRICS)
Row = dict[str, float | int]


class Validation:
    """Codes the same images with one checkpoint after another.

    Raises:
        HarnessError: None of the images can be read.
    """

    def __init__(self, paths: Sequence[Path], preset: str, device: str) -> None:
        self._scorer = Scorer(METRICS, device)
        self._references = [self._scorer.reference(image) for image in _readable(paths)]
        if not self._references:
            raise HarnessError("none of the held-out images can be read", "name other images")
        self._preset = preset
        self._device = device

    def measure(self, checkpoint: Path) -> list[Row]:
        """One row a stage, with means over the images: bits per pixel of real bytes, scores."""
        options = {"preset": self._preset, "half": True, "compile": False, "range_coding": False}
        codec = ProGIC(options, self._device)
        stages = PRESETS[self._preset].stages
        rates = [
            RatePoint(f"s{n}", {"stages": n}, "pretrained", {"checkpoint": checkpoint})
            for n in range(1, stages + 1)
        ]
        codec.load(rates[-1])
        rows: list[list[Row]] = [[] for _ in rates]
        for reference in self._references:
            image = reference.image
            stream = codec.encode(image)
            for number, rate in enumerate(rates):
                prefix = stream[: codec.prefix_length(stream, rate)]
                decoded = codec.decode(prefix)
                scores = self._scorer.score(reference, decoded)
                row: Row = {
                    "stage": number + 1,
                    "bpp": 8 * len(prefix) / (image.shape[0] * image.shape[1]),
                    "l1": float(np.abs(image / 127.5 - decoded / 127.5).mean()),
                }
                row |= {n: s.value for n, s in scores.items() if s.value is not None}
                rows[number].append(row)
        return [_mean(of_stage) for of_stage in rows]


def _readable(paths: Sequence[Path]) -> Iterator[Image]:
    for path in paths:
        try:
            yield read_image(path)
        except ImageError:
            continue


def _mean(rows: list[Row]) -> Row:
    """Column by column; a metric that is blank for some image is blank."""
    mean: Row = {"stage": rows[0]["stage"]}
    for name in COLUMNS[1:]:
        if all(name in row for row in rows):
            mean[name] = fmean(row[name] for row in rows)
    return mean
