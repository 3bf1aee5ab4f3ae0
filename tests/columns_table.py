"""The tables of columns in ``docs/results.md``, made from the schema.

``python tests/columns_table.py`` writes them anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from harness.store.schema import COLUMNS, SCORE_COLUMNS, Column

PAGE = Path(__file__).parents[1] / "docs" / "results.md"


def in_words(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"list of {in_words(kind.value_type)}"
    if pa.types.is_timestamp(kind):
        return "time, UTC"
    names = {pa.string(): "text", pa.bool_(): "yes or no", pa.float64(): "float"}
    return names.get(kind, "integer")


def table(columns: Iterable[Column]) -> str:
    rows = ["| column | type | unit | meaning |", "|---|---|---|---|"]
    rows += [f"| `{c.name}` | {in_words(c.type)} | {c.unit} | {c.meaning} |" for c in columns]
    return "\n".join(rows)


def with_tables(text: str) -> str:
    for name, columns in (("columns", COLUMNS), ("scores", SCORE_COLUMNS)):
        block = f"<!-- {name} -->\n\n{table(columns)}\n\n<!-- end of {name} -->"
        pattern = f"<!-- {name} -->.*<!-- end of {name} -->"
        text = re.sub(pattern, lambda _, block=block: block, text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text()))
