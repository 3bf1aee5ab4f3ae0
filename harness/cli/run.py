"""``harness run``: measure, score, and show what came out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import measuring_options, request_of
from harness.errors import Status

if TYPE_CHECKING:
    import pandas as pd

    from harness.measure.runner import Outcome


@click.command("run")
@measuring_options
@click.option("--no-download", is_flag=True, help="Do not download data sets.")
@click.option("--no-report", is_flag=True, help="Print the table alone; write no plots.")
@click.option(
    "--reports",
    type=click.Path(path_type=Path),
    default=Path("reports"),
    show_default=True,
    help="Where plots and tables go, in a folder of the run's name.",
)
def command(*, no_download: bool, no_report: bool, reports: Path, **options: Any) -> None:
    """Measure codecs on images: real bytes, decoded in another process, then scored.

    The same command again finishes what is missing and recomputes nothing. Exit code 1: something
    that was asked for by name failed or is unavailable.
    """
    from harness.cli.progress import reporter
    from harness.measure.runner import run
    from harness.plan.prepare import prepare

    prepared = prepare(request_of(options, download=not no_download))
    try:
        with reporter() as observer:
            for name, error in prepared.broken.items():
                observer.note(f"adapter '{name}' does not load: {error}")
            for skip in prepared.plan.skipped:
                observer.note(f"skipped: {skip.image} at {skip.resolution}: {skip.reason}")
            outcome = run(prepared, observer)
    except KeyboardInterrupt:
        folder = prepared.request.folder
        click.echo(f"stopped; what was finished is in {folder}, the same command goes on", err=True)
        sys.exit(130)
    _show(outcome, None if no_report else reports)
    if not outcome.succeeded:
        sys.exit(1)


def _show(outcome: Outcome, reports: Path | None) -> None:
    from harness.cli.table import print_report_table
    from harness.report import summary_table

    frame = outcome.records()
    if (frame["status"] == Status.OK).any():
        print_report_table(summary_table(frame))
    _warn_of_unstable_timings(frame)
    for name, lack in outcome.prepared.plan.unavailable.items():
        click.echo(f"unavailable: {name}: {lack}")
    for name, count in outcome.failures.items():
        click.echo(f"failed: {count} cases of {name}; their records say why")
    click.echo(f"records: {outcome.folder}")
    if reports is not None and (frame["status"] == Status.OK).any():
        from harness.report import write_report

        folder = reports / outcome.prepared.request.name
        for path in write_report(frame, folder):
            if path.suffix in {".png", ".html"}:
                click.echo(f"wrote {path}")
        click.echo(f"wrote {folder}: the same as PDF, and tables as Markdown, CSV and LaTeX")


def _warn_of_unstable_timings(frame: pd.DataFrame) -> None:
    from harness.analysis.stability import unstable

    counts: dict[str, int] = {}
    first: dict[str, str] = {}
    for row in frame[frame["status"] == Status.OK].to_dict("records"):
        codec = row["codec"]
        for which in ("encode", "decode"):
            if reason := unstable(row[f"{which}_samples_ms"]):
                counts[codec] = counts.get(codec, 0) + 1
                first.setdefault(codec, f"{which} of {row['image']} at {row['rate']}: {reason}")
    for codec, count in counts.items():
        click.echo(
            f"warning: {count} timings of {codec} are too wide to trust ({first[codec]}); "
            "close other programs, or raise --repeats"
        )
