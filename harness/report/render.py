"""Prints a table as Markdown, CSV, or for a terminal; LaTeX has :mod:`harness.report.latex`."""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING

from harness.report.escape import for_csv, for_markdown
from harness.report.tables import BLANK, Cell, Table
from harness.text import printable

if TYPE_CHECKING:
    import rich.table


def markdown(table: Table) -> str:
    """GitHub's Markdown: best in bold, second underlined, footnotes below."""
    heads = [for_markdown(column.heading) for column in table.columns]
    rules = [":--" if column.is_text else "--:" for column in table.columns]
    lines = [f"**{for_markdown(table.title)}**", ""]
    lines += [_pipes(heads), _pipes(rules)]
    for row in table.rows:
        lines.append(_pipes([_markdown_cell(cell, table.notes) for cell in row]))
    if table.notes or table.remarks:
        lines.append("")
    lines += [f"<sup>{n}</sup> {for_markdown(note)}  " for n, note in enumerate(table.notes, 1)]
    lines += [f"{for_markdown(remark)}  " for remark in table.remarks]
    return "\n".join(lines) + "\n"


def _pipes(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown_cell(cell: Cell, notes: list[str]) -> str:
    text = for_markdown(cell.text)
    text = {1: f"**{text}**", 2: f"<u>{text}</u>"}.get(cell.place, text)
    return f"{text}<sup>{notes.index(cell.note) + 1}</sup>" if cell.note else text


def csv_text(table: Table) -> str:
    """RFC 4180, numbers at full precision, blanks empty, footnotes in the last column.

    Text that a spreadsheet would take for a formula has an apostrophe before it.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    heads = [
        f"{column.key}_{part}" if part else column.key
        for column in table.columns
        for part in column.parts or ("",)
    ]
    writer.writerow([*map(for_csv, heads), *(["notes"] if table.notes else [])])
    for row in table.rows:
        cells = list(zip(table.columns, row, strict=True))
        values = [value for column, cell in cells for value in _csv_values(cell, len(column.parts))]
        notes = "; ".join(f"{column.key}: {cell.note}" for column, cell in cells if cell.note)
        writer.writerow([*values, *([for_csv(notes)] if table.notes else [])])
    return out.getvalue()


def _csv_values(cell: Cell, parts: int) -> list[str]:
    if parts:
        return [_exact(value) for value in cell.parts] or [""] * parts
    if cell.value is not None:
        return [_exact(cell.value)]
    return ["" if cell.text == BLANK else for_csv(cell.text)]


def _exact(value: float) -> str:
    return str(int(value)) if math.isfinite(value) and value == int(value) else repr(float(value))


def terminal(table: Table) -> rich.table.Table:
    """A table for rich's console: best in bold, second underlined, footnotes below.

    Cells are rich's texts and not its markup, so that ``[red]`` in a name stays what it is.
    """
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    notes = [f"[{n}] {note}" for n, note in enumerate(table.notes, 1)]
    below = printable("\n".join([*notes, *table.remarks]))
    out = RichTable(
        title=Text(printable(table.title), style="bold", justify="left"),
        caption=Text(below, style="table.caption", justify="left") if below else None,
        box=box.SIMPLE_HEAD,
    )
    for column in table.columns:
        heading = Text(printable(column.heading))
        out.add_column(heading, justify="left" if column.is_text else "right")
    styles = {1: "bold", 2: "underline"}
    for row in table.rows:
        texts = []
        for cell in row:
            text = Text(printable(cell.text), style=styles.get(cell.place, ""))
            mark = f" [{table.notes.index(cell.note) + 1}]" if cell.note else ""
            texts.append(Text.assemble(text, mark))
        out.add_row(*texts)
    return out
