"""Carries out what was asked: plan, measure what is missing, score what is missing.

The results folder decides what is missing, so the same request again completes the work and
recomputes nothing, whatever ended the last one.
"""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from harness.catalog.metrics import METRICS
from harness.images.resolution import POLICY
from harness.plan.cases import Batch, Case, Plan, label, remaining, unscored
from harness.plan.request import Prepared
from harness.store.run_store import RunStore

if TYPE_CHECKING:
    from harness.measure.batch import Context

CACHE_BYTES = 1 << 30
"""Reconstructions held in memory between decoding and scoring, and half of it for sources."""


class Observer(Protocol):
    """Who is told how a run goes on. Every method may do nothing."""

    def planned(self, plan: Plan, to_measure: int, to_score: int) -> None:
        """The plan stands; so many cases are to be measured, and so many to be scored."""

    def batch(self, batch: Batch) -> None:
        """A batch begins."""

    def case(self, batch: Batch, row: dict[str, Any]) -> None:
        """A case ended, with its status."""

    def scored(self, cases: int) -> None:
        """So many more cases were scored."""

    def note(self, text: str) -> None:
        """Something that the user should know."""


class Silent:
    """An observer who wants to know nothing."""

    def planned(self, plan: Plan, to_measure: int, to_score: int) -> None:
        """See :class:`Observer`."""

    def batch(self, batch: Batch) -> None:
        """See :class:`Observer`."""

    def case(self, batch: Batch, row: dict[str, Any]) -> None:
        """See :class:`Observer`."""

    def scored(self, cases: int) -> None:
        """See :class:`Observer`."""

    def note(self, text: str) -> None:
        """See :class:`Observer`."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended. ``failures`` maps a codec's label to how many of its cases are not ok."""

    folder: Path
    prepared: Prepared
    store: RunStore

    @property
    def failures(self) -> dict[str, int]:
        """Cases that did not end ``ok``, by codec; those of unavailable codecs left out."""
        counts: dict[str, int] = {}
        for batch in self.prepared.plan.batches:
            if batch.unavailable is not None:
                continue
            bad = sum(
                (state := self.store.states.get(case.id)) is None or state.status != "ok"
                for case in batch.cases
            )
            if bad:
                name = label(batch.codec)
                counts[name] = counts.get(name, 0) + bad
        return counts

    @property
    def succeeded(self) -> bool:
        """Whether all that was asked for by name ran, and no image was refused."""
        refused = any(dataset.refused for dataset in self.prepared.datasets)
        named_missing = self.prepared.by_name and bool(self.prepared.plan.unavailable)
        return not (self.failures or refused or named_missing)


def run(prepared: Prepared, observer: Observer) -> Outcome:
    """Measure and score what is missing.

    Raises:
        HarnessError: The results folder cannot be written, or the disk is full.
        KeyboardInterrupt: The user stopped it; what was finished is in the folder.
    """
    request, plan, settings = prepared.request, prepared.plan, prepared.settings
    store = RunStore(request.folder)
    for damage in store.damaged:
        observer.note(str(damage))
    work = Work(prepared, store, observer)
    todo = remaining(plan, store.states, settings, work.has_reconstruction)
    to_score = len(unscored(plan, store.states, settings)) + sum(
        len(batch.cases)
        for batch in todo.batches
        if batch.weights != "random" and batch.unavailable is None
    )
    observer.planned(plan, todo.cases, to_score)
    if todo.batches:
        work.measure(todo)
    if pending := unscored(plan, store.states, settings):
        work.score(pending)
    store.merge()
    return Outcome(request.folder, prepared, store)


