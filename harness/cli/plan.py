"""``harness plan``: what ``run`` with the same options would do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import measuring_options, request_of
from harness.cli.text import counted, duration, size

if TYPE_CHECKING:
    from harness.plan.cases import Batch, Case, Plan
    from harness.plan.estimate import Cost


@click.command("plan")
@measuring_options
def command(**options: Any) -> None:
    """Show what 'run' would do: cases, how many are done, expected time and disk space.

    Time and disk space are estimated from earlier records of the same codecs, device and threads
    in the results folder; without any they are unknown. Nothing is downloaded, started or written.
    """
    import shutil

    from harness.cli.table import print_table
    from harness.errors import HarnessError
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

    def has_image(batch: Batch, case: Case) -> bool:
        return store.reconstruction(batch.place(case), case.id).is_file()

    todo = remaining(prepared.plan, store.states, wanted, has_image)
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
    cases = counted(prepared.plan.cases, "case")
    click.echo(f"{cases}: {done} measured, {todo.cases} to measure")
    if pending:
        click.echo(f"to score: {counted(len(pending), 'measured case')} without all metrics")
    if todo.cases:
        parent = next(p for p in (request.folder, *request.folder.absolute().parents) if p.exists())
        free = shutil.disk_usage(parent).free
        click.echo(f"expected: {_time(total)}, {_disk(total)} of disk space; {size(free)} free")
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
    return "unknown time" if cost.seconds is None else duration(cost.seconds)


def _disk(cost: Cost) -> str:
    return "unknown size" if cost.disk_bytes is None else size(cost.disk_bytes)
