"""``harness bdrate``: BD-rate tables of a results folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.analysis import BDRate
    from harness.report.tables import Table


class Exclusion(click.ParamType[tuple[str, float]]):
    """``codec:bpp``, the rate points of a codec that are left out."""

    name = "codec:bpp"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        """The codec's name and the bpp."""
        codec, _, bpp = value.rpartition(":")
        try:
            return codec or self.fail(f"{value!r} names no codec", param, ctx), float(bpp)
        except ValueError:
            self.fail(f"{value!r} is not of the form codec:bpp, as control-gic:0.15", param, ctx)


@click.command("bdrate")
@click.argument("results", default="results", type=click.Path())
@click.option("--metric", "metrics", multiple=True, help="Repeatable; default: all with values.")
@click.option(
    "--anchor",
    help="Codec to compare with; by default the first measured of vtm, jpeg-xl, avif, webp, jpeg.",
)
@click.option("--pareto", is_flag=True, help="Keep only the Pareto front of each curve.")
@click.option(
    "--min-overlap",
    type=click.FloatRange(0, 1),
    help="Least share of the two quality ranges that both cover.  [default: 1/3]",
)
@click.option(
    "--exclude",
    multiple=True,
    type=Exclusion(),
    help="Leave out a codec's rate points under this bpp; repeatable.",
)
@click.option(
    "--format",
    "style",
    type=click.Choice(["table", "markdown", "csv", "latex", "json"]),
    default="table",
    show_default=True,
)
def command(
    results: str,
    metrics: tuple[str, ...],
    anchor: str | None,
    *,
    pareto: bool,
    min_overlap: float | None,
    exclude: tuple[tuple[str, float], ...],
    style: str,
) -> None:
    """Print BD-rates of the codecs in RESULTS against an anchor.

    What cannot be compared is a blank with its reason. Negative numbers mean fewer bits than
    the anchor at equal quality.
    """
    from harness import load_results
    from harness.analysis import (
        MIN_OVERLAP,
        BDOptions,
        bd_rates,
        curve_records,
        default_anchor,
        metrics_in,
    )
    from harness.catalog.metrics import metric_named
    from harness.errors import HarnessError
    from harness.report.bdtables import detail_tables

    frame = load_results(results)
    options = BDOptions(
        min_overlap=MIN_OVERLAP if min_overlap is None else min_overlap,
        pareto=pareto,
        exclude=dict(exclude),
    )
    chosen = [metric_named(name) for name in metrics] or metrics_in(curve_records(frame))
    anchor = anchor or default_anchor(frame)
    if anchor is None or not chosen:
        raise HarnessError(f"{results} has no scored codec", "score some with 'harness run'")
    by_metric = [bd_rates(frame, metric, anchor, options) for metric in chosen]
    if style == "json":
        click.echo(_as_json([cell for cells in by_metric for cell in cells]))
        return
    _print([table for cells in by_metric for table in detail_tables(cells, options)], style)


def _as_json(cells: Sequence[BDRate]) -> str:
    import dataclasses
    import json

    keys = {"image_set": "scene"}  # what version 0.1.0 called it in JSON
    rows = [{keys.get(k, k): v for k, v in dataclasses.asdict(cell).items()} for cell in cells]
    return json.dumps(rows, indent=2, ensure_ascii=False)


def _print(tables: Sequence[Table], style: str) -> None:
    from harness.cli.table import print_report_table
    from harness.report import render
    from harness.report.latex import latex

    if style == "table":
        for table in tables:
            print_report_table(table)
        return
    printers = {"markdown": render.markdown, "csv": render.csv_text, "latex": latex}
    click.echo("\n".join(printers[style](table) for table in tables), nl=False)
