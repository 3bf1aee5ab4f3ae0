"""Carries out a request: measures what is missing, then scores what is missing.

The results folder decides what is missing, so the same request again completes the work and
recomputes nothing, however the previous run ended.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.catalog.metrics import METRICS
from harness.errors import Status
from harness.images.resolution import POLICY
from harness.leftovers import remove_folders
from harness.measure.batch import measure_batch
from harness.measure.context import Context
from harness.measure.images import Images
from harness.measure.lock import machine_to_itself
from harness.measure.observer import Observer, waiting
from harness.metrics.cards import cards_now
from harness.paths import runtime_folder
from harness.plan.cases import Plan, label
from harness.plan.prepare import Prepared
from harness.plan.remaining import Pending, Wanted, remaining, unscored
from harness.readiness.machine import describe, fingerprint
from harness.store.load import load_results
from harness.store.run_store import RunStore

if TYPE_CHECKING:
    import pandas as pd

ROUNDS = 3
"""How often a run measures and scores, as long as it finds that files of the run were damaged."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        folder: The run's folder.
        prepared: The resolved request.
        store: What the folder holds.
        lacking: By metric, the number of measured cases that have no value of it though the same
            command again, or the user, can bring it. A metric that is undefined for an image is
            not among them, nor one that cannot be computed here and was not requested by name.
    """

    folder: Path
    prepared: Prepared
    store: RunStore
    lacking: dict[str, int]

    @property
    def failures(self) -> dict[str, int]:
        """The number of cases that did not end ``ok``, by codec, without unavailable codecs."""
        counts: dict[str, int] = {}
        for batch in self.prepared.plan.batches:
            if batch.lack is not None:
                continue
            bad = sum(
                (state := self.store.states.get(case.id)) is None or state.status != Status.OK
                for case in batch.cases
            )
            if bad:
                name = label(batch.codec)
                counts[name] = counts.get(name, 0) + bad
        return counts

    @property
    def succeeded(self) -> bool:
        """Whether all that was requested by name ran and is scored, and no image was refused."""
        refused = any(dataset.refused for dataset in self.prepared.datasets)
        named_missing = self.prepared.by_name and bool(self.prepared.plan.unavailable)
        return not (self.failures or self.lacking or refused or named_missing)

    def records(self) -> pd.DataFrame:
        """The requested cases, in the columns of :func:`harness.load_results`."""
        frame = load_results(self.folder)
        asked_for: pd.DataFrame = frame[frame["case"].isin(self.prepared.plan.ids)]
        return asked_for.reset_index(drop=True)


@dataclass
class Work:
    """What measuring and scoring share in one run."""

    prepared: Prepared
    store: RunStore
    observer: Observer
    images: Images = field(init=False)
    wanted: Wanted = field(init=False)
    unavailable: set[str] = field(default_factory=set)
    """The metrics that turned out not to be computable here."""

    def __post_init__(self) -> None:
        settings = self.prepared.settings
        self.images = Images(self.store, settings)
        cards = cards_now(settings.metrics)
        self.wanted = Wanted(settings, {metric: card.id for metric, card in cards.items()})
        lost = self.store.cards_lost()
        for card in cards.values():
            if card.id in lost:
                self.store.write_card(card.id, card.as_dict())
        for damaged in self.store.damaged:
            self.observer.note(str(damaged))

    @property
    def damage(self) -> int:
        """How many files of the run were found to be damaged so far."""
        return len(self.store.damaged) + self.images.damaged

    def forget_damaged(self) -> None:
        """Set bitstreams that have changed aside, so that their cases are measured again."""
        for batch in self.prepared.plan.batches:
            for case in batch.cases if batch.lack is None else ():
                if not self.store.has_intact_bitstream(batch.place(case), case.id):
                    self.store.forget(case.id)
                    self.observer.note(
                        f"the bitstream of {batch.codec.name} {case.rate.id} {case.image.name} is "
                        "not what was written; its case is measured again"
                    )

    def remaining(self, plan: Plan) -> Plan:
        """The part of a plan that must still be measured."""
        return remaining(plan, self.store.states, self.wanted, self.images.has_reconstruction)

    def unscored(self) -> list[Pending]:
        """The measured cases that lack a metric."""
        return unscored(self.prepared.plan, self.store.states, self.wanted)

    def lacking(self) -> dict[str, int]:
        """See :attr:`Outcome.lacking`."""
        metrics = self.prepared.settings.metrics
        excused = self.unavailable if set(metrics) == set(METRICS) else set()
        counts = Counter(
            metric
            for _, case in self.unscored()
            for metric in metrics
            if metric not in excused
            and not self.wanted.has_score(self.store.states[case.id], metric)
        )
        return {metric: counts[metric] for metric in metrics if metric in counts}

    def carry_out(self) -> None:
        """Measure what is not measured, and score what is not scored."""
        todo = self.remaining(self.prepared.plan)
        to_score = len(self.unscored()) + sum(
            len(batch.cases)
            for batch in todo.batches
            if batch.model.weights != "random" and batch.lack is None
        )
        self.observer.planned(self.prepared.plan, todo.cases, to_score)
        if todo.batches:
            self.measure(todo)
        if pending := self.unscored():
            self.score(pending)
        self.store.merge()

    def begin(self, todo: Plan) -> Context:
        """Write the manifest of this invocation; return what its batches share."""
        machine = describe()
        invocation = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
        self.store.write_manifest(invocation, _manifest(self.prepared, todo, machine))
        return Context(
            store=self.store,
            settings=self.prepared.settings,
            images=self.images,
            observer=self.observer,
            recorder=self.store,
            machine=fingerprint(machine),
            invocation=invocation,
        )

    def measure(self, todo: Plan) -> None:
        """Measure the batches, each with the machine to itself."""
        context = self.begin(todo)
        for batch in todo.batches:
            with machine_to_itself(lambda: waiting(self.observer)):
                self.store.refresh()  # another run may have measured it meanwhile
                for left in self.remaining(Plan((batch,))).batches:
                    self.observer.batch(left)
                    measure_batch(left, context)

    def score(self, pending: Sequence[Pending]) -> None:
        """Score the cases that lack a metric."""
        from harness.measure.scoring import Scoring, groups
        from harness.metrics import Scorer

        settings, states = self.prepared.settings, self.store.states
        missing = [
            metric
            for metric in settings.metrics
            if any(not self.wanted.has_score(states[case.id], metric) for _, case in pending)
        ]
        scorer = Scorer(missing, settings.device)
        self.unavailable.update(scorer.unavailable)
        for metric, lack in scorer.unavailable.items():
            self.observer.note(f"{METRICS[metric].title} stays blank: {lack}")
        for card in scorer.cards.values():
            self.store.write_card(card.id, card.as_dict())
        scoring = Scoring(self.store, scorer, self.images, self.observer)
        for group in groups(pending):
            with machine_to_itself(lambda: waiting(self.observer)):
                self.store.refresh()
                if left := scoring.left(group):
                    scoring.score(left)
                self.observer.scored(len(group) - len(left))


def run(prepared: Prepared, observer: Observer) -> Outcome:
    """Measure and score what is missing.

    Raises:
        HarnessError: The results or the temporary folder cannot be written, or the disk is full.
        KeyboardInterrupt: The user stopped it; finished cases are in the folder.
    """
    remove_folders(runtime_folder())
    store = RunStore(prepared.request.folder)
    work = Work(prepared, store, observer)
    work.forget_damaged()
    for _ in range(ROUNDS):
        found, known = work.damage, len(store.damaged)
        work.carry_out()
        if work.damage == found:
            break
        for damaged in store.damaged[known:]:
            observer.note(str(damaged))
        store.reread()
    return Outcome(prepared.request.folder, prepared, store, work.lacking())


def _manifest(prepared: Prepared, todo: Plan, machine: dict[str, Any]) -> dict[str, Any]:
    codes = {label(b.codec): b.model.code for b in prepared.plan.batches}
    return {
        "request": asdict(prepared.request),
        "settings": asdict(prepared.settings),
        "started": datetime.now(UTC).isoformat(),
        "machine": machine,
        "resolution_policy": POLICY,
        "codecs": {
            label(c): {"title": c.title, "folder": str(c.folder), "code": codes.get(label(c))}
            for c in prepared.codecs
        },
        "datasets": {
            d.name: {"licence": d.licence, "images": {i.name: i.sha256 for i in d.images}}
            for d in prepared.datasets
        },
        "unavailable": {name: str(lack) for name, lack in prepared.plan.unavailable.items()},
        "broken_adapters": {name: str(error) for name, error in prepared.broken.items()},
        "skipped": [asdict(skip) for skip in prepared.plan.skipped],
        "cases_planned": prepared.plan.cases,
        "cases_to_measure": todo.cases,
    }
