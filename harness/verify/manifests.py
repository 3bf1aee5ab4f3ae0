"""Reads what the manifests of a run say, which may be anything."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.store.documents import DamagedDocument, read_json


class Manifests:
    """The manifests of the runs of a results folder.

    Args:
        folders: The runs' folders, by the run's name.
    """

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._paths = {
            (run, path.stem): path
            for run, folder in folders.items()
            for path in (folder / "runs").glob("*.json")
        }
        self._read: dict[tuple[str, str], dict[str, Any]] = {}

    def of(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The manifest of the invocation that made a record; empty if there is none to read."""
        key = str(record["run"]), str(record["invocation"])
        if key not in self._read:
            self._read[key] = read_mapping(self._paths[key]) if key in self._paths else {}
        return self._read[key]


def read_mapping(path: Path) -> dict[str, Any]:
    """The JSON object in a file; empty if there is none that can be trusted."""
    try:
        return read_json(path)
    except (DamagedDocument, OSError, RecursionError):
        return {}


def part(data: Any, *keys: str) -> Any:
    """What stands at ``data[key][key]...``, or ``None``."""
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def words(data: Any, *keys: str) -> tuple[str, ...]:
    """The strings in the list at ``data[key][key]...``."""
    found = part(data, *keys)
    return tuple(w for w in found if isinstance(w, str)) if isinstance(found, list) else ()
