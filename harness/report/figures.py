"""R-D figures for papers: one panel a metric and data set, as PDF and PNG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from harness.analysis.panels import Line, Panel
from harness.report.files import write_figure
from harness.report.style import PAPER, legend_order, style_of
from harness.text import one_line

COLUMN_WIDTH = 3.5
PAGE_WIDTH = 7.16
"""Inches; the widths of one and of two columns of an IEEE paper."""

PANEL_HEIGHT = 2.35
GRID_PANEL_HEIGHT = 2.16
LEGEND_LINE = 0.155
LEGEND_KEY = 0.45
LEGEND_LETTER = 0.055
"""Inches: a panel alone and among others, a legend's line, key and average letter."""

CROWDED = 80.0
"""From this span of bitrates on, labels at 1, 2 and 5 would touch; then at 1 and 3."""

LOG_RATIO = 8.0
"""Bitrates that span this factor or more are drawn on a logarithmic axis: on a linear one the
lower half of the codecs would share an eighth of the width."""

NEAR_ONE = 0.98
MS_SSIM_TICKS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999)


def write_figures(panels: Sequence[Panel], out: Path) -> list[Path]:
    """Write a figure for each panel, and one for each image set with all its panels.

    Args:
        panels: From :func:`harness.analysis.panels.rd_panels`.
        out: The folder; made when it is missing.

    Returns:
        The paths written: ``rd-<set>-<metric>`` and ``rd-<set>``, each ``.pdf`` and ``.png``.
    """
    paths: list[Path] = []
    by_set: dict[str, list[Panel]] = {}
    for panel in panels:
        by_set.setdefault(panel.image_set.slug, []).append(panel)
    for slug, of_set in by_set.items():
        for panel in of_set:
            paths += save_figure(draw_panel(panel), out / f"rd-{slug}-{panel.metric.name}")
        if len(of_set) > 1:
            paths += save_figure(draw_image_set(of_set), out / f"rd-{slug}")
    return paths


def whole_figures(panels: Sequence[Panel]) -> list[str]:
    """The names, without suffix, of the figures that together show every panel once."""
    metrics: dict[str, list[str]] = {}
    for panel in panels:
        metrics.setdefault(panel.image_set.slug, []).append(panel.metric.name)
    return [
        f"rd-{slug}" if len(names) > 1 else f"rd-{slug}-{names[0]}"
        for slug, names in metrics.items()
    ]


