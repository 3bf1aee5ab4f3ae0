"""Shows the progress of a run: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from harness.cli.text import counted, duration
from harness.errors import Status
from harness.measure.observer import Observer

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from harness.plan.cases import Batch, Plan
    from harness.store.records import CaseRecord

LINE_SECONDS = 10.0


class Reporter(Observer):
    """What both ways of showing progress have in common: notes on what went wrong."""

    def __init__(self) -> None:
        self._reported: set[tuple[str, str, str]] = set()

    def planned(self, plan: Plan, to_measure: int, to_score: int) -> None:
        """Say what is left to do."""
        done = plan.cases - to_measure
        text = f"{counted(plan.cases, 'case')}: {done} measured before, {to_measure} to measure"
        self.write(f"{text}, {to_score} to score")

    def case(self, record: CaseRecord) -> None:
        """Report each kind of failure of a codec once; the records hold them all."""
        kind = (record.codec, str(record.status), str(record.message))
        if record.status != Status.OK and kind not in self._reported:
            self._reported.add(kind)
            one = record.status != Status.UNAVAILABLE
            where = f" {record.rate} {record.image}" if one else ""
            self.write(f"{record.codec}{where}: {record.status}: {record.message}")

    def note(self, text: str) -> None:
        """Say something that the user should know."""
        self.write(text)

    def write(self, text: str) -> None:
        """Write a line."""
        click.echo(text, err=True)


class Lines(Reporter):
    """A plain line every ten seconds and at the end of each phase."""

    def __init__(self) -> None:
        super().__init__()
        self._totals = {"measured": 0, "scored": 0}
        self._counts = {"measured": 0, "scored": 0}
        self._since = {"measured": 0.0, "scored": 0.0}
        self._last = self._previous = time.monotonic()

    def planned(self, plan: Plan, to_measure: int, to_score: int) -> None:
        """Say what is left to do, and start counting."""
        super().planned(plan, to_measure, to_score)
        self._previous = time.monotonic()
        self._totals = {"measured": to_measure, "scored": to_score}
        self._counts = {"measured": 0, "scored": 0}

    def case(self, record: CaseRecord) -> None:
        """Count, and say so now and then."""
        super().case(record)
        self._count("measured", 1, f" ({record.codec} {record.rate})")

    def scored(self, cases: int) -> None:
        """Count, and say so now and then."""
        self._count("scored", cases, "")

    def _count(self, what: str, number: int, detail: str) -> None:
        if not number:
            return
        now = time.monotonic()
        if not self._counts[what]:
            self._since[what] = self._previous
            self._last = now
        self._previous = now
        self._counts[what] += number
        count, total = self._counts[what], self._totals[what]
        if now - self._last < LINE_SECONDS and count != total:
            return
        self._last = now
        rate = count / max(now - self._since[what], 1e-3)
        left = f", {duration((total - count) / rate)} left" if 0 < count < total else ""
        self.write(f"{what} {count}/{total}{detail}, {rate:.1f} cases/s{left}")


class Bars(Reporter):
    """Two bars on a terminal: measured and scored, with rate and time left."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress
        self._measured: TaskID
        self._scored: TaskID

    def planned(self, plan: Plan, to_measure: int, to_score: int) -> None:
        """Say what is left to do, and show the bars."""
        super().planned(plan, to_measure, to_score)
        self._measured = self._progress.add_task("measure", total=to_measure, detail="")
        self._scored = self._progress.add_task("score", total=to_score, detail="", start=False)

    def batch(self, batch: Batch) -> None:
        """Show which codec is running."""
        rates = batch.rates[0].id if len(batch.rates) == 1 else f"{len(batch.rates)} rates"
        detail = f"{batch.codec.name} {rates} {batch.dataset} {batch.resolution}"
        self._progress.update(self._measured, detail=detail)

    def case(self, record: CaseRecord) -> None:
        """Move the bar."""
        super().case(record)
        self._progress.advance(self._measured)

    def scored(self, cases: int) -> None:
        """Move the bar."""
        self._progress.start_task(self._scored)
        self._progress.advance(self._scored, cases)

    def write(self, text: str) -> None:
        """Write a line above the bars."""
        self._progress.console.print(text, highlight=False, markup=False)


@contextmanager
def reporter() -> Iterator[Reporter]:
    """Bars where standard error is a terminal, plain lines elsewhere."""
    import sys

    if not sys.stderr.isatty():
        yield Lines()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Any) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:.1f} cases/s" if speed else "")

    columns = [
        TextColumn("{task.description:>7}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[detail]}"),
    ]
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield Bars(progress)
