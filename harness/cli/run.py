"""``harness run``: measure, score, and show what came out."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import measuring_options, no_download_option, out_option, request_of
from harness.cli.text import counted
from harness.errors import HarnessError, Status

if TYPE_CHECKING:
    import pandas as pd

    from harness.measure.runner import Outcome


@click.command("run")
@measuring_options
@no_download_option
@click.option("--no-report", is_flag=True, help="Print only the table; write no plots.")
@out_option.but(show_default="reports/NAME", help="The folder to write plots and tables to.")
@click.option("--reports", type=click.Path(path_type=Path), hidden=True)
def command(
    *,
    no_download: bool,
    no_report: bool,
    out: Path | None,
    reports: Path | None,
    **options: Any,
) -> None:
    """Measure codecs on images: real bytes, decoded in another process, then scored.

    The same command again finishes what is missing and recomputes nothing. The exit code is 1 if
    something that was asked for by name failed or is unavailable, or if a metric has no value that
    the same command again, or you, can bring.
    """
    from harness.cli.log import show_downloads
    from harness.cli.progress import reporter
    from harness.measure.runner import run
    from harness.plan.prepare import prepare

    request = request_of(options, download=not no_download)
    show_downloads()
    prepared = prepare(request)
    report = None if no_report else _report_folder(out, reports, request.name)
    try:
        with reporter() as observer:
            for name, error in prepared.broken.items():
                observer.note(f"adapter '{name}' does not load: {error}")
            for skip in prepared.plan.skipped:
                observer.note(f"skipped: {skip.image} at {skip.resolution}: {skip.reason}")
            outcome = run(prepared, observer)
    except KeyboardInterrupt:
        folder = prepared.request.folder
        click.echo(
            f"stopped; finished work is in {folder}, the same command continues it", err=True
        )
        sys.exit(130)
    _show(outcome, report)
    if not outcome.succeeded:
        sys.exit(1)


def _report_folder(out: Path | None, reports: Path | None, name: str) -> Path:
    """The folder of the report, made and tried before hours of measuring.

    Raises:
        HarnessError: It cannot be made or written to.
    """
    if reports is not None:
        notice = "--reports DIR is now --out DIR/NAME; the old spelling goes with the next release"
        click.echo(notice, err=True)
    folder = (out or (reports or Path("reports")) / name).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise HarnessError(
            f"cannot write the report to {folder}: {error.strerror}",
            "choose another folder with --out, or give --no-report",
        ) from error


def _show(outcome: Outcome, report: Path | None) -> None:
    from harness.cli.table import print_report_table
    from harness.report import summary_table

    frame = outcome.records()
    if (frame["status"] == Status.OK).any():
        print_report_table(summary_table(frame))
    _warn_of_unstable_timings(frame)
    for name, lack in outcome.prepared.plan.unavailable.items():
        click.echo(f"unavailable: {name}: {lack}")
    for name, count in outcome.failures.items():
        click.echo(
            f"failed: {counted(count, 'case')} of {name}; see the column 'message' of the records"
        )
    for line in _blanks(outcome, frame):
        click.echo(line)
    click.echo(f"records: {outcome.folder}")
    if report is not None and (frame["status"] == Status.OK).any():
        from harness.report import write_report

        for path in write_report(frame, report):
            if path.suffix in {".png", ".html"}:
                click.echo(f"wrote {path}")
        click.echo(f"wrote {report}: also PDFs, and tables as Markdown, CSV and LaTeX")


def _blanks(outcome: Outcome, frame: pd.DataFrame) -> Iterator[str]:
    """What has no value though it was requested: what never will, then what still may."""
    import json

    from harness.catalog.metrics import METRICS

    blank = Counter(
        (metric, reason)
        for row in frame[frame["status"] == Status.OK].to_dict("records")
        for metric, reason in json.loads(row["blanks"]).items()
        if row[f"{metric}_card"] is not None and metric not in outcome.lacking
    )
    for metric in outcome.prepared.settings.metrics:
        title = METRICS[metric].title
        for (name, reason), count in blank.items():
            if name == metric:
                yield f"blank: {title} of {counted(count, 'case')}: {reason}"
        if lacking := outcome.lacking.get(metric):
            yield (
                f"missing: {title} of {counted(lacking, 'case')}; the notes above say why, and the "
                "same command tries again"
            )


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
            f"warning: {counted(count, 'timing')} of {codec} spread too widely to be trusted "
            f"({first[codec]}); "
            "close other programs, or raise --repeats"
        )
