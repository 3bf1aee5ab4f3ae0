"""Who is told how a run goes on."""

from __future__ import annotations

from harness.plan.cases import Batch, Plan
from harness.store.records import CaseRecord


class Observer:
    """Is told how a run goes on. This one does nothing with it; subclasses override what they need.

    The methods are called one after the other, from the thread that runs.
    """

    def planned(self, plan: Plan, to_measure: int, to_score: int) -> None:
        """The plan stands; so many cases are to be measured, and so many to be scored."""

    def batch(self, batch: Batch) -> None:
        """A batch begins."""

    def case(self, record: CaseRecord) -> None:
        """A case ended, with its status."""

    def scored(self, cases: int) -> None:
        """So many more cases were scored."""

    def note(self, text: str) -> None:
        """Something that the user should know."""


def waiting(observer: Observer) -> None:
    """Say that another run has the machine."""
    observer.note("another run is measuring on this machine; waiting for its batch to end")
