"""CSV files that grow while a training runs, and are cut back when it continues."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class Log:
    """A table whose first column is the step; every row is on the disk once it was written."""

    def __init__(self, path: Path, columns: Sequence[str], step: int) -> None:
        """Open the table, without the rows that a killed training wrote after ``step``."""
        self._columns = ["step", *columns]
        kept = [row for row in _rows(path) if int(row["step"]) <= step]
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self._columns)
            writer.writeheader()
            writer.writerows(kept)
        self._path = path

    def write(self, step: int, values: Mapping[str, Any]) -> None:
        """Add a row; floats with six digits."""
        row = {k: f"{v:.6g}" if isinstance(v, float) else v for k, v in values.items()}
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self._columns).writerow({"step": step, **row})


def _rows(path: Path) -> list[dict[str, str]]:
    """All whole rows: the last one ends in a line feed only if it was written wholly."""
    if not path.is_file():
        return []
    whole = [line for line in path.read_text("utf-8").splitlines(keepends=True) if "\n" in line]
    return list(csv.DictReader(whole))
