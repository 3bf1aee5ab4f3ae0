"""Prints a table as Markdown, CSV, LaTeX, or for a terminal."""

from __future__ import annotations

import csv
import io
import math
import re
from typing import TYPE_CHECKING

from harness.report.tables import BLANK, MINUS, Cell, Table

if TYPE_CHECKING:
    import rich.table

WIDE = 6
"""Tables of as many columns span both columns of a LaTeX page."""

SMALL = 8
"""Tables of as many columns are set in footnote size."""

PARAGRAPH = 40
"""Columns whose words are longer than this break their lines."""

LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"$<$", ">": r"$>$", "|": r"$|$", BLANK: "--", MINUS: r"$-$", "∞": r"$\infty$",
    "↑": r"$\uparrow$", "↓": r"$\downarrow$",
    "\N{MULTIPLICATION SIGN}": r"$\times$", "±": r"$\pm$", "…": r"\ldots{}",
}  # fmt: skip


def markdown(table: Table) -> str:
    """GitHub's Markdown: best in bold, second underlined, footnotes below."""
    heads = [_escape_markdown(column.heading) for column in table.columns]
    rules = [":--" if column.is_text else "--:" for column in table.columns]
    lines = [f"**{_escape_markdown(table.title)}**", ""]
    lines += [_pipes(heads), _pipes(rules)]
    for row in table.rows:
        lines.append(_pipes([_markdown_cell(cell, table.notes) for cell in row]))
    if table.notes or table.remarks:
        lines.append("")
    lines += [f"<sup>{n}</sup> {_escape_markdown(note)}  " for n, note in enumerate(table.notes, 1)]
    lines += [f"{_escape_markdown(remark)}  " for remark in table.remarks]
    return "\n".join(lines) + "\n"


def _pipes(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escape_markdown(text: str) -> str:
    return re.sub(r"([\\`*_|<])", r"\\\1", text.replace("\n", " "))


def _markdown_cell(cell: Cell, notes: list[str]) -> str:
    text = _escape_markdown(cell.text)
    text = {1: f"**{text}**", 2: f"<u>{text}</u>"}.get(cell.place, text)
    return f"{text}<sup>{notes.index(cell.note) + 1}</sup>" if cell.note else text


def csv_text(table: Table) -> str:
    """RFC 4180, numbers at full precision, blanks empty, footnotes in the last column."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    heads = [
        f"{column.key}_{part}" if part else column.key
        for column in table.columns
        for part in column.parts or ("",)
    ]
    writer.writerow([*heads, *(["notes"] if table.notes else [])])
    for row in table.rows:
        told = list(zip(table.columns, row, strict=True))
        values = [value for column, cell in told for value in _csv_values(cell, len(column.parts))]
        notes = "; ".join(f"{column.key}: {cell.note}" for column, cell in told if cell.note)
        writer.writerow([*values, *([notes] if table.notes else [])])
    return out.getvalue()


def _csv_values(cell: Cell, parts: int) -> list[str]:
    if parts:
        return [_exact(value) for value in cell.parts] or [""] * parts
    if cell.value is not None:
        return [_exact(cell.value)]
    return ["" if cell.text == BLANK else cell.text]


def _exact(value: float) -> str:
    return str(int(value)) if math.isfinite(value) and value == int(value) else repr(value)


def latex(table: Table) -> str:
    r"""A ``table`` for ``\usepackage{booktabs}``: best in bold, second underlined."""
    spec = "".join(_latex_column(table, place) for place in range(len(table.columns)))
    is_wide = len(table.columns) >= WIDE or "p{" in spec
    environment = "table*" if is_wide else "table"
    lines = [
        "% needs \\usepackage{booktabs}",
        rf"\begin{{{environment}}}",
        r"\centering",
        r"\footnotesize" if len(table.columns) >= SMALL else r"\small",
        r"\setlength{\tabcolsep}{4pt}",
        rf"\caption{{{escape_latex(table.title)}}}",
        rf"\label{{tab:{re.sub('[^A-Za-z0-9-]', '-', table.slug)}}}",
        rf"\begin{{tabular}}{{{spec}}}",
        r"\toprule",
        *_latex_groups(table),
        " & ".join(escape_latex(column.title) for column in table.columns) + r" \\",
        r"\midrule",
    ]
    lines += [" & ".join(_latex_cell(c, table.notes) for c in row) + r" \\" for row in table.rows]
    lines += [r"\bottomrule", r"\end{tabular}"]
    notes = [rf"$^{{{n}}}$ {escape_latex(note)}." for n, note in enumerate(table.notes, 1)]
    notes += [escape_latex(remark) for remark in table.remarks]
    if notes:
        lines += ["", r"\smallskip", r"{\footnotesize\raggedright " + "\n".join(notes) + r"\par}"]
    return "\n".join([*lines, rf"\end{{{environment}}}", ""])


def _latex_groups(table: Table) -> list[str]:
    cells, rules, place = [], [], 1
    for group, span in table.groups:
        cells.append(rf"\multicolumn{{{span}}}{{c}}{{{escape_latex(group)}}}")
        if group:
            rules.append(rf"\cmidrule(lr){{{place}-{place + span - 1}}}")
        place += span
    return [" & ".join(cells) + r" \\", "".join(rules)] if cells else []


def _latex_column(table: Table, place: int) -> str:
    if not table.columns[place].is_text:
        return "r"
    long = [_longest(table, k) > PARAGRAPH for k in range(len(table.columns))]
    return rf"p{{{0.45 / sum(long):.2g}\linewidth}}" if long[place] else "l"


def _longest(table: Table, place: int) -> int:
    is_text = table.columns[place].is_text
    return max((len(row[place].text) for row in table.rows), default=0) if is_text else 0


def escape_latex(text: str) -> str:
    """Text in which LaTeX sees no command."""
    return "".join(LATEX.get(character, character) for character in text)


def _latex_cell(cell: Cell, notes: list[str]) -> str:
    text = escape_latex(cell.text)
    text = {1: rf"\textbf{{{text}}}", 2: rf"\underline{{{text}}}"}.get(cell.place, text)
    if cell.place == 1:
        text = text.replace("$-$", r"$\mathbf{-}$")
    return f"{text}$^{{{notes.index(cell.note) + 1}}}$" if cell.note else text


def terminal(table: Table) -> rich.table.Table:
    """A table for rich's console: best in bold, second underlined, footnotes below."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table as RichTable

    styles = {1: "bold", 2: "underline"}
    notes = [f"[{n}] {note}" for n, note in enumerate(table.notes, 1)]
    out = RichTable(
        title=escape(table.title),
        title_style="bold",
        title_justify="left",
        caption=escape("\n".join([*notes, *table.remarks])) or None,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
    )
    for column in table.columns:
        out.add_column(escape(column.heading), justify="left" if column.is_text else "right")
    for row in table.rows:
        texts = []
        for cell in row:
            style = styles.get(cell.place)
            text = escape(cell.text)
            text = f"[{style}]{text}[/{style}]" if style else text
            mark = escape(f" [{table.notes.index(cell.note) + 1}]") if cell.note else ""
            texts.append(text + mark)
        out.add_row(*texts)
    return out
