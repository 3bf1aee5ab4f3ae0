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
    memory_option,
    results_option,
    split,
    threads_option,
    timeout_option,
    warmup_option,
    weights_option,
)

if TYPE_CHECKING:
    import pandas as pd


@click.command("runtime")
@codec_option
@dataset_option
@click.option(
    "--rate",
    multiple=True,
    callback=split,
    metavar="IDS",
    help="Rate points; the middle one of each codec when not given.",
)
@click.option(
    "--resolution",
    default="512x768,1080x1920,1440x2560,2160x3840",
    show_default=True,
    metavar="HxW,...",
    help="Height x width to derive from the image; smaller images are enlarged.",
)
@click.option(
    "--limit", type=int, default=1, show_default=True, help="How many images of each data set."
)
@device_option
@click.option(
    "--repeats", type=int, default=9, show_default=True, help="Timed calls a case, in all rounds."
)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Rounds over all codecs and resolutions, each with fresh processes.",
)
@warmup_option
@click.option(
    "--cap",
    type=float,
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="After a call that took longer, the case is not repeated.",
)
@timeout_option
@memory_option
@threads_option
@environment_option
@weights_option
@click.option("--frontier", is_flag=True, help="Search for the largest image of each codec, too.")
@results_option
@click.option("--name", default="runtime", show_default=True, help="The run's folder in it.")
@click.option("--no-download", is_flag=True, help="Do not download data sets.")
def command(*, rounds: int, cap: float, frontier: bool, no_download: bool, **options: Any) -> None:
    """Measure speed and memory alone, over resolutions.

    Nothing is scored, so '--weights random' will do. Codecs take turns, so that a machine that
    drifts does so for all. Running out of memory or time is a result. The same command again
    finishes what is missing.
    """
    from harness.cli.progress import reporter
    from harness.measure.speed import SpeedSweep, speed_plan
    from harness.plan.prepare import prepare
    from harness.plan.request import Request

    request = Request(download=not no_download, metrics=(), keep="none", upsample=True, **options)
    prepared = speed_plan(prepare(request), cap_seconds=cap)
    try:
        with reporter() as observer:
            sweep = SpeedSweep(prepared, rounds, observer)
            sweep.run()
            if frontier:
                sweep.find_largest()
    except KeyboardInterrupt:
        click.echo(
            f"stopped; what was finished is in {request.folder}, the same command goes on", err=True
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
