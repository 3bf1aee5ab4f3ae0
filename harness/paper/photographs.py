"""Finds the images behind records: the photograph, and what each codec made of it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from harness.assets.digests import sha256_of
from harness.codec import Image
from harness.errors import HarnessError
from harness.images.datasets import resolve
from harness.images.files import read_image
from harness.paper.crops import Box, most_different_box, most_different_image, near_rate, of_image
from harness.paper.pictures import Picture, Tile
from harness.store.load import run_folders


def load_picture(
    results: Path,
    records: pd.DataFrame,
    codecs: Sequence[str],
    metric: str,
    bpp: float,
    side: int,
    image: str | None = None,
    box: Box | None = None,
) -> Picture:
    """One panel: the photograph and a reconstruction of each codec.

    Args:
        results: The results folder that the records were read from.
        records: Cases of one data set.
        codecs: The codecs, in the order of the panel.
        metric: The metric whose value stands under each picture.
        bpp: Of each codec, the rate point nearest to it is shown.
        side: Side of the square that is shown.
        image: The photograph; where ``None``, the one on which codecs differ most.
        box: What of it is shown; where ``None``, the square in which they differ most.

    Raises:
        HarnessError: No codec has a reconstruction, or the photograph is not here.
    """
    cases = near_rate(records, codecs, metric, bpp)
    if cases.empty:
        raise HarnessError(f"no {metric} of these codecs")
    cases = of_image(cases, image or most_different_image(cases, metric))
    found = {case.case: path for case in cases.itertuples() if (path := _decoded(results, case))}
    cases = cases[cases["case"].isin(found)]
    if cases.empty:
        raise HarnessError("no reconstruction was kept", "measure with 'harness run --keep all'")
    first = cases.iloc[0]
    original = _original(str(first["dataset"]), str(first["image"]), str(first["image_sha256"]))
    decoded = [read_image(found[case]) for case in cases["case"]]
    box = _inside(box or most_different_box(decoded, side), original)
    tiles = [
        Tile(str(case["title"]), box.of(pixels), float(case[metric]), float(case["bpp"]))
        for (_, case), pixels in zip(cases.iterrows(), decoded, strict=True)
    ]
    return Picture(str(first["dataset"]), str(first["image"]), original, box, tuple(tiles))


def _inside(box: Box, image: Image) -> Box:
    height, width, _ = image.shape
    right, bottom = box.left + box.width, box.top + box.height
    if min(box.left, box.top) < 0 or right > width or bottom > height:
        raise HarnessError(f"the crop reaches to {right}x{bottom}, the image to {width}x{height}")
    return box


def _decoded(results: Path, case: object) -> Path | None:
    """The reconstruction of a case, where it was kept and is still what was written."""
    run, identity = str(getattr(case, "run", "")), str(getattr(case, "case", ""))
    digest = getattr(case, "reconstruction_sha256", None)
    for folder in run_folders(results):
        if folder.name == run:
            pattern = f"reconstructions/**/*.{identity[:8]}.png"
            path = next(iter(sorted(folder.glob(pattern))), None)
            if path is None or not isinstance(digest, str) or sha256_of(path) == digest:
                return path
            warnings.warn(f"{path} is not what was written, and is not shown", stacklevel=4)
    return None


def _original(dataset: str, name: str, sha256: str) -> Image:
    try:
        images = resolve(dataset, download=False).images
    except HarnessError as error:
        raise HarnessError(f"the photograph {name} is not here: {error}") from error
    for source in images:
        if source.name == name and source.sha256 == sha256:
            return read_image(source.path)
    raise HarnessError(f"{dataset} has no {name} with the sha256 that was measured")
