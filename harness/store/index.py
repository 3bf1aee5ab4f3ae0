"""An index of what a run's folder holds about each case: what is finished in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import repeat
from typing import NamedTuple

import numpy as np
import pyarrow as pa

CASE_INDEX = ["case", "status", "message", "repeats", "written"]
CASE_DIGESTS = ["bitstream_sha256", "picture_sha256", "reconstruction_sha256", "kept_bytes"]
SCORE_INDEX = ["case", "metric", "final", "card", "measured", "written"]
"""The columns that are read of a shard of scores."""


class Digests(NamedTuple):
    """What a case's record says of its files: sha256 each, and the size of those that are kept."""

    bitstream: str | None = None
    picture: str | None = None
    reconstruction: str | None = None
    kept_bytes: int | None = None


UNKNOWN = Digests()


@dataclass
class CaseState:
    """What the folder holds about one case.

    Attributes:
        status: How it ended.
        message: The message of its record.
        repeats: The number of timed calls with which it was measured.
        written: When its row was written, in ns.
        cards: For each metric that has a value, or will never have one, the id of its identity
            card.
        blank: The metrics that were attempted but are unavailable.
        scored: When the row of each of the ``cards`` was written, in ns.
        digests: Those of its files; known only to a store that is opened for writing.
    """

    status: str
    message: str | None
    repeats: int
    written: int
    cards: dict[str, str] = field(default_factory=dict)
    blank: set[str] = field(default_factory=set)
    scored: dict[str, int] = field(default_factory=dict)
    digests: Digests = UNKNOWN


class CaseIndex:
    """What a run's folder holds about each case.

    Args:
        digests: Whether the digests of kept files are wanted too.

    Attributes:
        states: By case, what the folder holds about it.
        case_columns: The columns that are read of a shard of cases.
    """

    def __init__(self, *, digests: bool) -> None:
        self.states: dict[str, CaseState] = {}
        self._digests = digests
        self.case_columns = [*CASE_INDEX, *(CASE_DIGESTS if digests else ())]

    def add_cases(self, table: pa.Table) -> None:
        """Take up the rows of a shard of cases."""
        columns = [table[name].to_pylist() for name in CASE_INDEX]
        digests: Iterable[Digests] = repeat(UNKNOWN, len(table))
        if self._digests:
            digests = map(Digests, *(table[name].to_pylist() for name in CASE_DIGESTS))
        for case, status, message, repeats, written, known in zip(*columns, digests, strict=True):
            new = CaseState(status, message, repeats, written, digests=known)
            old = self.states.get(case)
            if old is None:
                self.states[case] = new
            elif old.written <= new.written:
                # Measured again: the scores of the reconstruction it replaces no longer hold.
                if old.written == new.written:
                    new.cards, new.blank, new.scored = old.cards, old.blank, old.scored
                self.states[case] = new

    def add_scores(self, table: pa.Table) -> None:
        """Take up the rows of a shard of scores, after those of all cases that they may score."""
        cases, finals, rows, times = (
            table[name].to_pylist() for name in ("case", "final", "measured", "written")
        )
        metrics, cards = _repeated(table["metric"]), _repeated(table["card"])
        for case, metric, final, card, row, written in zip(
            cases, metrics, finals, cards, rows, times, strict=True
        ):
            state = self.states.get(case)
            if state is None or written < state.written:
                continue
            if row is not None and row != state.written:
                continue  # it scored another row of the case
            if not final:
                state.blank.add(metric)
            elif state.scored.get(metric, 0) <= written:
                state.cards[metric], state.scored[metric] = card, written


def _repeated(column: pa.ChunkedArray) -> list[str]:
    """A column of few different strings, each of which is one object however often it stands."""
    whole = column.combine_chunks().dictionary_encode()
    words = np.array([*whole.dictionary.to_pylist(), ""], dtype=object)  # the last for null
    repeated: list[str] = words[whole.indices.fill_null(-1).to_numpy()].tolist()
    return repeated
