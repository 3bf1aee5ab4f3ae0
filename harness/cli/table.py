"""Prints a table: with colour on a terminal, aligned plain text elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.report.tables import Table

PLAIN_WIDTH = 200


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows of text under their columns; numbers stand right-aligned."""
    from harness.text import one_line

    columns = [one_line(column) for column in columns]
    rows = [[one_line(cell) for cell in row] for row in rows]
    right = [all(_numeric(row[i]) for row in rows) for i in range(len(columns))]
    if sys.stdout.isatty():
        _print_rich(columns, rows, right)
        return
    table = [list(columns), *(list(row) for row in rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(columns))]
    for row in table:
        cells = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ]
        print("  ".join(cells).rstrip())  # noqa: T201 - standard output is what this is for


def print_report_table(table: Table) -> None:
    """Print a table of a report; where there is no terminal, wide enough that nothing wraps."""
    from rich.console import Console

    from harness.report.render import terminal

    Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH).print(terminal(table))


def _print_rich(
    columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]
) -> None:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    table = RichTable(box=None, header_style="bold", pad_edge=False)
    for column, to_right in zip(columns, right, strict=True):
        table.add_column(Text(column), justify="right" if to_right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


def _numeric(cell: str) -> bool:
    stripped = cell.strip(" <>%+-\N{EN DASH}")
    return not stripped or stripped.replace(".", "", 1).replace(" ", "").isdigit()
