"""BD-rate tables: the full account of one metric, and all metrics side by side."""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis.bdrate import BDOptions, BDRate
from harness.analysis.comparison import MIN_POINTS
from harness.analysis.intervals import MIN_IMAGES, Interval
from harness.catalog.metrics import METRICS
from harness.report.style import legend_order
from harness.report.tables import (
    BLANK,
    MINUS,
    Cell,
    Column,
    Table,
    count,
    make_table,
    number,
    words,
)

DECIMALS = 1


def detail_tables(cells: Sequence[BDRate], options: BDOptions) -> list[Table]:
    """One table for each image set: the figures of a metric with intervals, overlap and counts."""
    level = f"{options.level:.0%}"
    columns = (
        Column("codec", "Codec", is_text=True),
        Column("bd_rate", "BD-rate (%)", "lower"),
        Column("interval", level, parts=("low", "high")),
        Column("median", "Median (%)", "lower"),
        Column("median_interval", level, parts=("low", "high")),
        Column("akima", "Akima (%)"),
        Column("overlap", "Overlap (%)"),
        Column("points", "Points", parts=("codec", "anchor")),
        Column("images", "Images"),
    )
    tables = []
    for image_set in dict.fromkeys(cell.image_set for cell in cells):
        of_set = _in_order([cell for cell in cells if cell.image_set == image_set])
        metric = METRICS[of_set[0].metric]
        rows = [_detail_row(cell) for cell in of_set]
        title = f"BD-rate on {image_set.title} by {metric.title}; anchor {_anchor_title(of_set)}"
        slug = f"bdrate-{image_set.slug}-{metric.name}"
        lines = remarks(options)
        if any(0 < cell.images < MIN_IMAGES for cell in of_set):
            lines.append(f"Intervals need {MIN_IMAGES} images.")
        tables.append(make_table(slug, title, columns, rows, lines))
    return tables


def overview_tables(by_metric: Sequence[Sequence[BDRate]], options: BDOptions) -> list[Table]:
    """One table for each image set: a row per codec, a column per metric, curves of means alone."""
    cells = {(c.image_set, c.codec, c.metric): c for of_metric in by_metric for c in of_metric}
    metrics = list(dict.fromkeys(metric for _, _, metric in cells))
    columns = [
        Column("codec", "Codec", is_text=True),
        *(Column(metric, METRICS[metric].title, "lower") for metric in metrics),
    ]
    tables = []
    for image_set in dict.fromkeys(image_set for image_set, _, _ in cells):
        first = _in_order(
            [c for c in cells.values() if c.image_set == image_set and c.metric == metrics[0]]
        )
        rows = [
            [words(c.title), *(_figure(cells[image_set, c.codec, m]) for m in metrics)]
            for c in first
        ]
        title = f"BD-rate (%) on {image_set.title}; anchor {_anchor_title(first)}"
        tables.append(
            make_table(f"bdrate-{image_set.slug}", title, columns, rows, remarks(options))
        )
    return tables


def remarks(options: BDOptions) -> list[str]:
    """What holds for every figure of a table."""
    sign = "Negative: fewer bits than the anchor at equal quality."
    lines = [f"{sign} PCHIP over the range of quality that both curves cover."]
    if options.pareto:
        lines.append("Only rate points on the Pareto front are used.")
    if options.min_points < MIN_POINTS:
        lines.append(
            f"Curves of {options.min_points} rate points are allowed, where {MIN_POINTS} are usual."
        )
    for codec, bpp in options.exclude.items():
        lines.append(f"Rate points of {codec} under {bpp:g} bpp are excluded.")
    return lines


def _in_order(cells: list[BDRate]) -> list[BDRate]:
    return sorted(cells, key=lambda cell: legend_order(cell.codec))


def _anchor_title(cells: Sequence[BDRate]) -> str:
    return next((cell.title for cell in cells if cell.is_anchor), cells[0].anchor)


def _figure(cell: BDRate, *, in_full: bool = False) -> Cell:
    why = (cell.detail if in_full else cell.reason,)
    note = "; ".join(filter(None, (*why, *cell.notes)))
    if cell.is_anchor and cell.percent is not None:
        return Cell("anchor", 0.0, note=note, ranked=False)
    return number(cell.percent, DECIMALS, note=note)


def _interval(interval: Interval | None) -> Cell:
    if interval is None:
        return Cell(BLANK)
    low, high = (
        f"{v + 0.0:.{DECIMALS}f}".replace("-", MINUS) for v in (interval.low, interval.high)
    )
    return Cell(f"[{low}, {high}]", parts=(interval.low, interval.high))


def _detail_row(cell: BDRate) -> list[Cell]:
    percent = None if cell.overlap is None else 100 * cell.overlap
    few = 0 < cell.images_with_bd < cell.images
    own = f"{cell.images_with_bd} of {cell.images} images have a BD-rate of their own"
    points = f"{cell.points[1]} / {cell.points[0]}"
    return [
        words(cell.title),
        _figure(cell, in_full=True),
        _interval(cell.interval),
        number(cell.median, DECIMALS, note=own if few else ""),
        _interval(cell.median_interval),
        number(cell.akima, DECIMALS),
        number(percent, 0),
        Cell(points, parts=cell.points[::-1]) if any(cell.points) else Cell(BLANK),
        count(cell.images) if cell.images else Cell(BLANK),
    ]
