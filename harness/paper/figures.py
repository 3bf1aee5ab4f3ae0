"""A paper's R-D figures: each panel alone, each data set, and all of them in one grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from harness.analysis.panels import Panel, rd_panels
from harness.paper.results import PaperResults
from harness.report.figures import (
    COMPACT,
    LEGEND_LINE,
    PAGE_WIDTH,
    draw_axes,
    legend_grid,
    legend_handles,
    save_figure,
    write_figures,
)
from harness.report.style import PAPER

GRID_HEIGHT = 1.72
"""Inches: a panel of the grid, which may be four across."""

GRID = "rd-grid"


def paper_panels(results: PaperResults) -> list[Panel]:
    """The panels that the protocol asks for and the results allow, by data set and metric."""
    titles = results.protocol.datasets
    order = list(results.protocol.metrics), list(titles)
    panels = [p for p in rd_panels(results.quality) if p.metric.name in order[0]]
    panels.sort(key=lambda p: (order[1].index(p.image_set.dataset), order[0].index(p.metric.name)))
    return [
        replace(p, image_set=replace(p.image_set, dataset=titles[p.image_set.dataset]))
        for p in panels
    ]


def write_rd_figures(panels: Sequence[Panel], out: Path) -> list[Path]:
    """Write the figures of a report, and the grid where there are several data sets."""
    paths = write_figures(panels, out)
    if len({panel.image_set for panel in panels}) > 1:
        paths += save_figure(draw_grid(panels), out / GRID)
    return paths


@mpl.rc_context(PAPER)
def draw_grid(panels: Sequence[Panel]) -> Figure:
    """A row a metric, a column a data set, one legend below; no panel, no curves."""
    image_sets = list(dict.fromkeys(panel.image_set for panel in panels))
    metrics = list(dict.fromkeys(panel.metric for panel in panels))
    handles = legend_handles(panels)
    lines, columns = legend_grid(handles, PAGE_WIDTH)
    size = (PAGE_WIDTH, len(metrics) * GRID_HEIGHT + lines * LEGEND_LINE + 0.1)
    figure = Figure(figsize=size, layout="constrained")
    places = figure.subplots(len(metrics), len(image_sets), squeeze=False)
    for axes in places.flatten():
        axes.set_axis_off()
    for panel in panels:
        row, column = metrics.index(panel.metric), image_sets.index(panel.image_set)
        axes = places[row, column]
        axes.set_axis_on()
        draw_axes(axes, panel, titled=row == 0)
        if column:
            axes.set_ylabel("")
        if row < len(metrics) - 1:
            axes.set_xlabel("")
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, **COMPACT)
    return figure
