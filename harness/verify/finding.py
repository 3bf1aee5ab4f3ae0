"""What came of verifying a case, field by field."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """How what was found compares with what is recorded; from the best to the worst."""

    EQUAL = "equal"
    WITHIN = "equal within the stated tolerance"
    IMPOSSIBLE = "not possible here"
    DIFFERENT = "different"


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The worst of some outcomes."""
    return max(outcomes, key=list(Outcome).index)


@dataclass(frozen=True)
class Field:
    """One field of a record, compared.

    Attributes:
        name: The record's column: ``bitstream_sha256``, ``psnr``; ``status`` if the case failed.
        outcome: How the two compare.
        recorded: What the record says.
        found: What was found here; ``None`` if nothing was.
        difference: ``|found - recorded|`` of numbers, in the field's unit.
        tolerance: The largest difference that counts as equal; ``None`` if the two must be
            identical.
        note: What else a reader must know, such as why there is nothing to compare.
    """

    name: str
    outcome: Outcome
    recorded: str | float | None = None
    found: str | float | None = None
    difference: float | None = None
    tolerance: float | None = None
    note: str = ""

    def sentence(self) -> str:
        """The comparison in words: ``psnr: recorded 31.2, found 31.4, off by 0.2``."""
        if self.outcome is Outcome.IMPOSSIBLE:
            return f"{self.name}: {self.note}"
        words = f"{self.name}: recorded {_shown(self.recorded)}, found {_shown(self.found)}"
        if self.difference is not None and math.isfinite(self.difference):
            words += f", off by {self.difference:.3g}"
        if self.tolerance is not None:
            words += f" (tolerance {self.tolerance:g})"
        return f"{words}; {self.note}" if self.note else words


def _shown(value: str | float | None) -> str:
    if isinstance(value, str):
        return value if len(value) < 64 else f"{value[:12]}..."  # noqa: PLR2004 - a sha256
    return "nothing" if value is None else f"{value:.9g}"


@dataclass(frozen=True)
class Verdict:
    """What came of one case.

    Attributes:
        record: The case's row of :func:`harness.load_results`.
        fields: The fields that were compared, or could not be.
        reason: Why the case could not be coded here; empty if it was.
        elsewhere: What differs between where the record was made and here: versions, machine.
    """

    record: Mapping[str, Any]
    fields: tuple[Field, ...] = ()
    reason: str = ""
    elsewhere: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """The worst of the fields' outcomes."""
        if self.reason or not self.fields:
            return Outcome.IMPOSSIBLE
        return worst(field.outcome for field in self.fields)

    @property
    def name(self) -> str:
        """The case as messages name it: ``jpeg q40 kodim01.png``."""
        r = self.record
        size = "" if r["resolution"] == "native" else f" at {r['resolution']}"
        return f"{r['codec']} {r['rate']} {r['image']}{size}"

    def explanation(self) -> str:
        """Everything that is not equal, and what differs here, in one line; empty if all is."""
        if self.reason:
            return self.reason
        told = [f.sentence() for f in self.fields if f.outcome in _TOLD]
        if told and self.outcome is Outcome.DIFFERENT:
            told += self.elsewhere or ["no version and no machine differs"]
        return "; ".join(told)


_TOLD = {Outcome.DIFFERENT, Outcome.IMPOSSIBLE}


def counts(verdicts: Sequence[Verdict]) -> dict[Outcome, int]:
    """How many cases ended in each outcome."""
    return {o: sum(v.outcome is o for v in verdicts) for o in Outcome}


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """0 if everything is equal, 1 if anything differs, else 2: something could not be compared."""
    found = counts(verdicts)
    if found[Outcome.DIFFERENT]:
        return 1
    return 2 if found[Outcome.IMPOSSIBLE] or not verdicts else 0
