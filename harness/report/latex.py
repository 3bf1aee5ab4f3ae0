r"""Prints a table as LaTeX that fits a page, whatever it holds.

A table that is too wide for a column spans the page. LaTeX itself sees to it that none is wider
than that: ``adjustbox`` scales a table of numbers down, and in a table of long texts ``tabularx``
breaks the lines of the text columns. Which of these a table needs is estimated from its characters.
One that is too long for a page is continued in another float: ``longtable`` and ``xltabular`` would
break it by themselves, but refuse to in a document of two columns.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

from harness.report.tables import BLANK, MINUS, Cell, Table
from harness.text import one_line

COLUMN_WIDTH = 240.0
"""Of a page with two, in pt."""

PAGE_WIDTH = 470.0
"""In pt; most two-column classes have 490 to 516, a letter page with margins of an inch 470."""

PAGE_LINES, SMALLEST_LINES = 46, 62
r"""Lines of ``\small`` and of ``\scriptsize`` on a page, with room for caption and footnotes."""

SMALL, SMALLEST = 4.6, 4.0
r"""The width of a digit in pt, in ``\small`` and in ``\scriptsize``, of Computer Modern."""

GAP = 8.0
r"""Between two columns, in pt: twice the ``\tabcolsep`` that is set."""

BREAKABLE = 16
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
    r"""A ``table``: best in bold, second underlined.

    It needs the packages ``adjustbox``, ``booktabs`` and ``tabularx``.
    """
    breaking, width = _breaking(table)
    environment = "table" if sum(_natural(table, SMALL)) <= COLUMN_WIDTH else "table*"
    begin, end = _grid(table, breaking)
    parts = _parts(table, breaking, width)
    lines = [r"% needs \usepackage{adjustbox,booktabs,tabularx}"]
    for number, rows in enumerate(parts, 1):
        of = f" ({number} of {len(parts)})" if len(parts) > 1 else ""
        label = f"tab:{re.sub('[^A-Za-z0-9-]', '-', table.slug)}"
        lines += [
            rf"\begin{{{environment}}}",
            r"\centering",
            r"\scriptsize" if breaking else r"\small",
            r"\setlength{\tabcolsep}{4pt}",
            rf"\caption{{{escape_latex(table.title + of)}}}",
            *([rf"\label{{{label}}}"] if number == 1 else []),
            begin,
            r"\toprule",
            *_groups(table),
            _row([escape_latex(column.title) for column in table.columns]),
            r"\midrule",
            *(_row([_cell(cell, table.notes) for cell in row]) for row in rows),
            r"\bottomrule",
            end,
            *(_footnotes(table) if number == len(parts) else []),
            rf"\end{{{environment}}}",
            "",
        ]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    r"""A line of the grid; the one before it would take ``[`` or ``*`` for an option of its own."""
    line = " & ".join(cells)
    return f"{'{}' if line.startswith(('[', '*')) else ''}{line} \\\\"


def escape_latex(text: str) -> str:
    """Text in one line in which LaTeX sees no command."""
    return "".join(LATEX.get(character, character) for character in one_line(text))


def _natural(table: Table, character: float) -> list[float]:
    """The width of each column on one line, with the gap beside it, in pt."""
    columns = zip(table.columns, *table.rows, strict=True)
    longest = (max([len(column.title), *map(_length, cells)]) for column, *cells in columns)
    return [character * length + GAP for length in longest]


def _length(cell: Cell) -> int:
    return len(cell.text) + bool(cell.note)


def _breaking(table: Table) -> tuple[set[int], float]:
    """The columns that break their lines, and the width of each in pt.

    None where the whole table fits a page on single lines, or the others leave too little.
    """
    natural = _natural(table, SMALLEST)
    least = BREAKABLE * SMALLEST + GAP
    breaking = {
        k for k, column in enumerate(table.columns) if column.is_text and natural[k] > least
    }
    left = PAGE_WIDTH - sum(width for k, width in enumerate(natural) if k not in breaking)
    if sum(natural) <= PAGE_WIDTH or left < len(breaking) * least:
        return set(), 0.0
    return breaking, left / max(1, len(breaking)) - GAP


def _grid(table: Table, breaking: set[int]) -> tuple[str, str]:
    """How the grid of cells begins and ends."""
    columns = "".join(
        r">{\raggedright\arraybackslash}X" if k in breaking else "l" if column.is_text else "r"
        for k, column in enumerate(table.columns)
    )
    if breaking:
        return rf"\begin{{tabularx}}{{\linewidth}}{{{columns}}}", r"\end{tabularx}"
    return (
        rf"\begin{{adjustbox}}{{max width=\linewidth}}\begin{{tabular}}{{{columns}}}",
        r"\end{tabular}\end{adjustbox}",
    )


def _parts(table: Table, breaking: set[int], width: float) -> list[Sequence[tuple[Cell, ...]]]:
    """The rows, in parts that fit a page each."""
    most = SMALLEST_LINES if breaking else PAGE_LINES
    starts, lines = [0], 0
    for place, row in enumerate(table.rows):
        broken = (math.ceil(_length(row[k]) * SMALLEST / width) for k in breaking)
        height = max([1, *broken])
        if lines + height > most:
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
