"""``harness plan``: what ``run`` with the same options would do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import measuring_options, request_of

if TYPE_CHECKING:
    from harness.plan.cases import Batch, Plan
    from harness.plan.estimate import Cost


@click.command("plan")
@measuring_options
def command(**options: Any) -> None:
    """Show what 'run' would do: cases, how many are done, expected time and disk.

    Time and disk are expected from earlier records of the same codecs, device and threads in the
    results folder; without any they are unknown. Nothing is downloaded, started or written.
    """
    import shutil
    from functools import partial

    from harness.cli.table import print_table
    from harness.errors import HarnessError
    from harness.measure.images import has_reconstruction
    from harness.metrics.cards import current_cards
    from harness.plan.estimate import Estimator
    from harness.plan.prepare import prepare
    from harness.plan.remaining import Wanted, remaining, unscored
    from harness.store.load import load_results
    from harness.store.run_store import RunStore

    request = request_of(options, download=False)
    prepared = prepare(request)
    store = RunStore(request.folder, create=False)
    settings = prepared.settings
    wanted = Wanted(settings, current_cards(settings.metrics))
    todo = remaining(prepared.plan, store.states, wanted, partial(has_reconstruction, store))
    pending = unscored(prepared.plan, store.states, wanted)
    records = None
    if todo.cases:
        try:
            records = load_results(request.results)
        except HarnessError:
            records = None
    estimator = Estimator(records, settings)
    rows, total = _rows(prepared.plan, todo, estimator)
    columns = ["codec", "data set", "resolution", "cases", "done", "to do", "time", "disk"]
    print_table(columns, rows)
    done = prepared.plan.cases - todo.cases
    click.echo(f"{prepared.plan.cases} cases: {done} measured, {todo.cases} to measure")
    if pending:
        click.echo(f"{len(pending)} measured cases lack a metric and will be scored")
    if todo.cases:
        parent = next(p for p in (request.folder, *request.folder.absolute().parents) if p.exists())
        free = shutil.disk_usage(parent).free
        click.echo(f"expected: {_time(total)}, {_disk(total)} of disk; {_size(free)} are free")
    for skip in prepared.plan.skipped:
        click.echo(f"skipped: {skip.image} at {skip.resolution}: {skip.reason}")
    for name, lack in prepared.plan.unavailable.items():
        click.echo(f"unavailable: {name}: {lack}")


def _rows(plan: Plan, todo: Plan, estimator: Any) -> tuple[list[list[str]], Cost]:
    from harness.plan.cases import label
    from harness.plan.estimate import Cost

    def grouped(batches: tuple[Batch, ...]) -> dict[tuple[str, str, str], list[Batch]]:
        groups: dict[tuple[str, str, str], list[Batch]] = {}
        for batch in batches:
            key = (label(batch.codec), batch.dataset, str(batch.resolution))
            groups.setdefault(key, []).append(batch)
        return groups

    left = grouped(todo.batches)
    rows = []
    seconds: float | None = 0.0
    disk: float | None = 0.0
    for key, batches in grouped(plan.batches).items():
        cases = sum(len(b.cases) for b in batches)
        mine = left.get(key, [])
        remaining_cases = sum(len(b.cases) for b in mine)
        counts = [str(cases), str(cases - remaining_cases), str(remaining_cases)]
        if all(b.lack is not None for b in batches):
            rows.append([*key, *counts, "unavailable", ""])
            continue
        cost = estimator.cost(mine)
        seconds = None if seconds is None or cost.seconds is None else seconds + cost.seconds
        disk = None if disk is None or cost.disk_bytes is None else disk + cost.disk_bytes
        shown = [_time(cost), _disk(cost)] if mine else ["", ""]
        rows.append([*key, *counts, *shown])
    return rows, Cost(seconds, disk)


def _time(cost: Cost) -> str:
    from harness.cli.progress import duration

    return "unknown time" if cost.seconds is None else duration(cost.seconds)


def _disk(cost: Cost) -> str:
    return "unknown size" if cost.disk_bytes is None else _size(cost.disk_bytes)


def _size(number: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:  # noqa: PLR2004 - the step of SI prefixes
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} TB"
