"""The speed sweep: how long codecs take, and what memory, at each resolution.

In each round every codec is measured at every resolution, one after the other, so that a machine
that grows hot or busy does so for all of them alike. Each codec and resolution has fresh processes
in each round. A case's samples are those of all rounds together.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, replace
from typing import Any

from harness.images.resolution import Resolution
from harness.measure.batch import Context, Row, measure_batch, record_unavailable
from harness.measure.lock import machine_to_itself
from harness.measure.runner import Observer, Work
from harness.plan.cases import Batch, Plan, make_plan
from harness.plan.request import Prepared
from harness.store.load import read_cases
from harness.store.run_store import RunStore

PASSES = ("encode", "decode")

FIRST_TRY = 512 * 768
LARGEST_TRY = 1 << 28
CLOSE_ENOUGH = 1.1
"""The search for the largest image ends when the smallest that fails has so many times its
pixels."""

MULTIPLE = 64
"""Sides of the images of that search are multiples of this: most networks pad to it anyway."""


@dataclass(frozen=True)
class Rounds:
    """How often to measure.

    Attributes:
        rounds: Fresh processes for each codec and resolution.
        repeats: Timed calls in each of them.
    """

    rounds: int
    repeats: int

    @classmethod
    def of(cls, samples: int, rounds: int) -> Rounds:
        """At least ``samples`` calls, spread over at most ``rounds`` rounds."""
        rounds = min(rounds, samples)
        return cls(rounds, math.ceil(samples / rounds))


def speed_plan(prepared: Prepared, cap_seconds: float | None) -> Prepared:
    """What was asked for, at one rate point of each codec unless rate points were asked for.

    Args:
        prepared: The request, resolved.
        cap_seconds: A case is not repeated after a call that took longer.
    """
    plan = prepared.plan if prepared.request.rate else one_rate(prepared.plan)
    settings = replace(prepared.settings, cap_seconds=cap_seconds)
    return replace(prepared, plan=plan, settings=settings)


def one_rate(plan: Plan) -> Plan:
    """The plan with one rate point of each codec: the middle one, or all of a progressive one's."""
    batches = []
    for batch in plan.batches:
        points = batch.codec.rates
        chosen = points[-1] if batch.codec.progressive else points[len(points) // 2]
        if chosen in batch.rates:
            cases = tuple(case for case in batch.cases if case.rate == chosen)
            batches.append(replace(batch, rates=(chosen,), cases=cases))
    return replace(plan, batches=tuple(batches))


class SpeedSweep:
    """One speed sweep into a results folder; the same one again finishes what is missing."""

    def __init__(self, prepared: Prepared, rounds: int, observer: Observer) -> None:
        self.prepared = prepared
        self.rounds = Rounds.of(prepared.settings.repeats, rounds)
        self.observer = observer
        self.store = RunStore(prepared.request.folder)
        self._work = Work(prepared, self.store, observer)
        self._rows: dict[str, Row] = {
            row["case"]: row for row in read_cases(self.store.folder) if row["status"] == "ok"
        }

    def run(self) -> None:
        """Measure all rounds."""
        by_size = sorted(self.prepared.plan.batches, key=lambda batch: batch.resolution)
        numbers = range(1, self.rounds.rounds + 1)
        schedule = [(number, batch) for number in numbers for batch in by_size]
        missing = [len(batch.cases) for number, batch in schedule if self._wanted(batch, number)]
        self.observer.planned(Plan(tuple(batch for _, batch in schedule)), sum(missing), 0)
        if not missing:
            return
        context = self._context(self.prepared.plan)
        for number, batch in schedule:
            if self._wanted(batch, number):
                self._measure(batch, context)

    def find_largest(self) -> None:
        """Search, for each codec, the largest image that it encodes and decodes here.

        Sizes double in pixels from the largest that went well until one does not; then the gap is
        halved, in the logarithm, until it is under a tenth. One call each, no warm-up.
        """
        first: dict[tuple[str, str], Batch] = {}
        for batch in self.prepared.plan.batches:
            if batch.unavailable is None:
                first.setdefault((batch.codec.name, batch.checkpoint), batch)
        context = self._context(self.prepared.plan)
        once = replace(context, settings=replace(context.settings, warmup=0, repeats=1))
        for batch in first.values():
            tried = self._tried(batch)
            limit = min(batch.codec.constraints.max_pixels or LARGEST_TRY, LARGEST_TRY)
            while (size := next_size(tried, limit)) is not None:
                there = self._at(batch, size)
                self._measure(there, once)
                tried[size.height * size.width] = self._rows[there.cases[0].id]["status"] == "ok"

    def _tried(self, batch: Batch) -> dict[int, bool]:
        """Pixels of the images that the codec was measured at, and whether it went well."""
        return {
            row["height"] * row["width"]: row["status"] == "ok"
            for row in self._rows.values()
            if (row["codec"], row["checkpoint"]) == (batch.codec.name, batch.checkpoint)
            and row["height"]
        }

    def _at(self, batch: Batch, size: Resolution) -> Batch:
        """The batch with its first case alone, at another size."""
        case = batch.cases[0]
        data = next(d for d in self.prepared.datasets if d.name == batch.dataset)
        only = replace(data, images=(case.image,), refused=())
        known = {(batch.codec.name, batch.codec.checkpoint, case.rate.id): batch.checkpoint}
        settings = self.prepared.settings
        plan = make_plan([batch.codec], [only], (size,), [case.rate.id], settings, known, {})
        return plan.batches[0]

    def _wanted(self, batch: Batch, number: int) -> bool:
        """Whether a round is still to be taken of any case of the batch."""
        return any(self._taken(case.id) < number * self.rounds.repeats for case in batch.cases)

    def _taken(self, case: str) -> int:
        """How many samples there are of a case; as many as asked for of one that failed."""
        row = self._rows.get(case)
        if row is None:
            return 0
        if row["status"] != "ok" or _capped(row, self.prepared.settings.cap_ms):
            return self.rounds.rounds * self.rounds.repeats
        return min(len(row[f"{which}_samples_ms"]) for which in PASSES)

    def _measure(self, batch: Batch, context: Context) -> None:
        with machine_to_itself(self._work.waiting):
            self.observer.batch(batch)
            if batch.unavailable is not None:
                record_unavailable(batch, context, batch.unavailable)
            else:
                measure_batch(batch, context)

    def _context(self, plan: Plan) -> Context:
        return replace(
            self._work.begin(plan),
            settings=replace(self.prepared.settings, repeats=self.rounds.repeats),
            record=self._record,
            speed_only=True,
        )

    def _record(self, rows: list[Row]) -> None:
        """Put the samples of a round to those of the rounds before it, and write them."""
        merged = [together(self._rows.get(row["case"]), row) for row in rows]
        self._rows.update({row["case"]: row for row in merged})
        self.store.add_cases(merged)


def together(before: Row | None, row: Row) -> Row:
    """One record of the samples of several rounds; a round that failed stands for all."""
    if before is None or before["status"] != "ok" or row["status"] != "ok":
        return row
    merged = dict(row)
    for which in PASSES:
        samples = [*before[f"{which}_samples_ms"], *row[f"{which}_samples_ms"]]
        merged[f"{which}_samples_ms"] = samples
        merged[f"{which}_ms"] = statistics.median(samples)
        for kind in ("rss", "device", "device_reserved"):
            name = f"{which}_peak_{kind}_bytes"
            merged[name] = _highest(before.get(name), row.get(name))
    merged["repeats"] = before["repeats"] + row["repeats"]
    if before["bitstream_sha256"] != row["bitstream_sha256"]:
        merged["deterministic"] = False
        merged["message"] = "not deterministic: another process gave other bytes"
    return merged


def next_size(tried: dict[int, bool], limit: int) -> Resolution | None:
    """The next size to try in the search for the largest image, or ``None`` when it is found.

    Args:
        tried: By pixels, whether an image of that size went well.
        limit: The most pixels to try.
    """
    fits = max((pixels for pixels, well in tried.items() if well), default=0)
    fails = min((pixels for pixels, well in tried.items() if not well and pixels > fits), default=0)
    if fits and fails and fails / fits < CLOSE_ENOUGH:
        return None
    pixels = 2 * fits or fails / 4 or FIRST_TRY
    if fits and fails:
        pixels = math.sqrt(fits * fails)
    size = shaped(min(pixels, limit))
    found = size.height * size.width
    return None if found in tried or found > limit else size


def shaped(pixels: float) -> Resolution:
    """A size of about so many pixels and 2:3, its sides multiples of 64."""
    height = max(MULTIPLE, round(math.sqrt(pixels * 2 / 3) / MULTIPLE) * MULTIPLE)
    width = max(MULTIPLE, math.floor(pixels / height / MULTIPLE) * MULTIPLE)
    return Resolution(height, width)


def _capped(row: Row, cap_ms: float | None) -> bool:
    return cap_ms is not None and any(
        sample > cap_ms for which in PASSES for sample in row[f"{which}_samples_ms"]
    )


def _highest(a: Any, b: Any) -> Any:
    return b if a is None else a if b is None else max(a, b)
