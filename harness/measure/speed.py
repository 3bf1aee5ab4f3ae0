"""The speed sweep: time and memory of codecs at each resolution.

In each round every codec is measured at every resolution, one after the other, so that a machine
that becomes hot or busy affects all of them alike. Each codec and resolution gets fresh processes
in each round. A case's samples are those of all rounds together.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.errors import Reason, Status
from harness.images.resolution import Resolution
from harness.measure.batch import measure_batch
from harness.measure.context import Context
from harness.measure.lock import machine_to_itself
from harness.measure.observer import Observer, waiting
from harness.measure.recording import TRIED
from harness.measure.runner import Work
from harness.plan.cases import Batch, Plan, make_plan
from harness.plan.prepare import Prepared
from harness.store.load import read_cases
from harness.store.records import CaseRecord
from harness.store.run_store import RunStore

PASSES = ("encode", "decode")

FIRST_TRY = 512 * 768
LARGEST_TRY = 1 << 28
CLOSE_ENOUGH = 1.1
"""The search for the largest image ends when the smallest size that fails has less than this many
times the pixels of the largest that succeeds."""

MULTIPLE = 64
"""In that search, sides of images are multiples of this: most networks pad to it anyway."""


@dataclass(frozen=True)
class Rounds:
    """How often to measure.

    Attributes:
        rounds: How many times each codec and resolution gets fresh processes.
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
    """The request's plan, at one rate point of each codec unless rate points were requested.

    Args:
        prepared: The request, resolved.
        cap_seconds: A case is not repeated after a call that took longer, in seconds.
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
    """One speed sweep into a results folder; running it again finishes what is missing."""

    def __init__(self, prepared: Prepared, rounds: int, observer: Observer) -> None:
        self.prepared = prepared
        self.rounds = Rounds.of(prepared.settings.repeats, rounds)
        self.observer = observer
        self.store = RunStore(prepared.request.folder)
        self._work = Work(prepared, self.store, observer)
        self._records = {record.case: record for record in read_cases(self.store.folder)}
        self._now: set[str] = set()

    def run(self) -> None:
        """Measure all rounds."""
        by_size = sorted(self.prepared.plan.batches, key=lambda batch: batch.resolution)
        numbers = range(1, self.rounds.rounds + 1)
        schedule = [(number, batch) for number in numbers for batch in by_size]
        missing = [len(batch.cases) for number, batch in schedule if self._wanted(batch, number)]
        self.observer.planned(Plan(tuple(batch for _, batch in schedule)), sum(missing), 0)
        if not missing:
            return
        context = self._context()
        for number, batch in schedule:
            if self._wanted(batch, number):
                self._measure(batch, context)

    def find_largest(self) -> None:
        """Search for the largest image that each codec encodes and decodes here.

        The number of pixels doubles from the largest that succeeded until one fails; then the gap
        is bisected, on a logarithmic scale, until it is under a tenth. One call each, no warm-up.
        What was tried before, by this search or by the sweep, is not tried again.
        """
        first: dict[tuple[str, str], Batch] = {}
        for batch in self.prepared.plan.batches:
            if batch.lack is None:
                first.setdefault((batch.codec.name, batch.model.checkpoint), batch)
        if not first:
            return
        context = self._context()
        once = replace(
            context, is_search=True, settings=replace(context.settings, warmup=0, repeats=1)
        )
        for batch in first.values():
            self._find_largest_of(batch, once)

    def _find_largest_of(self, batch: Batch, context: Context) -> None:
        seen = {_pixels(record): record for record in self._measured(batch)}
        limit = min(batch.codec.constraints.max_pixels or LARGEST_TRY, LARGEST_TRY)
        while (size := next_size(_outcomes(seen), limit)) is not None:
            there = self._at(batch, size)
            identity = there.cases[0].id
            known = self._records.get(identity)
            if known is None or known.reason == Reason.MISSING:
                self._measure(there, context)
            seen[size.height * size.width] = self._records[identity]
        largest = max(
            (r for r in seen.values() if r.status == Status.OK), key=_pixels, default=None
        )
        marks = {r.case: r.frontier and TRIED for r in seen.values()}
        if largest is not None:
            codecs_limit = batch.codec.constraints.max_pixels
            marks[largest.case] = why_ended(_outcomes(seen), limit, codecs_limit)
        marked = [replace(r, frontier=marks[r.case]) for r in seen.values()]
        self._record([r for r in marked if r.frontier != self._records[r.case].frontier])

    def _measured(self, batch: Batch) -> Iterator[CaseRecord]:
        """The sweep's records of a codec, at all sizes."""
        for other in self.prepared.plan.batches:
            same = other.codec.name == batch.codec.name
            if same and other.model.checkpoint == batch.model.checkpoint:
                records = (self._records.get(case.id) for case in other.cases)
                yield from (record for record in records if record is not None and record.height)

    def _at(self, batch: Batch, size: Resolution) -> Batch:
        """The batch with only its first case, at another size."""
        case = batch.cases[0]
        data = next(d for d in self.prepared.datasets if d.name == batch.dataset)
        only = replace(data, images=(case.image,), refused=())
        model = replace(batch.model, rates=(case.rate,))
        return make_plan([model], [only], (size,), self.prepared.settings).batches[0]

    def _wanted(self, batch: Batch, number: int) -> bool:
        """Whether any case of the batch still lacks this round."""
        return any(self._taken(case.id) < number * self.rounds.repeats for case in batch.cases)

    def _taken(self, case: str) -> int:
        """How many samples a case was asked for; one that failed in this sweep is complete."""
        record = self._records.get(case)
        if record is None or (record.status != Status.OK and case not in self._now):
            return 0
        if record.status != Status.OK or _capped(record, self.prepared.settings.cap_ms):
            return self.rounds.rounds * self.rounds.repeats
        return record.repeats  # of a fast codec there are more samples

    def _measure(self, batch: Batch, context: Context) -> None:
        with machine_to_itself(lambda: waiting(self.observer)):
            self.observer.batch(batch)
            measure_batch(batch, context)

    def _context(self) -> Context:
        return replace(
            self._work.begin(self.prepared.plan),
            settings=replace(self.prepared.settings, repeats=self.rounds.repeats),
            recorder=self,
            speed_only=True,
        )

    def add_cases(self, records: Iterable[CaseRecord]) -> None:
        """Add the samples of a round to those of the rounds before it, and write them."""
        self._record([together(self._records.get(record.case), record) for record in records])

    def _record(self, records: list[CaseRecord]) -> None:
        self._records.update({record.case: record for record in records})
        self._now.update(record.case for record in records)
        if records:
            self.store.add_cases(records)


