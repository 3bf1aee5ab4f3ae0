"""``harness history``: a codec's metrics over its checkpoints."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.names import complete_codec
from harness.cli.options import (
    format_option,
    limits_option,
    metric_option,
    out_option,
    rate_option,
    read_results_option,
)


@click.command("history")
@click.argument("codec", shell_complete=complete_codec)
@read_results_option
@metric_option
@rate_option
@limits_option
@out_option.but(default=Path("reports/history"), help="The folder to write plots to.")
@format_option("table", "markdown", "csv")
def command(
    codec: str,
    results: Path,
    metric: tuple[str, ...],
    rate: tuple[str, ...],
    limits: Path | None,
    out: Path,
    style: str,
) -> None:
    """Show the metrics of CODEC over its checkpoints and the steps at which they changed."""
    from harness import load_results
    from harness.catalog.metrics import metric_named
    from harness.cli.table import print_report_table
    from harness.errors import HarnessError, UnknownName
    from harness.gate.history import histories
    from harness.gate.history_report import change_lines, history_tables, write_history
    from harness.gate.limits import Limits, read_limits
    from harness.report import render

    chosen = [metric_named(name) for name in metric] or None
    judged_by = read_limits(limits) if limits else Limits()
    found, by = histories(load_results(results), codec, chosen, judged_by)
    known = list(dict.fromkeys(history.rate for history in found))
    for name in rate:
        if name not in known:
            raise UnknownName(f"rate point of {codec}", name, known)
    found = [history for history in found if not rate or history.rate in rate]
    if not found:
        raise HarnessError(
            f"{results} has no metric of {codec} that its checkpoints share",
            "score them with the same metrics on the same images",
        )
    tables = history_tables(found, by)
    if style == "table":
        for table in tables:
            print_report_table(table)
    else:
        printer = {"markdown": render.markdown, "csv": render.csv_text}[style]
        click.echo("\n".join(printer(table) for table in tables), nl=False)
    aside = style != "table"
    for line in change_lines(found):
        click.echo(line, err=aside)
    for path in write_history(found, by, out):
        click.echo(f"wrote {path}", err=aside)
