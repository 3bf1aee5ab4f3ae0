"""``harness bdrate``: BD-rate tables of a results folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import (
    anchor_option,
    bd_options,
    bd_options_of,
    format_option,
    metric_option,
    read_results_option,
)
from harness.cli.renamed import positional_results

if TYPE_CHECKING:
    from harness.analysis import BDRate
    from harness.report.tables import Table


@click.command("bdrate")
@positional_results
@read_results_option
@metric_option
@anchor_option
@bd_options
@format_option("table", "markdown", "csv", "latex", "json")
def command(
    results: Path, metric: tuple[str, ...], anchor: str | None, style: str, **options: Any
) -> None:
    """Print BD-rates of the measured codecs against an anchor.

    What cannot be compared is a blank with its reason. Negative numbers mean fewer bits than
    the anchor at equal quality.
    """
    from harness import load_results
    from harness.analysis import (
        bd_rates,
        curve_records,
        default_anchor,
        metrics_in,
    )
    from harness.catalog.metrics import metric_named
    from harness.errors import HarnessError
    from harness.report.bdtables import detail_tables

    frame = load_results(results)
    bd = bd_options_of(**options)
    chosen = [metric_named(name) for name in metric] or metrics_in(curve_records(frame))
    anchor = anchor or default_anchor(frame)
    if anchor is None or not chosen:
        raise HarnessError(f"{results} has no scored codec", "score some with 'harness run'")
    by_metric = [bd_rates(frame, one, anchor, bd) for one in chosen]
    if style == "json":
        click.echo(_as_json([cell for cells in by_metric for cell in cells]))
        return
    _print([table for cells in by_metric for table in detail_tables(cells, bd)], style)


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