@mpl.rc_context(PAPER)
def save_figure(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as ``.pdf`` and ``.png``; the paths written."""
    paths = [stem.with_name(f"{stem.name}.{suffix}") for suffix in ("pdf", "png")]
    # Without a date the same results give the same bytes.
    write_figure(figure, paths[0], {"CreationDate": None})
    write_figure(figure, paths[1])
    return paths


@mpl.rc_context(PAPER)
def draw_panel(panel: Panel) -> Figure:
    """One panel, one column wide, the legend below it."""
    handles = legend_handles([panel])
    down, across = legend_grid(handles, COLUMN_WIDTH)
    height = PANEL_HEIGHT + down * LEGEND_LINE + 0.1
    figure = Figure(figsize=(COLUMN_WIDTH, height), layout="constrained")
    draw_axes(figure.subplots(), panel)
    figure.legend(handles=handles, loc="outside lower center", ncols=across, **COMPACT)
    return figure


@mpl.rc_context(PAPER)
def draw_image_set(panels: Sequence[Panel]) -> Figure:
    """All metrics of an image set, two columns wide; one legend, in an empty place if it fits."""
    across = 2 if len(panels) == 4 else min(len(panels), 3)  # noqa: PLR2004 - two rows of two
    down = math.ceil(len(panels) / across)
    handles = legend_handles(panels)
    lines, columns = legend_grid(handles, PAGE_WIDTH / across)
    inside = across * down > len(panels) and lines * LEGEND_LINE < GRID_PANEL_HEIGHT
    if not inside:
        lines, columns = legend_grid(handles, PAGE_WIDTH)
    height = down * GRID_PANEL_HEIGHT + (0 if inside else lines * LEGEND_LINE) + 0.1
    figure = Figure(figsize=(PAGE_WIDTH, height), layout="constrained")
    places = figure.subplots(down, across, squeeze=False).flatten()
    one_title = len({panel.images for panel in panels}) == 1
    if one_title:
        figure.suptitle(_title(panels[0]), fontsize=PAPER["axes.titlesize"])
    for axes, panel in zip(places, panels, strict=False):
        draw_axes(axes, panel, titled=not one_title)
    for axes in places[len(panels) :]:
        axes.set_axis_off()
    if inside:
        places[len(panels)].legend(handles=handles, loc="center", ncols=columns, **COMPACT)
    else:
        figure.legend(handles=handles, loc="outside lower center", ncols=columns, **COMPACT)
    return figure


def legend_grid(handles: Sequence[Line2D], width: float) -> tuple[int, int]:
    """Lines and columns of a legend of at most ``width`` inches, its columns filled evenly."""
    longest = max(len(str(handle.get_label())) for handle in handles)
    most = max(1, int(width / (LEGEND_KEY + longest * LEGEND_LETTER)))
    lines = math.ceil(len(handles) / most)
    return lines, math.ceil(len(handles) / lines)


COMPACT: dict[str, Any] = {
    "handlelength": 2.0,
    "columnspacing": 1.1,
    "labelspacing": 0.35,
    "borderaxespad": 0.2,
}


def draw_axes(axes: Axes, panel: Panel, *, titled: bool = True) -> None:
    """Draw one panel into its place, without a legend."""
    for line in sorted(panel.lines, key=lambda line: legend_order(line.codec), reverse=True):
        axes.plot(line.bpp, line.quality, **_look(line))
    if titled:
        axes.set_title(_title(panel), pad=4)
    axes.set_ylabel(panel.metric.label)
    axes.set_xlabel("Bitrate (bpp)")
    _scale_rate(axes, panel)
    if scales_ms_ssim(panel):
        _scale_ms_ssim(axes, panel)
    else:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    axes.set_axisbelow(True)
    sns.despine(ax=axes)


def _title(panel: Panel) -> str:
    return (
        f"{one_line(panel.image_set.title)}, {panel.images} image{'s' if panel.images > 1 else ''}"
    )


def _look(line: Line) -> dict[str, Any]:
    style = style_of(line.codec, line.family)
    return {
        "color": style.color,
        "marker": style.marker,
        "linestyle": (0, (3.5, 1.6)) if style.classical else "-",
        "markerfacecolor": "white" if style.classical else style.color,
        "markeredgecolor": style.color if style.classical else "white",
        "markeredgewidth": 0.9 if style.classical else 0.4,
        "markersize": (3.4 if style.classical else 4.3) + (0.8 if style.marker in "PX*" else 0),
        "label": one_line(line.title),
    }


def legend_handles(panels: Sequence[Panel]) -> list[Line2D]:
    """An entry for each codec of the panels."""
    lines = {line.codec: line for panel in panels for line in panel.lines}
    chosen = sorted(lines.values(), key=lambda line: legend_order(line.codec))
    return [Line2D([], [], **_look(line)) for line in chosen]


def uses_log_axis(panel: Panel) -> bool:
    """Whether the bitrates of a panel call for a logarithmic axis."""
    rates = np.concatenate([line.bpp for line in panel.lines])
    return bool(rates.min() > 0 and rates.max() >= LOG_RATIO * rates.min())


def _scale_rate(axes: Axes, panel: Panel) -> None:
    if uses_log_axis(panel):
        axes.set_xscale("log")
        low, high = axes.get_xlim()
        subs = (1.0, 2.0, 5.0) if high < CROWDED * low else (1.0, 3.0)
        axes.xaxis.set_major_locator(LogLocator(subs=subs))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 5, 10]))


def scales_ms_ssim(panel: Panel) -> bool:
    """Whether MS-SSIM nears 1, where a linear axis would show all good codecs as one."""
    if panel.metric.name != "ms_ssim":
        return False
    return max(float(line.quality.max()) for line in panel.lines) >= NEAR_ONE


def _scale_ms_ssim(axes: Axes, panel: Panel) -> None:
    """Space MS-SSIM as its decibels, -10 log10(1 - x); the ticks stay MS-SSIM."""
    axes.set_yscale(
        "function",
        functions=(
            lambda x: -np.log10(np.maximum(1 - np.asarray(x), 1e-6)),
            lambda y: 1 - 10.0 ** -np.asarray(y),
        ),
    )
    values = np.concatenate([line.quality for line in panel.lines])
    nines = -np.log10(np.maximum(1 - np.array([values.min(), values.max()]), 1e-6))
    nines += 0.05 * (nines[1] - nines[0]) * np.array([-1, 1])
    axes.set_ylim(*(1 - 10.0**-nines))
    axes.yaxis.set_major_locator(FixedLocator(MS_SSIM_TICKS))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
