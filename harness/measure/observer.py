"""Reports the progress of a run to whoever wants to know."""

from __future__ import annotations

from harness.plan.cases import Batch, Plan
from harness.store.records import CaseRecord


class Observer:
    """Receives the progress of a run. This one ignores it; subclasses override what they need.

    The methods are called one after the other, from the thread that carries out the run.
    """

    def planned(self, plan: Plan, to_measure: int, to_score: int) -> None:
        """The plan is made: how many cases are to be measured, and how many to be scored."""

    def batch(self, batch: Batch) -> None:
        """A batch begins."""

    def case(self, record: CaseRecord) -> None:
        """A case ended, with its status."""

    def scored(self, cases: int) -> None:
        """``cases`` more cases were scored."""

    def note(self, text: str) -> None:
        """A message for the user."""


def waiting(observer: Observer) -> None:
    """Say that another run is using the machine."""
    observer.note("another run is measuring on this machine; waiting for its batch to end")