class Work:
    """What measuring and scoring share in one run: the store, the images in memory, the lock."""

    def __init__(self, prepared: Prepared, store: RunStore, observer: Observer) -> None:
        from harness.images.cache import ImageCache

        self.prepared = prepared
        self.store = store
        self.observer = observer
        self._sources = ImageCache(CACHE_BYTES // 2)
        self._reconstructions = ImageCache(CACHE_BYTES)

    def has_reconstruction(self, batch: Batch, case: Case) -> bool:
        """Whether the image that the case was decoded to is at hand."""
        return case.id in self._reconstructions or self._reconstruction_file(batch, case).is_file()

    def begin(self, todo: Plan) -> Context:
        """Write the manifest of this invocation; returns what its batches share."""
        from harness.measure.batch import Context
        from harness.readiness.machine import describe, fingerprint

        machine = describe()
        invocation = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
        self.store.write_manifest(invocation, _manifest(self.prepared, todo, machine))
        return Context(
            store=self.store,
            settings=self.prepared.settings,
            read_image=self._source,
            keep_image=self._reconstructions.put,
            finished=self.observer.case,
            machine=fingerprint(machine),
            invocation=invocation,
            record=self.store.add_cases,
        )

    def measure(self, todo: Plan) -> None:
        """Measure the batches, each with the machine to itself."""
        from harness.measure.batch import measure_batch, record_unavailable
        from harness.measure.lock import machine_to_itself

        context = self.begin(todo)
        for batch in todo.batches:
            with machine_to_itself(self.waiting):
                self.store.refresh()  # another run may have measured it meanwhile
                left = remaining(
                    Plan((batch,)),
                    self.store.states,
                    self.prepared.settings,
                    self.has_reconstruction,
                )
                for part in left.batches:
                    self.observer.batch(part)
                    if part.unavailable is not None:
                        record_unavailable(part, context, part.unavailable)
                    else:
                        measure_batch(part, context)

    def score(self, pending: list[tuple[Batch, Case]]) -> None:
        """Score the cases that lack a metric."""
        from harness.measure.lock import machine_to_itself
        from harness.measure.scoring import Scoring, groups, score_group
        from harness.metrics import Scorer

        settings = self.prepared.settings
        missing = [
            metric
            for metric in settings.metrics
            if any(metric not in self.store.states[case.id].scored for _, case in pending)
        ]
        scorer = Scorer(missing, settings.device)
        for metric, reason in scorer.unavailable.items():
            self.observer.note(f"{METRICS[metric].title} stays blank: {reason}")
        for card in scorer.cards.values():
            self.store.write_card(card.id, card.as_dict())
        computable = set(scorer.cards) - set(scorer.unavailable)
        scoring = Scoring(
            store=self.store,
            scorer=scorer,
            reference=self._source,
            reconstruction=self._reconstruction,
            done_with=self._done_with,
            warn=self.observer.note,
            finished=self.observer.scored,
        )
        for group in groups(pending):
            with machine_to_itself(self.waiting):
                self.store.refresh()
                states = self.store.states
                left = [
                    (batch, case)
                    for batch, case in group
                    if not states[case.id].scored.issuperset(computable)
                    or not states[case.id].blank.issuperset(scorer.unavailable)
                ]
                if left:
                    score_group(left, scoring)
                self.observer.scored(len(group) - len(left))

    def _source(self, batch: Batch, case: Case) -> Any:
        from harness.images.files import read_image
        from harness.images.resolution import derive

        def read() -> Any:
            image = read_image(case.image.path)
            return derive(image, batch.resolution, upsample=self.prepared.settings.upsample)

        return self._sources.get((case.image.path, batch.resolution), read)

    def _reconstruction(self, batch: Batch, case: Case) -> Any:
        from harness.errors import ImageError
        from harness.images.files import read_image

        path = self._reconstruction_file(batch, case)

        def read() -> Any:
            try:
                return read_image(path)
            except ImageError:
                path.unlink(missing_ok=True)
                raise

        return self._reconstructions.get(case.id, read)

    def _reconstruction_file(self, batch: Batch, case: Case) -> Path:
        return self.store.file("reconstructions", batch.place(case), case.id, ".png")

    def _done_with(self, batch: Batch, case: Case) -> None:
        self._reconstructions.drop(case.id)
        if self.prepared.settings.keep != "all":
            self._reconstruction_file(batch, case).unlink(missing_ok=True)

    def waiting(self) -> None:
        """Tell that another run has the machine."""
        self.observer.note("another run is measuring on this machine; waiting for its batch to end")


def _manifest(prepared: Prepared, todo: Plan, machine: dict[str, Any]) -> dict[str, Any]:
    return {
        "request": asdict(prepared.request),
        "settings": asdict(prepared.settings),
        "started": datetime.now(UTC).isoformat(),
        "machine": machine,
        "resolution_policy": POLICY,
        "codecs": {
            label(c): {"title": c.title, "folder": str(c.folder), "code": c.code_digest}
            for c in prepared.codecs
        },
        "datasets": {
            d.name: {"licence": d.licence, "images": {i.name: i.sha256 for i in d.images}}
            for d in prepared.datasets
        },
        "unavailable": dict(prepared.plan.unavailable),
        "broken_adapters": prepared.broken,
        "skipped": [asdict(skip) for skip in prepared.plan.skipped],
        "cases_planned": prepared.plan.cases,
        "cases_to_measure": todo.cases,
    }
