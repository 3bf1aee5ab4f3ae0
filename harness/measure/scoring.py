"""Scores reconstructions image by image, so that a reference's features are computed once.

All codecs' and rate points' reconstructions of one image at one resolution are scored together
and written as one shard.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from harness.errors import HarnessError, ImageError
from harness.measure.images import Images
from harness.measure.observer import Observer
from harness.metrics import Scorer
from harness.plan.cases import Case
from harness.plan.remaining import Pending
from harness.store.records import ScoreRecord
from harness.store.run_store import RunStore


@dataclass(frozen=True)
class Scoring:
    """Computes the metrics of images at hand, and writes their values."""

    store: RunStore
    scorer: Scorer
    images: Images
    observer: Observer

    def left(self, group: Sequence[Pending]) -> list[Pending]:
        """The cases of a group that lack a metric in the store."""
        cards = {name: card.id for name, card in self.scorer.cards.items()}

        def is_left(case: Case) -> bool:
            state = self.store.states[case.id]
            stale = any(state.cards.get(metric) != card for metric, card in cards.items())
            unsaid = any(
                metric not in state.cards and metric not in state.blank
                for metric in self.scorer.unavailable
            )
            return stale or unsaid

        return [(batch, case) for batch, case in group if is_left(case)]

    def score(self, group: Sequence[Pending]) -> None:
        """Score the reconstructions of one reference and write the values.

        A reconstruction that cannot be read, or has changed since it was written, is skipped with
        a note.
        """
        try:
            reference = self.scorer.reference(self.images.photograph(*group[0]))
        except HarnessError as error:
            self.observer.note(str(error))
            self.observer.scored(len(group))
            return
        records: list[ScoreRecord] = []
        for batch, case in group:
            try:
                image = self.images.reconstruction(batch, case)
            except ImageError as error:
                self.observer.note(f"{error.problem}; its case must be measured again")
                self.observer.scored(1)
                continue
            start = time.perf_counter()
            scores = self.scorer.score(reference, image)
            elapsed = (time.perf_counter() - start) * 1e3
            records += [
                ScoreRecord(
                    case=case.id,
                    metric=metric,
                    value=scores[metric].value,
                    reason=scores[metric].reason,
                    final=scores[metric].final,
                    card=card.id,
                    measured=self.store.states[case.id].written,
                    score_ms=elapsed,
                )
                for metric, card in self.scorer.cards.items()
                if scores[metric].final or not self._has_value(case, metric)
            ]
            records += self._blanks(case)
            self.observer.scored(1)
        if records:
            self.store.add_scores(records)
        for batch, case in group:
            self.images.is_scored(batch, case)

    def _blanks(self, case: Case) -> Iterator[ScoreRecord]:
        """Blanks for the metrics that cannot be computed; existing values stay."""
        for metric, lack in self.scorer.unavailable.items():
            if not self._has_value(case, metric):
                measured = self.store.states[case.id].written
                yield ScoreRecord(
                    case=case.id, metric=metric, reason=str(lack), final=False, measured=measured
                )

    def _has_value(self, case: Case, metric: str) -> bool:
        """Whether there is a value, under whichever card, that a passing blank must not hide."""
        return metric in self.store.states[case.id].cards


def groups(pending: Sequence[Pending]) -> list[list[Pending]]:
    """The cases that share a reference: the same image at the same resolution."""

    def key(item: Pending) -> tuple[str, str, str]:
        batch, case = item
        return batch.dataset, str(batch.resolution), case.image.name

    return [list(group) for _, group in groupby(sorted(pending, key=key), key)]
