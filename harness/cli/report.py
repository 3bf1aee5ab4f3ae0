"""``harness report``: figures, tables and an HTML page of a results folder."""

from __future__ import annotations

import click

from harness.cli.bdrate import Exclusion


@click.command("report")
@click.argument("results", default="results", type=click.Path())
@click.option("--out", default="reports", show_default=True, type=click.Path(file_okay=False))
@click.option("--anchor", help="Codec that BD-rates compare with.")
@click.option("--pareto", is_flag=True, help="BD-rates from the Pareto front of each curve.")
@click.option("--min-overlap", type=click.FloatRange(0, 1), help="Refuse BD-rates under it.")
@click.option("--exclude", multiple=True, type=Exclusion(), help="As for 'harness bdrate'.")
@click.option(
    "--device-memory",
    type=float,
    metavar="GB",
    help="Marks what ran out of memory as '> GB', as papers do.",
)
@click.option("--title", default="Image codec benchmark", help="The page's heading.")
def command(
    results: str,
    out: str,
    anchor: str | None,
    *,
    pareto: bool,
    min_overlap: float | None,
    exclude: tuple[tuple[str, float], ...],
    device_memory: float | None,
    title: str,
) -> None:
    """Write R-D plots (PDF, PNG), tables (Markdown, CSV, LaTeX) and an HTML page of RESULTS."""
    from harness import load_results
    from harness.analysis import MIN_OVERLAP, BDOptions
    from harness.report import write_report

    options = BDOptions(
        min_overlap=MIN_OVERLAP if min_overlap is None else min_overlap,
        pareto=pareto,
        exclude=dict(exclude),
    )
    paths = write_report(
        load_results(results),
        out,
        anchor=anchor,
        options=options,
        device_gb=device_memory,
        title=title,
    )
    for path in paths:
        click.echo(path)
