"""What the batches of a run share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from harness.measure.images import Images
from harness.measure.observer import Observer
from harness.plan.request import Settings
from harness.store.records import CaseRecord
from harness.store.run_store import RunStore


class Recorder(Protocol):
    """Takes finished records: a run's store, or what combines the records of several rounds."""

    def add_cases(self, records: Iterable[CaseRecord]) -> None:
        """Write them as one shard."""


@dataclass(frozen=True)
class Context:
    """What the batches of a run share.

    Attributes:
        store: The run's folder.
        settings: How to measure.
        images: Photographs and reconstructions.
        observer: Receives the progress of the run.
        recorder: Where records go.
        machine: The machine's fingerprint (:func:`harness.readiness.machine.fingerprint`).
        invocation: The id of the run's manifest.
        is_search: Whether the batches belong to the search for the largest image.
        speed_only: Only time and memory count: the decoder is not probed, no reconstruction kept.
    """

    store: RunStore
    settings: Settings
    images: Images
    observer: Observer
    recorder: Recorder
    machine: str
    invocation: str
    is_search: bool = False
    speed_only: bool = False
