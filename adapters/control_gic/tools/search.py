"""The search for the best granularity: every ratio of a grid, measured as any rate point is."""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.catalog.codec_spec import RateSpec
from harness.cli.options import (
    device_option,
    environment_option,
    memory_option,
    results_option,
    threads_option,
    timeout_option,
    weights_option,
)
from harness.codec import CodecError
from harness.errors import HarnessError
from harness.images.resolution import parse
from harness.plan.cases import make_plan
from harness.plan.prepare import Prepared, models_of, prepare
from harness.plan.request import Request

from ..granularity import Ratios, grid

if TYPE_CHECKING:
    import pandas as pd

    from harness.analysis.curves import Curve

CODEC = "control-gic"
RANDOM = "random weights: the bitrates alone mean anything, so no granularity is chosen"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Control-GIC's own command."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what runs is ended in order


@main.command()
@click.option("--step", default=10, show_default=True, metavar="PERCENT", help="Of the grid.")
@click.option("--dataset", default="kodak", show_default=True, help="A data set, or a folder.")
@click.option("--metric", default="dists", show_default=True, help="What the best is best in.")
@click.option("--limit", type=int, help="Take only the first images of the data set.")
@device_option
@threads_option
@timeout_option
@memory_option
@environment_option
@weights_option
@results_option
@click.option("--name", default="control-gic-search", show_default=True, help="The run's folder.")
def search(*, step: int, dataset: str, metric: str, **options: Any) -> None:
    """Measure every granularity of a grid, and print those that no other beats.

    They are printed as rate points of a manifest. The same command again goes on where an earlier
    one was stopped. A step of 1 % has 5151 combinations, one of 5 % 231, one of 10 % 66. Images
    are kept until they are scored; speed is not what is looked for, so nothing is warmed up.
    """
    request = Request(
        codec=(CODEC,), dataset=(dataset,), metric=(metric,), warmup=0, keep="none", **options
    )
    try:
        lines = searched(request, grid(step), metric)
    except (CodecError, HarnessError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo(f"stopped; the same command goes on with {request.folder}", err=True)
        sys.exit(130)
    for line in lines:
        click.echo(line)


def searched(request: Request, ratios: list[Ratios], metric: str) -> list[str]:
    """Measure ``ratios``, and say which are the best.

    Raises:
        HarnessError: The codec is unavailable, or a case has no value.
    """
    from harness.cli.progress import reporter
    from harness.measure.runner import run

    prepared = widened(prepare(request), ratios)
    for name, lack in prepared.plan.unavailable.items():
        raise HarnessError.of(lack, f"codec '{name}' is unavailable")
    with reporter() as observer:
        outcome = run(prepared, observer)
    if request.weights == "random":
        failed = sum(outcome.failures.values())
        measured = f"{prepared.plan.cases - failed} of {prepared.plan.cases} cases are measured"
        return [f"{measured}; records: {outcome.folder}", RANDOM]
    return chosen_lines(outcome.records(), metric, outcome.folder)


def widened(prepared: Prepared, ratios: list[Ratios]) -> Prepared:
    """The same request with ``ratios`` as the codec's rate points."""
    request, (codec,) = prepared.request, prepared.codecs
    spec = replace(codec, rates=tuple(map(rate_spec, ratios)))
    models = list(models_of(spec, (), prepared.settings))
    resolutions = parse(request.resolution)
    plan = make_plan(models, prepared.datasets, resolutions, prepared.settings)
    return replace(prepared, codecs=[spec], plan=plan)


def rate_spec(ratios: Ratios) -> RateSpec:
    """The rate point of ``ratios``, as a manifest would state it."""
    shares = {"fine": ratios.fine, "medium": ratios.medium, "coarse": ratios.coarse}
    return RateSpec(ratios.id, shares, nominal_bpp=round(ratios.nominal_bpp, 4))


def chosen_lines(records: pd.DataFrame, metric: str, folder: Path) -> list[str]:
    """The rate points that no other beats, as lines of a manifest, by rising bitrate.

    Raises:
        HarnessError: A case of the ``records`` in ``folder`` has no value.
    """
    from harness.analysis.curves import curves_of
    from harness.analysis.records import curve_records
    from harness.catalog.metrics import metric_named

    measure = metric_named(metric)
    curve = curves_of(curve_records(records), measure).get(CODEC)
    if curve is None or not curve.complete.all():
        raise HarnessError(f"cases have no value of {metric}", f"the records in {folder} say why")
    return front(curve, measure.sign, measure.name)


def front(curve: Curve, sign: int, metric: str) -> list[str]:
    """Lines of a manifest for the points of ``curve`` that no other beats."""
    from harness.analysis.curves import pareto_front

    bpp, quality = curve.mean()
    best = pareto_front(bpp, sign * quality)
    lines = [f"# {len(best)} of {len(curve.rates)} granularities, by the means of all images"]
    for point in best:
        fine, medium, coarse = (float(part[1:]) / 100 for part in curve.rates[point].split("-"))
        lines.append(
            f'    {{ id = "{curve.rates[point]}", options = {{ fine = {fine:g}, '
            f"medium = {medium:g}, coarse = {coarse:g} }}, nominal_bpp = {bpp[point]:.4f} }},"
            f"  # {metric} {quality[point]:.4f}"
        )
    return lines
