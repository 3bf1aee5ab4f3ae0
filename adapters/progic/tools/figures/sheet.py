"""A figure with its numbers: written as PNG, PDF and CSV."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from harness.codec import Image
from harness.report.figures import PAGE_WIDTH
from harness.report.style import PAPER

from .subject import Subject

STYLE: Any = PAPER | {"axes.grid": False, "figure.constrained_layout.use": True}
"""Matplotlib's settings for these figures."""

WARNING_COLOR, NOTE_COLOR = "#B00020", "#555555"


@dataclass(frozen=True)
class Sheet:
    """What a figure's function gives.

    Attributes:
        name: Of the files, without suffix.
        figure: To write as PNG and PDF.
        rows: To write as CSV: all numbers that the figure shows.
        about: What it shows, for the line under it.
    """

    name: str
    figure: Figure
    rows: Sequence[dict[str, Any]]
    about: str


def write_sheet(sheet: Sheet, subject: Subject, folder: Path) -> list[Path]:
    """Say under the figure whose weights it shows, and write its three files."""
    folder.mkdir(parents=True, exist_ok=True)
    width = int(sheet.figure.get_figwidth() * 20)
    sheet.figure.supxlabel(
        textwrap.fill(f"{subject.note}. {sheet.about}", width),
        fontsize=7,
        color=NOTE_COLOR if subject.trained else WARNING_COLOR,
    )
    paths = [folder / f"{sheet.name}.{suffix}" for suffix in ("png", "pdf", "csv")]
    with mpl.rc_context(STYLE):
        whole: dict[str, Any] = {"bbox_inches": "tight", "pad_inches": 0.04}
        sheet.figure.savefig(paths[0], **whole)
        sheet.figure.savefig(paths[1], metadata={"CreationDate": None}, **whole)
    pd.DataFrame(list(sheet.rows)).to_csv(paths[2], index=False)
    return paths


def picture_grid(rows: int, columns: int, aspect: float, text_lines: float) -> Any:
    """A figure over a page's width, and its rows x columns axes for pictures.

    Args:
        rows: Of pictures.
        columns: Of pictures.
        aspect: Height of a picture by its width.
        text_lines: Room for text above and below each row, in lines.
    """
    cell = PAGE_WIDTH / columns
    height = rows * (cell * aspect + text_lines * 0.14) + 0.35
    layout = ConstrainedLayoutEngine(h_pad=0.01, hspace=0)
    figure = Figure(figsize=(PAGE_WIDTH, height), layout=layout)
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax in axes.flat:
        empty(ax)
    return figure, axes


def empty(ax: Axes) -> None:
    """Take away all but the place of a picture."""
    ax.set_xticks([])
    ax.set_yticks([])
    for side in ax.spines.values():
        side.set_visible(False)


def show(ax: Axes, image: Image, below: str = "", above: str = "") -> None:
    """A picture with text below and above it."""
    ax.imshow(image, interpolation="lanczos")
    ax.set_xlabel(below, labelpad=2)
    ax.set_title(above, pad=3)


def tell(ax: Axes, text: str) -> None:
    """Words in the place of a picture."""
    ax.set_box_aspect(1)
    ax.annotate(text, (0.5, 0.5), xycoords="axes fraction", ha="center", va="center")
