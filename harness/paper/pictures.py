"""Panels of pictures: the photograph, and beside it what each codec made of a part of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from harness.analysis.records import slug_of
from harness.catalog.metrics import Metric
from harness.paper.crops import Box
from harness.report.figures import PAGE_WIDTH, save_figure
from harness.report.style import PAPER
from harness.text import one_line

Pixels = npt.NDArray[np.uint8]

MARK = "#E8202A"
"""The frame of the part that is shown."""

CAPTION = 0.36
"""Inches: two lines under a picture."""

MOST_DOWN = 2
"""Rows of parts beside the photograph."""


@dataclass(frozen=True)
class Tile:
    """What one codec made of the part that is shown.

    Attributes:
        title: The codec's name as printed.
        pixels: uint8, the box's height x width x 3.
        value: The metric's value on the whole image.
        bpp: Bits per pixel of the whole image.
    """

    title: str
    pixels: Pixels
    value: float
    bpp: float


@dataclass(frozen=True)
class Picture:
    """A panel.

    Attributes:
        dataset: The data set's name.
        image: The photograph's name in it.
        original: uint8, H x W x 3.
        box: The part of it that is shown.
        tiles: One a codec.
        title: What the panel calls the data set; its name where empty.
    """

    dataset: str
    image: str
    original: Pixels
    box: Box
    tiles: tuple[Tile, ...]
    title: str = ""

    @property
    def slug(self) -> str:
        """Its name in file names."""
        return slug_of(f"{self.dataset}-{Path(self.image).stem}")


def write_pictures(pictures: Sequence[Picture], metric: Metric, out: Path) -> list[Path]:
    """Write each panel as ``pictures-<data set>-<image>``, ``.pdf`` and ``.png``.

    Returns:
        The paths written.
    """
    paths = []
    for picture in pictures:
        paths += save_figure(draw_picture(picture, metric), out / f"pictures-{picture.slug}")
    return paths


@mpl.rc_context(PAPER)
def draw_picture(picture: Picture, metric: Metric) -> Figure:
    """The photograph with the part marked, then the part itself, original and by codec.

    Under each stand the codec and, of the whole image, the metric's value / bpp.
    """
    parts = 1 + len(picture.tiles)
    down = min(MOST_DOWN, parts)
    across = math.ceil(parts / down)
    height, width, _ = picture.original.shape
    whole_ratio = width / height
    # Heights are equal: one row of the photograph beside 'down' rows of parts.
    part_ratio = picture.box.width / picture.box.height
    side = (PAGE_WIDTH - whole_ratio * (down - 1) * CAPTION) / (
        whole_ratio * down + across * part_ratio
    )
    tall = down * side + (down - 1) * CAPTION
    figure = Figure(figsize=(PAGE_WIDTH, tall + CAPTION))
    whole = [0.0, CAPTION, tall * whole_ratio, tall]
    first = _place(figure, whole)
    _show(first, picture.original, f"{picture.title or picture.dataset}, {picture.image}", "")
    first.add_patch(_frame(picture.box, min(height, width)))
    labels = [("Original", f"{metric.title} / BPP", picture.box.of(picture.original))]
    labels += [
        (tile.title, f"{tile.value:.{metric.decimals}f} / {tile.bpp:.4f}", tile.pixels)
        for tile in picture.tiles
    ]
    for place, (title, values, pixels) in enumerate(labels):
        row, column = divmod(place, across)
        left = whole[2] + column * side * part_ratio
        bottom = CAPTION + (down - 1 - row) * (side + CAPTION)
        _show(_place(figure, [left, bottom, side * part_ratio, side]), pixels, title, values)
    return figure


GAP = 0.05
"""Inches between pictures."""


def _place(figure: Figure, inches: Sequence[float]) -> Axes:
    left, bottom, width, height = inches
    total_width, total_height = figure.get_size_inches()
    return figure.add_axes(
        (
            (left + GAP / 2) / total_width,
            bottom / total_height,
            (width - GAP) / total_width,
            height / total_height,
        )
    )


def _show(axes: Axes, pixels: Pixels, title: str, values: str) -> None:
    axes.imshow(pixels, interpolation="none", aspect="auto")
    axes.set_axis_off()
    title = one_line(title)
    text = f"{title}\n{values}" if values else title
    axes.text(0.5, -0.02, text, transform=axes.transAxes, ha="center", va="top", fontsize=7.5)


def _frame(box: Box, side: int) -> Rectangle:
    line = max(1.0, side / 400)
    corner = (box.left - 0.5, box.top - 0.5)
    return Rectangle(corner, box.width, box.height, fill=False, ec=MARK, lw=min(line, 1.6))
