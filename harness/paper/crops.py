"""Which reconstructions a panel of pictures shows: near one bitrate, where codecs differ most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.ndimage import uniform_filter

from harness.errors import Status, UnknownName

Images = Sequence[npt.NDArray[np.uint8]]


@dataclass(frozen=True)
class Box:
    """A rectangle of an image, in pixels: its upper left corner and its size."""

    left: int
    top: int
    width: int
    height: int

    def of(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """That part of an image: uint8, height x width x 3."""
        return image[self.top : self.top + self.height, self.left : self.left + self.width]


def near_rate(
    records: pd.DataFrame, codecs: Sequence[str], metric: str, bpp: float
) -> pd.DataFrame:
    """Of each codec and image, the case whose bitrate is nearest to ``bpp``, as a ratio.

    Args:
        records: Cases of one data set, in the columns of :func:`harness.load_results`.
        codecs: The codecs, in the order that is wanted.
        metric: Cases without a value of it are left out.
        bpp: The bitrate.

    Returns:
        One row a codec and image, in the order of ``codecs``.
    """
    usable: pd.DataFrame = records[
        records["codec"].isin(codecs)
        & (records["status"] == Status.OK)
        & records["bpp"].gt(0)
        & np.isfinite(records[metric])
    ]
    away = np.abs(np.log(usable["bpp"] / bpp))
    nearest = usable.assign(_away=away).sort_values(["_away", "rate_index"], kind="stable")
    chosen = nearest.drop_duplicates(["codec", "image"]).drop(columns="_away")
    order = {codec: place for place, codec in enumerate(codecs)}
    ordered: pd.DataFrame = chosen.sort_values(
        ["image", "codec"],
        key=lambda column: column.map(order) if column.name == "codec" else column,
        ignore_index=True,
    )
    return ordered


def most_different_image(cases: pd.DataFrame, metric: str) -> str:
    """The image that most codecs have, and on which ``metric`` differs most among them.

    Args:
        cases: From :func:`near_rate`, at least one.
        metric: The metric; its standard deviation over codecs decides.
    """
    by_image = cases.groupby("image")[metric].agg(["count", "std"]).fillna(0.0)
    ranked = by_image.sort_values(["count", "std"], ascending=False, kind="stable")
    return str(ranked.index[0])


def of_image(cases: pd.DataFrame, image: str) -> pd.DataFrame:
    """The cases of one image; the suffix of its file may be left out.

    Raises:
        UnknownName: No codec has it.
    """
    names = sorted(set(cases["image"]))
    name = next((n for n in names if image in (n, n.rpartition(".")[0])), None)
    if name is None:
        raise UnknownName("image", image, names)
    chosen: pd.DataFrame = cases[cases["image"] == name]
    return chosen


def most_different_box(images: Images, side: int) -> Box:
    """The square in which reconstructions differ most from each other.

    The measure is the standard deviation over the reconstructions of each sample, as a mean
    over the square and the channels.

    Args:
        images: uint8, H x W x 3 each, all of one size; one alone has its middle shown.
        side: Side of the square in pixels; less where the image is smaller.
    """
    height, width, _ = images[0].shape
    side = min(side, height, width)
    if len(images) == 1:
        return Box((width - side) // 2, (height - side) // 2, side, side)
    total = np.zeros((height, width), dtype=np.float64)
    for channel in range(3):
        stack = np.stack([image[..., channel] for image in images]).astype(np.float32)
        total += stack.std(axis=0)
    # The window of a square of even side reaches half a pixel further to the left.
    mean = uniform_filter(total, side, mode="nearest")
    half = side // 2
    inside = mean[half : half + height - side + 1, half : half + width - side + 1]
    top, left = np.unravel_index(int(inside.argmax()), inside.shape)
    return Box(int(left), int(top), side, side)
