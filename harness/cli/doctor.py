"""``harness doctor``: what works here, what does not, and the command that fixes it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from harness.cli.options import json_option, results_option

MARKS = {"works": ("ok", "green"), "missing": ("no", "red"), "warning": ("!!", "yellow")}


@click.command("doctor")
@results_option
@json_option
def command(*, results: Path, as_json: bool) -> None:
    """Show what works here, what does not, and the command that fixes it.

    Nothing is downloaded or changed.
    """
    from harness.readiness.doctor import examine

    findings = list(examine(results))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
        return
    area = None
    for finding in findings:
        if finding.area != area:
            area = finding.area
            click.secho(area, bold=True)
        mark, colour = MARKS[finding.state]
        detail = f"  {finding.detail}" if finding.detail else ""
        click.echo(f"  {click.style(mark, fg=colour)}  {finding.name:<12}{detail}")
        if finding.fix:
            click.echo(f"                    -> {finding.fix}")
