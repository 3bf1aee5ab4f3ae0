"""A codec's metrics over its checkpoints: tables, and a figure with the changes marked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator

from harness.analysis.records import slug_of
from harness.gate.flips import Change
from harness.gate.history import History
from harness.report.figures import COLUMN_WIDTH, PAGE_WIDTH, PANEL_HEIGHT, save_figure
from harness.report.files import writing
from harness.report.style import MARKERS, PAPER
from harness.report.tables import MINUS, Cell, Column, Table, number, words
from harness.text import one_line

MOST_LABELS = 8
"""Checkpoints that an axis names."""

WAYS = {"better": "0.3", "worse": "#C44E00"}
"""The colours of changes."""


def history_tables(found: Sequence[History], by: str) -> list[Table]:
    """A table for each image set and metric: a row per checkpoint, a column per rate point."""
    tables = []
    for group in _groups(found):
        first = group[0]
        labels = list(dict.fromkeys(c.label for h in group for c in h.checkpoints))
        columns = (
            Column("checkpoint", "Checkpoint", is_text=True),
            *(Column(h.rate, h.rate) for h in group),
        )
        rows = tuple(
            (words(label), *(_cell(history, label) for history in group)) for label in labels
        )
        title = (
            f"{first.title} on {first.image_set.title}: {first.metric.label} by checkpoint, "
            f"{_images(group)}"
        )
        slug = f"history-{first.codec}-{first.image_set.slug}-{first.metric.name}"
        notes = dict.fromkeys(note for history in group for note in history.notes)
        remarks = (f"Checkpoints by {by}.", *notes)
        tables.append(Table(slug, title, columns, rows, remarks))
    return tables


def change_lines(found: Sequence[History]) -> list[str]:
    """Each change in a line: where, from which checkpoint to which, by how much."""
    lines = []
    for history in found:
        for change in history.changes:
            before, after = history.checkpoints[change.place - 1 : change.place + 1]
            lines.append(
                f"{history.image_set.title}, {history.metric.title} at {history.rate}: "
                f"{_way(history, change)} from {before.label} to {after.label}, "
                f"{_signed(change.difference, history.metric.decimals)}"
            )
    return lines


def write_history(found: Sequence[History], by: str, out: Path) -> list[Path]:
    """Write one figure for each image set and metric, as PDF and PNG; the paths written.

    Raises:
        HarnessError: The folder cannot be written.
    """
    paths = []
    with writing(f"figures to {out}"):
        for group in _groups(found):
            first = group[0]
            stem = f"history-{slug_of(first.codec)}-{first.image_set.slug}-{first.metric.name}"
            paths += save_figure(draw_history(group, by), out / stem)
    return paths


@mpl.rc_context(PAPER)
def draw_history(group: Sequence[History], by: str) -> Figure:
    """One metric on one image set: a line per rate point, a dashed rule where it changed."""
    first = group[0]
    labels = list(dict.fromkeys(c.label for h in group for c in h.checkpoints))
    width = COLUMN_WIDTH if len(labels) <= MOST_LABELS else PAGE_WIDTH
    figure = Figure(figsize=(width, PANEL_HEIGHT + 0.4), layout="constrained")
    axes = figure.subplots()
    colors = sns.color_palette("viridis", len(group) + 1)[: len(group)]
    for place, (history, color) in enumerate(zip(group, colors, strict=True)):
        x = [labels.index(c.label) for c in history.checkpoints]
        marker = MARKERS[place % len(MARKERS)]
        rate = one_line(history.rate)
        axes.plot(x, history.means, color=color, marker=marker, label=rate)
        for change in history.changes:
            _mark(axes, x[change.place - 1], x[change.place], history, change)
    _name_checkpoints(axes, labels)
    title = one_line(f"{first.title}, {first.image_set.title}")
    axes.set_title(f"{title}, {_images(group)}", pad=4)
    axes.set_ylabel(first.metric.label)
    axes.set_xlabel(f"Checkpoint (by {by})")
    axes.set_axisbelow(True)
    sns.despine(ax=axes)
    handles = [*axes.get_legend_handles_labels()[0], *_ring_handles(group)]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=min(len(handles), 8), handlelength=1.6
    )
    return figure


def _way(history: History, change: Change) -> str:
    return "worse" if change.difference * history.metric.sign < 0 else "better"


def _mark(axes: Axes, before: int, after: int, history: History, change: Change) -> None:
    """A rule between two checkpoints, and a ring around the value after it."""
    axes.axvline((before + after) / 2, color="0.5", linestyle=(0, (3, 2)), linewidth=0.8)
    axes.plot(after, history.means[change.place], **_ring(_way(history, change)))


def _ring(way: str) -> dict[str, Any]:
    return {
        "linestyle": "none",
        "marker": "o",
        "markersize": 7.5,
        "markerfacecolor": "none",
        "markeredgecolor": WAYS[way],
        "markeredgewidth": 0.9,
    }


def _ring_handles(group: Sequence[History]) -> list[Line2D]:
    """What the rings mean, of those that were drawn."""
    drawn = {_way(history, change) for history in group for change in history.changes}
    return [Line2D([], [], label=f"changed: {way}", **_ring(way)) for way in WAYS if way in drawn]


def _name_checkpoints(axes: Axes, labels: Sequence[str]) -> None:
    """As many checkpoints named as fit; what all names begin with is left to the table."""
    stride = -(-len(labels) // (2 * MOST_LABELS))
    places = list(range(0, len(labels), stride))
    axes.xaxis.set_major_locator(FixedLocator(places))
    longest = max(len(label) for label in labels)
    slanted = longest * len(places) > 48  # noqa: PLR2004 - characters that fit under one column
    axes.set_xticklabels(
        [one_line(labels[place]) for place in places],
        rotation=30 if slanted else 0,
        ha="right" if slanted else "center",
    )
    margin = 0.4 if len(labels) > 1 else 1.0
    axes.set_xlim(-margin, len(labels) - 1 + margin)


def _groups(found: Sequence[History]) -> list[list[History]]:
    groups: dict[tuple[str, str], list[History]] = {}
    for history in found:
        groups.setdefault((history.image_set.title, history.metric.name), []).append(history)
    return list(groups.values())


def _images(group: Sequence[History]) -> str:
    counts = sorted({history.images for history in group})
    how_many = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"{how_many} image{'' if counts == [1] else 's'}"


def _cell(history: History, label: str) -> Cell:
    labels = [c.label for c in history.checkpoints]
    if label not in labels:
        return number(None, 0)
    place = labels.index(label)
    change = next((c for c in history.changes if c.place == place), None)
    decimals = history.metric.decimals
    note = ""
    if change is not None:
        note = f"changed here by {_signed(change.difference, decimals)} (p {change.p:.2g})"
    cell = number(float(history.means[place]), decimals, note=note)
    return Cell(cell.text, cell.value, note, place=1 if change is not None else 0)


def _signed(value: float, decimals: int) -> str:
    text = f"{np.abs(value):.{decimals}f}"
    return f"{MINUS if value < 0 else '+'}{text}"
