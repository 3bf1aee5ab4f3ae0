"""``harness compare``: a candidate against its base, with an exit code for CI."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.cli.options import limits_option


@click.command("compare")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("candidate", type=click.Path(path_type=Path), required=False)
@click.option(
    "--base",
    "base_codec",
    default="",
    metavar="CODEC[@CHECKPOINT]",
    help="What to take from BASE; a checkpoint is named by its file or the start of its sha256.",
)
@click.option(
    "--candidate",
    "candidate_codec",
    default="",
    metavar="CODEC[@CHECKPOINT]",
    help="What to take from CANDIDATE, or from BASE if no other folder is named.",
)
@limits_option
@click.option(
    "--markdown",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write the tables as Markdown.",
)
@click.option(
    "--junit", type=click.Path(path_type=Path), metavar="FILE", help="Also write JUnit XML."
)
@click.option("--quiet", is_flag=True, help="Print only the verdict, no tables.")
def command(
    base: Path,
    candidate: Path | None,
    base_codec: str,
    candidate_codec: str,
    *,
    limits: Path | None,
    markdown: Path | None,
    junit: Path | None,
    quiet: bool,
) -> None:
    """Compare a candidate with its base: bits, quality, BD-rate, speed, and whether it ran.

    BASE and CANDIDATE are runs or results folders. To compare two checkpoints in one folder, name
    them with --base and --candidate. The exit code is 1 if something got worse or did not run.
    """
    from harness import load_results
    from harness.cli.table import print_report_table
    from harness.gate.compare import compare
    from harness.gate.junit import junit as junit_xml
    from harness.gate.limits import Limits, read_limits
    from harness.gate.pairs import Side
    from harness.gate.report import comparison_markdown, comparison_tables, verdict_lines
    from harness.text import printable

    if candidate is None and not (base_codec and candidate_codec):
        raise click.UsageError(
            "name a second folder, or choose two codecs of one with --base and --candidate"
        )
    chosen = read_limits(limits) if limits else Limits()
    folders = (base, candidate or base)
    selectors = (
        base_codec or candidate_codec.partition("@")[0],
        candidate_codec or base_codec.partition("@")[0],
    )
    frames = {folder: load_results(folder) for folder in dict.fromkeys(folders)}
    before, after = (
        Side(_named(folder, selector), frames[folder], selector, option)
        for folder, selector, option in zip(
            folders, selectors, ("--base", "--candidate"), strict=True
        )
    )
    comparison = compare(before, after, chosen)
    for path, text in (
        (markdown, comparison_markdown(comparison)),
        (junit, junit_xml(comparison)),
    ):
        if path is not None:
            _write(path, text)
    if not quiet:
        for table in comparison_tables(comparison):
            print_report_table(table)
    for line in verdict_lines(comparison):
        click.echo(printable(line))
    if comparison.regressions:
        sys.exit(1)


def _named(folder: Path, selector: str) -> str:
    return f"{folder} ({selector})" if selector else str(folder)


def _write(path: Path, text: str) -> None:
    from harness.report.files import write_text, writing

    with writing(str(path)):
        write_text(path, text)