def together(before: CaseRecord | None, record: CaseRecord) -> CaseRecord:
    """Combine the samples of two rounds into one record; a failed round replaces the others."""
    if before is None or before.status != Status.OK or record.status != Status.OK:
        return record
    merged = replace(record, repeats=before.repeats + record.repeats)
    for which, earlier, later in zip(PASSES, _samples(before), _samples(record), strict=True):
        setattr(merged, f"{which}_samples_ms", [*earlier, *later])
        setattr(merged, f"{which}_ms", statistics.median([*earlier, *later]))
        for kind in ("rss", "device", "device_reserved"):
            name = f"{which}_peak_{kind}_bytes"
            setattr(merged, name, _highest(getattr(before, name), getattr(record, name)))
    if before.bitstream_sha256 != record.bitstream_sha256:
        merged.deterministic = False
        merged.message = "not deterministic: another process gave different bytes"
    return merged


def _samples(record: CaseRecord) -> tuple[list[float], list[float]]:
    """The timed calls of both passes, in ms."""
    return record.encode_samples_ms or [], record.decode_samples_ms or []


def _pixels(record: CaseRecord) -> int:
    return (record.height or 0) * (record.width or 0)


def _outcomes(records: Mapping[int, CaseRecord]) -> dict[int, bool]:
    """By pixels, whether an image of that size succeeded."""
    return {pixels: record.status == Status.OK for pixels, record in records.items()}


def next_size(tried: dict[int, bool], limit: int) -> Resolution | None:
    """The next size to try in the search for the largest image, or ``None`` when it is found.

    Args:
        tried: By pixels, whether an image of that size succeeded; one has.
        limit: The largest number of pixels to try.
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
    """A size of about ``pixels``, height to width 2:3, its sides multiples of 64."""
    height = max(MULTIPLE, round(math.sqrt(pixels * 2 / 3) / MULTIPLE) * MULTIPLE)
    width = max(MULTIPLE, math.floor(pixels / height / MULTIPLE) * MULTIPLE)
    return Resolution(height, width)


def why_ended(tried: dict[int, bool], limit: int, codecs_limit: int | None) -> str:
    """Why the search for the largest image has ended, in a few words.

    Args:
        tried: By pixels, whether an image of that size succeeded; one has.
        limit: The largest number of pixels that the search tries.
        codecs_limit: The codec's own limit, in pixels, if its manifest states one.
    """
    fits = max(pixels for pixels, well in tried.items() if well)
    fails = min((pixels for pixels, well in tried.items() if not well and pixels > fits), default=0)
    if fails:
        return f"an image of {fails / fits:.2f} times the pixels fails"
    if limit == codecs_limit:
        return f"the codec accepts at most {limit:,} pixels"
    return f"no size above {limit:,} pixels is tried"


def _capped(record: CaseRecord, cap_ms: float | None) -> bool:
    return cap_ms is not None and any(
        sample > cap_ms for samples in _samples(record) for sample in samples
    )


def _highest(a: Any, b: Any) -> Any:
    return b if a is None else a if b is None else max(a, b)
