"""``harness runtime``: the speed sweep."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import (
    codec_option,
    dataset_option,
    device_option,
    environment_option,
    limit_option,
    memory_option,
    name_option,
    no_download_option,
    rate_option,
    repeats_option,
    resolution_option,
    results_option,
    threads_option,
    timeout_option,
    warmup_option,
    weights_option,
)
from harness.cli.types import AtLeast, Positive

if TYPE_CHECKING:
    import pandas as pd


@click.command("runtime")
@codec_option
@dataset_option
@rate_option.but(help="Rate points; the middle one of each codec when not given.")
@resolution_option.but(
    default="512x768,1080x1920,1440x2560,2160x3840",
    help="Height x width to derive from the image; smaller images are enlarged.",
)
@limit_option.but(default=1, show_default=True)
@device_option
@repeats_option.but(default=9, help="Timed calls for each case, in all rounds together.")
@click.option(
    "--rounds",
    type=AtLeast(1),
    default=3,
    show_default=True,
    metavar="ROUNDS",
    help="Rounds over all codecs and resolutions, each with fresh processes.",
)
@warmup_option
@click.option(
    "--cap",
    type=Positive(),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="A case is not repeated after a call that took longer.",
)
@timeout_option
@memory_option
@threads_option
@environment_option
@weights_option
@click.option(
    "--frontier", is_flag=True, help="Also search for the largest image that each codec can code."
)
@results_option
@name_option.but(default="runtime")
@no_download_option
def command(*, rounds: int, cap: float, frontier: bool, no_download: bool, **options: Any) -> None:
    """Measure only speed and memory, over resolutions.

    Nothing is scored, so '--weights random' will do. Codecs take turns, so that a drift of the
    machine affects them alike. Running out of memory or time is a result, not an error. The same
    command again finishes what is missing.
    """
    from harness.cli.log import show_downloads
    from harness.cli.progress import reporter
    from harness.measure.speed import SpeedSweep, speed_plan
    from harness.plan.prepare import prepare
    from harness.plan.request import Request

    request = Request(download=not no_download, metric=(), keep="none", upsample=True, **options)
    show_downloads()
    prepared = speed_plan(prepare(request), cap_seconds=cap)
    try:
        with reporter() as observer:
            sweep = SpeedSweep(prepared, rounds, observer)
            sweep.run()
            if frontier:
                sweep.find_largest()
    except KeyboardInterrupt:
        click.echo(
            f"stopped; finished work is in {request.folder}, the same command continues it",
            err=True,
        )
        sys.exit(130)
    _show(request.folder, {str(batch.resolution) for batch in prepared.plan.batches})
    for name, lack in prepared.plan.unavailable.items():
        click.echo(f"unavailable: {name}: {lack}")
    click.echo(f"records: {request.folder}")
    if prepared.by_name and prepared.plan.unavailable:
        sys.exit(1)


def _show(folder: Path, resolutions: set[str]) -> None:
    from harness.cli.table import print_report_table
    from harness.report.frontier import frontier_table
    from harness.report.runtime import runtime_tables
    from harness.store.load import load_results

    frame: pd.DataFrame = load_results(folder)
    for table in runtime_tables(frame[frame["resolution"].isin(resolutions)]):
        print_report_table(table)
    largest = frontier_table(frame)
    if largest is not None:
        print_report_table(largest)
