"""A table as data, whatever it is printed as: cells that know their number, text and footnote."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

BLANK = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"

Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        key: Its name in CSV files.
        title: Its heading elsewhere.
        better: Which of its values is the best; ``None`` where it is not ranked.
        is_text: Whether it holds words, which are aligned to the left.
        parts: Where a cell holds several numbers, what each is: columns of their own in CSV.
        group: What stands above its title and those of its neighbours.
    """

    key: str
    title: str
    better: Better | None = None
    is_text: bool = False
    parts: tuple[str, ...] = ()
    group: str = ""

    @property
    def heading(self) -> str:
        """Its group and title in one line."""
        return f"{self.group} {self.title}".strip()


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: What is printed.
        value: The number behind it at full precision; ``None`` for words and blanks.
        note: A footnote, such as the reason of a blank.
        place: 1 for the best of its column, 2 for the second, 0 otherwise.
        ranked: Whether it takes part in the ranking of its column.
        parts: The numbers behind it, where its column has parts.
    """

    text: str
    value: float | None = None
    note: str = ""
    place: int = 0
    ranked: bool = True
    parts: tuple[float, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table with a title, ranked columns and footnotes.

    Attributes:
        slug: Its name in file names and labels.
        title: What it shows, one sentence.
        columns: The columns.
        rows: The rows, one cell a column.
        remarks: Sentences that hold for the table as a whole.
        folded: Whether a page shows it on demand only.
    """

    slug: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    remarks: tuple[str, ...] = ()
    folded: bool = False

    @property
    def groups(self) -> list[tuple[str, int]]:
        """The groups over the columns with how many each spans; empty where there are none."""
        if not any(column.group for column in self.columns):
            return []
        spans = groupby(column.group for column in self.columns)
        return [(group, len(list(columns))) for group, columns in spans]

    @property
    def notes(self) -> list[str]:
        """The distinct footnotes of the cells, in the order met; a cell's number is 1 + index."""
        return list(dict.fromkeys(cell.note for row in self.rows for cell in row if cell.note))


def number(value: float | None, decimals: int, *, note: str = "", ranked: bool = True) -> Cell:
    """A cell with a number, a dash for ``None`` or NaN, ``∞`` for an infinite one."""
    if value is None or math.isnan(value):
        return Cell(BLANK, note=note)
    if math.isinf(value):
        return Cell("∞" if value > 0 else f"{MINUS}∞", value, note, ranked=ranked)
    rounded = round(value, decimals) + 0.0  # no "-0.0"
    return Cell(f"{rounded:.{decimals}f}".replace("-", MINUS), value, note, ranked=ranked)


def words(text: str, *, note: str = "") -> Cell:
    """A cell with words."""
    return Cell(text or BLANK, note=note)


def count(value: int) -> Cell:
    """A cell with a whole number."""
    return Cell(str(value), float(value))


def ranked(table: Table) -> Table:
    """The table with the best and the second of each ranked column marked.

    Ranks are by what is printed, so that equal texts rank equally: all that print as the
    best are best, and the next distinct value is second. A column with a single entry has no
    best.
    """
    rows = [list(row) for row in table.rows]
    for place, column in enumerate(table.columns):
        if column.better is None:
            continue
        entries = [row[place] for row in rows if row[place].ranked and row[place].value is not None]
        by_text = {cell.text: cell.value for cell in entries if cell.value is not None}
        order = sorted(by_text, key=lambda t: by_text[t], reverse=column.better == "higher")
        if len(entries) < 2:  # noqa: PLR2004 - to be the best of one means nothing
            continue
        for row in rows:
            cell = row[place]
            if cell.ranked and cell.value is not None and cell.text in order[:2]:
                row[place] = replace(cell, place=1 + order.index(cell.text))
    return replace(table, rows=tuple(tuple(row) for row in rows))


def make_table(
    slug: str,
    title: str,
    columns: Sequence[Column],
    rows: Sequence[Sequence[Cell]],
    remarks: Sequence[str] = (),
) -> Table:
    """A ranked table."""
    return ranked(
        Table(slug, title, tuple(columns), tuple(tuple(row) for row in rows), tuple(remarks))
    )
