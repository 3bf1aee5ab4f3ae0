"""Measured beside published: one row per number, with the difference, or why one is missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.report.tables import BLANK, Cell, Column, Table, make_table, number, words

MEASURED = "measured"
PUBLISHED_ONLY = "published only"
MISSING = "missing"


@dataclass(frozen=True)
class Reproduction:
    """One number that a protocol asks for.

    Attributes:
        where: What the number describes: the codec's title, the data set, and so on.
        measured: The cell of the table; its note says why it is blank.
        published: The number as published; NaN or ``None`` where there is none.
        mark: What stands in its place, as ``>10s``.
        source: Where it was published: the source's name and the place in it.
        incomparable: Why the two must not be compared; empty if they may be.
        decimals: How the published number is printed.
        relative: Whether the difference is in percent of the published number.
    """

    where: tuple[str, ...]
    measured: Cell
    published: float | None = None
    mark: str = ""
    source: str = ""
    incomparable: str = ""
    decimals: int = 2
    relative: bool = False

    @property
    def is_published(self) -> bool:
        """Whether a number or a mark was published."""
        return self.value is not None or bool(self.mark.strip(BLANK))

    @property
    def value(self) -> float | None:
        """The published number, if there is one."""
        return None if self.published is None or math.isnan(self.published) else self.published

    @property
    def state(self) -> str:
        """Measured, published only, or missing."""
        if self.measured.value is not None or self.measured.text.startswith(">"):
            return MEASURED
        return PUBLISHED_ONLY if self.is_published else MISSING

    @property
    def difference(self) -> float | None:
        """Measured less published, or that in percent of the published number."""
        if self.value is None or self.measured.value is None or self.incomparable:
            return None
        difference = self.measured.value - self.value
        if not self.relative:
            return difference
        return 100 * difference / self.value if self.value else None


def reproduction_table(
    slug: str,
    title: str,
    heads: Sequence[str],
    reproductions: Sequence[Reproduction],
    remarks: Sequence[str] = (),
) -> Table:
    """The table of such numbers; differences are in percent where they are relative."""
    unit = " (%)" if any(r.relative for r in reproductions) else ""
    columns = [
        *(Column(head.lower().replace(" ", "_"), head, is_text=True) for head in heads),
        Column("measured", "Measured"),
        Column("published", "Published"),
        Column("difference", f"Difference{unit}"),
        Column("state", "State", is_text=True),
        Column("why", "Why", is_text=True),
        Column("source", "Source", is_text=True),
    ]
    counts = {state: sum(r.state == state for r in reproductions) for state in STATES}
    by_state = "; ".join(f"{count} {state}" for state, count in counts.items())
    rows = [_row(reproduction) for reproduction in reproductions]
    total = f"Of {len(reproductions)} numbers: {by_state}."
    return make_table(slug, title, columns, rows, [total, *remarks])


STATES = (MEASURED, PUBLISHED_ONLY, MISSING)


def _row(r: Reproduction) -> list[Cell]:
    measured = Cell(r.measured.text, r.measured.value)
    published = words(r.mark) if r.value is None else number(r.value, r.decimals)
    why = [r.measured.note]
    if r.measured.value is not None and r.is_published:
        why.append(r.incomparable)
    if not r.is_published:
        why.append("a dash in the document" if r.mark else "no published number at hand")
    return [
        *(words(text) for text in r.where),
        measured,
        published,
        number(r.difference, 1 if r.relative else r.decimals),
        words(r.state),
        words("; ".join(filter(None, why))),
        words(r.source),
    ]
