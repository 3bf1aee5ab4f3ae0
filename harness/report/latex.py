r"""Prints a table as LaTeX that fits a page, whatever it holds.

The width of words is estimated. A table that is too wide for a column spans the page; one that is
too wide for that is set smaller, and its columns of words break their lines. One that is too long
for a page goes on in another.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

from harness.report.tables import BLANK, MINUS, Cell, Table

COLUMN_WIDTH = 240.0
"""Of a page with two, in pt."""

PAGE_WIDTH = 470.0
"""In pt; most two-column classes have 490 to 516, a letter page with margins of an inch 470."""

PAGE_LINES = 62
"""Lines of the smallest size that a page holds, with room for caption and footnotes."""

SIZES = {r"\small": 4.3, r"\footnotesize": 3.9, r"\scriptsize": 3.5}
"""The mean width of a character in pt."""

GAP = 8.0
"""Between two columns, in pt: twice the ``\\tabcolsep`` that is set."""

WORDS = 16
"""Characters from which on a column of words may break its lines."""

LONG_WORD = 20
"""Characters from which on a word may be broken at its punctuation."""

LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"$<$", ">": r"$>$", "|": r"$|$", BLANK: "--", MINUS: r"$-$", "∞": r"$\infty$",
    "↑": r"$\uparrow$", "↓": r"$\downarrow$",
    "\N{MULTIPLICATION SIGN}": r"$\times$", "±": r"$\pm$", "…": r"\ldots{}",
}  # fmt: skip


def latex(table: Table) -> str:
    r"""A ``table`` for ``booktabs`` and ``array``: best in bold, second underlined."""
    size, widths = _layout(table)
    spec = "".join(
        (r">{\raggedright\arraybackslash}" + rf"p{{{width:.1f}pt}}") if width
        else "l" if column.is_text else "r"
        for column, width in zip(table.columns, widths, strict=True)
    )  # fmt: skip
    natural = sum(_natural(table, SIZES[size]))
    environment = "table" if natural <= COLUMN_WIDTH else "table*"
    parts = _parts(table, widths)
    lines = [r"% needs \usepackage{array,booktabs}"]
    for number, rows in enumerate(parts, 1):
        of = f" ({number} of {len(parts)})" if len(parts) > 1 else ""
        label = f"tab:{re.sub('[^A-Za-z0-9-]', '-', table.slug)}"
        lines += [
            rf"\begin{{{environment}}}",
            r"\centering",
            size,
            r"\setlength{\tabcolsep}{4pt}",
            rf"\caption{{{escape_latex(table.title + of)}}}",
            *([rf"\label{{{label}}}"] if number == 1 else []),
            rf"\begin{{tabular}}{{{spec}}}",
            r"\toprule",
            *_groups(table),
            " & ".join(escape_latex(column.title) for column in table.columns) + r" \\",
            r"\midrule",
            *(" & ".join(_cell(cell, table.notes) for cell in row) + r" \\" for row in rows),
            r"\bottomrule",
            r"\end{tabular}",
            *(_footnotes(table) if number == len(parts) else []),
            rf"\end{{{environment}}}",
            "",
        ]
    return "\n".join(lines)


def escape_latex(text: str) -> str:
    """Text in which LaTeX sees no command."""
    return "".join(LATEX.get(character, character) for character in text)


def _natural(table: Table, character: float) -> list[float]:
    """The width of each column on one line, with the gap beside it, in pt."""
    columns = zip(table.columns, *table.rows, strict=True)
    longest = (max(len(column.title), *(_length(c) for c in cells)) if cells else len(column.title)
               for column, *cells in columns)  # fmt: skip
    return [character * length + GAP for length in longest]


def _length(cell: Cell) -> int:
    return len(cell.text) + bool(cell.note)


def _layout(table: Table) -> tuple[str, list[float]]:
    """The size of the type, and the width of each column that breaks its lines, else 0."""
    for size, character in SIZES.items():
        natural = _natural(table, character)
        if sum(natural) <= PAGE_WIDTH:
            return size, [0.0] * len(natural)
    places = [k for k, column in enumerate(table.columns) if column.is_text
              and natural[k] > WORDS * character + GAP]  # fmt: skip
    rest = PAGE_WIDTH - sum(width for k, width in enumerate(natural) if k not in places)
    shares = {k: WORDS + sum(_length(row[k]) for row in table.rows) / len(table.rows)
              for k in places}  # fmt: skip
    widths = [
        max(WORDS * character, rest * shares[k] / sum(shares.values()) - GAP) if k in shares else 0
        for k in range(len(natural))
    ]
    return size, [min(width, whole) for width, whole in zip(widths, natural, strict=True)]


def _parts(table: Table, widths: Sequence[float]) -> list[Sequence[tuple[Cell, ...]]]:
    """The rows, in parts that fit a page each."""
    character = SIZES[r"\scriptsize"]
    starts, lines = [0], 0
    for place, row in enumerate(table.rows):
        broken = (math.ceil(_length(c) * character * 1.15 / w)
                  for c, w in zip(row, widths, strict=True) if w)  # fmt: skip
        height = max(1, *broken, 1)
        if lines + height > PAGE_LINES:
            starts.append(place)
            lines = 0
        lines += height
    return [table.rows[a:b] for a, b in pairwise([*starts, len(table.rows)])]


def _groups(table: Table) -> list[str]:
    cells, rules, place = [], [], 1
    for group, span in table.groups:
        cells.append(rf"\multicolumn{{{span}}}{{c}}{{{escape_latex(group)}}}")
        if group:
            rules.append(rf"\cmidrule(lr){{{place}-{place + span - 1}}}")
        place += span
    return [" & ".join(cells) + r" \\", "".join(rules)] if cells else []


def _footnotes(table: Table) -> list[str]:
    notes = [rf"$^{{{n}}}$ {_words(note)}." for n, note in enumerate(table.notes, 1)]
    notes += [_words(remark) for remark in table.remarks]
    if not notes:
        return []
    return ["", r"\smallskip", r"{\footnotesize\raggedright " + "\n".join(notes) + r"\par}"]


def _cell(cell: Cell, notes: list[str]) -> str:
    text = _words(cell.text)
    text = {1: rf"\textbf{{{text}}}", 2: rf"\underline{{{text}}}"}.get(cell.place, text)
    if cell.place == 1:
        text = text.replace("$-$", r"$\mathbf{-}$")
    return f"{text}$^{{{notes.index(cell.note) + 1}}}$" if cell.note else text


def _words(text: str) -> str:
    """Text whose long words, such as paths, may break at their punctuation."""
    return " ".join(
        re.sub(r"(?<=[@:./,])(?=.)|(?<=_)", r"\\allowbreak{}", escape_latex(word))
        if len(word) >= LONG_WORD
        else escape_latex(word)
        for word in text.split(" ")
    )
