"""Prints a table as Markdown, CSV, or for a terminal; LaTeX has :mod:`harness.report.latex`."""

from __future__ import annotations

import csv
import io
import math
import re
from typing import TYPE_CHECKING

from harness.report.tables import BLANK, Cell, Table

if TYPE_CHECKING:
    import rich.table


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
        cells = list(zip(table.columns, row, strict=True))
        values = [value for column, cell in cells for value in _csv_values(cell, len(column.parts))]
        notes = "; ".join(f"{column.key}: {cell.note}" for column, cell in cells if cell.note)
        writer.writerow([*values, *([notes] if table.notes else [])])
    return out.getvalue()


def _csv_values(cell: Cell, parts: int) -> list[str]:
    if parts:
        return [_exact(value) for value in cell.parts] or [""] * parts
    if cell.value is not None:
        return [_exact(cell.value)]
    return ["" if cell.text == BLANK else cell.text]


def _exact(value: float) -> str:
    return str(int(value)) if math.isfinite(value) and value == int(value) else repr(float(value))


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
