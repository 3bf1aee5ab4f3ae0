"""``harness history``: a codec's metrics over its checkpoints."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import complete_codec, complete_metric, split


@click.command("history")
@click.argument("codec", shell_complete=complete_codec)
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="A run, or a results folder with several.",
)
@click.option(
    "--metrics", multiple=True, callback=split, shell_complete=complete_metric, metavar="NAMES",
    help="Metrics; all that have values when not given.",
)  # fmt: skip
@click.option(
    "--rate", multiple=True, callback=split, metavar="IDS", help="Rate points; all by default."
)
@click.option(
    "--limits",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="TOML file that says from where on a change counts, as for 'harness compare'.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("reports/history"),
    show_default=True,
    help="Where the plots go.",
)
@click.option(
    "--format",
    "style",
    type=click.Choice(["table", "markdown", "csv"]),
    default="table",
    show_default=True,
)
def command(
    codec: str,
    results: Path,
    metrics: tuple[str, ...],
    rate: tuple[str, ...],
    limits: Path | None,
    out: Path,
    style: str,
) -> None:
    """Show the metrics of CODEC over its checkpoints, and the steps at which they changed."""
    from harness import load_results
    from harness.catalog.metrics import metric_named
    from harness.cli.table import print_report_table
    from harness.errors import HarnessError, UnknownName
    from harness.gate.history import histories
    from harness.gate.history_report import change_lines, history_tables, write_history
    from harness.gate.limits import Limits, read_limits
    from harness.report import render

    chosen = [metric_named(name) for name in metrics] or None
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
