"""Which part of a plan is still to be measured, and which is still to be scored."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Protocol

from harness.errors import Lack, Status
from harness.plan.cases import Batch, Case, Plan
from harness.plan.request import Settings

Pending = tuple[Batch, Case]


class State(Protocol):
    """What must be known about a case to decide whether it is finished.

    Attributes:
        status: How it ended.
        message: The message of its record.
        repeats: The number of timed calls with which it was measured.
        cards: For each metric that has a value, or will never have one, the id of its identity
            card.
        blank: The metrics that were attempted but are unavailable.
    """

    status: str
    message: str | None
    repeats: int
    cards: dict[str, str]
    blank: set[str]


@dataclass(frozen=True)
class Wanted:
    """When a case is finished.

    Attributes:
        settings: How it is to be measured, and with which metrics.
        cards: The id of the identity card that each metric's values would have if computed now.
            A value under another card does not count. Metrics that cannot be computed here have
            none, and any value of theirs counts.
    """

    settings: Settings
    cards: Mapping[str, str]

    def lacks_score(
        self, batch: Batch, state: State, ignoring: AbstractSet[str] = frozenset()
    ) -> bool:
        """Whether a measured case lacks a metric. Random weights are never scored."""
        if state.status != Status.OK or batch.model.weights == "random":
            return False
        if self._current <= state.cards.items() and self._names <= state.cards.keys():
            return False  # as of nearly all cases of a plan that was carried out before
        return any(
            not self.has_score(state, metric)
            for metric in self.settings.metrics
            if metric not in ignoring
        )

    def has_score(self, state: State, metric: str) -> bool:
        """Whether a case has a metric under the current card."""
        card = state.cards.get(metric)
        return card is not None and card == self.cards.get(metric, card)

    @functools.cached_property
    def _current(self) -> AbstractSet[tuple[str, str]]:
        """The metrics asked for that can be computed here, with their cards."""
        return {(m, self.cards[m]) for m in self.settings.metrics if m in self.cards}

    @functools.cached_property
    def _names(self) -> AbstractSet[str]:
        return set(self.settings.metrics)

    def is_measured(self, case: Case, states: Mapping[str, State], lack: Lack | None) -> bool:
        """Whether a case needs no further measuring.

        A case is finished if it is ``ok`` with as many timed calls as requested. A codec that is
        unavailable and was recorded as such needs no second record.
        """
        state = states.get(case.id)
        if state is None:
            return False
        if lack is not None:
            recorded = state.status == Status.UNAVAILABLE and state.message == str(lack)
            return state.status == Status.OK or recorded
        return state.status == Status.OK and state.repeats >= self.settings.repeats


def remaining(
    plan: Plan,
    states: Mapping[str, State],
    wanted: Wanted,
    has_image: Callable[[Batch, Case], bool],
) -> Plan:
    """The part of the plan that must still be measured.

    A case that lacks a metric and whose reconstruction is gone (``has_image``) must be measured
    again, unless that metric was attempted but is unavailable.
    """

    def is_left(batch: Batch, case: Case) -> bool:
        if not wanted.is_measured(case, states, batch.lack):
            return True
        if batch.lack is not None:
            return False  # to attempt it would replace what was measured by a lack
        state = states[case.id]
        return wanted.lacks_score(batch, state, ignoring=state.blank) and not has_image(batch, case)

    batches = []
    for batch in plan.batches:
        if cases := tuple(case for case in batch.cases if is_left(batch, case)):
            held = {case.rate.id for case in cases}
            rates = tuple(rate for rate in batch.rates if rate.id in held)
            batches.append(replace(batch, rates=rates, cases=cases))
    return Plan(tuple(batches), plan.skipped)


def unscored(plan: Plan, states: Mapping[str, State], wanted: Wanted) -> list[Pending]:
    """The measured cases that lack a metric."""
    return [
        (batch, case)
        for batch in plan.batches
        for case in batch.cases
        if case.id in states and wanted.lacks_score(batch, states[case.id])
    ]
