"""``harness report``: figures, tables and an HTML page of a results folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.cli.options import (
    anchor_option,
    bd_options,
    bd_options_of,
    device_memory_option,
    out_option,
    read_results_option,
)
from harness.cli.renamed import positional_results


@click.command("report")
@positional_results
@read_results_option
@out_option.but(default=Path("reports"))
@anchor_option
@bd_options
@device_memory_option
@click.option("--title", help="The heading of the page.")
def command(
    results: Path,
    out: Path,
    anchor: str | None,
    device_memory: float | None,
    title: str | None,
    **options: Any,
) -> None:
    """Write R-D plots (PDF, PNG), tables (Markdown, CSV, LaTeX) and an HTML page of results."""
    from harness import load_results
    from harness.report import write_report

    heading = {} if title is None else {"title": title}
    paths = write_report(
        load_results(results),
        out,
        anchor=anchor,
        options=bd_options_of(**options),
        device_gb=device_memory,
        **heading,
    )
    for path in paths:
        click.echo(path)
