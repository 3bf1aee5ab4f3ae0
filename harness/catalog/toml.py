"""Reads a TOML manifest strictly: a wrong, missing or unknown key is an error that names it."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar, overload

from harness.errors import ManifestError

T = TypeVar("T")
_REQUIRED: Any = object()


class Table:
    """One table of a manifest, taken apart key by key; :meth:`done` refuses what is left over."""

    def __init__(self, data: dict[str, Any], where: str) -> None:
        self._data = dict(data)
        self._known: list[str] = []
        self.where = where

    def _take(self, key: str, kind: type[T] | tuple[type, ...], default: Any) -> Any:
        self._known.append(key)
        if key not in self._data:
            if default is _REQUIRED:
                raise ManifestError(f"{self.where}: key '{key}' is missing")
            return default
        value = self._data.pop(key)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            names = kind.__name__ if isinstance(kind, type) else kind[0].__name__
            raise ManifestError(f"{self.where}: '{key}' must be of type {names}, not {value!r}")
        return value

    def text(self, key: str, default: str = _REQUIRED) -> str:
        """A string."""
        value: str = self._take(key, str, default)
        return value

    def texts(self, key: str) -> list[str]:
        """A list of strings, empty when absent."""
        value: list[Any] = self._take(key, list, [])
        if not all(isinstance(item, str) for item in value):
            raise ManifestError(f"{self.where}: '{key}' must be a list of strings")
        return value

    @overload
    def integer(self, key: str) -> int: ...
    @overload
    def integer(self, key: str, default: T) -> int | T: ...
    def integer(self, key: str, default: Any = _REQUIRED) -> Any:
        """An integer."""
        return self._take(key, int, default)

    @overload
    def number(self, key: str) -> float: ...
    @overload
    def number(self, key: str, default: T) -> float | T: ...
    def number(self, key: str, default: Any = _REQUIRED) -> Any:
        """A float or an integer."""
        return self._take(key, (float, int), default)

    def boolean(self, key: str, *, default: bool = _REQUIRED) -> bool:
        """``true`` or ``false``."""
        value: bool = self._take(key, bool, default)
        return value

    def free(self, key: str) -> dict[str, Any]:
        """A table whose keys are the owner's own; empty when absent."""
        value: dict[str, Any] = self._take(key, dict, {})
        return dict(value)

    def table(self, key: str, *, required: bool = True) -> Table | None:
        """A table with a schema, or ``None`` when absent and not required."""
        value = self._take(key, dict, _REQUIRED if required else None)
        return None if value is None else Table(value, f"{self.where} [{key}]")

    def tables(self, key: str) -> list[Table]:
        """The entries of ``[[key]]``."""
        entries: list[Any] = self._take(key, list, [])
        if not all(isinstance(entry, dict) for entry in entries):
            raise ManifestError(f"{self.where}: '{key}' must be written [[{key}]]")
        return [Table(e, f"{self.where} [[{key}]] number {n}") for n, e in enumerate(entries, 1)]

    def named_tables(self, key: str) -> Iterator[tuple[str, Table]]:
        """The entries of ``[key.<name>]``."""
        entries: dict[str, Any] = self._take(key, dict, {})
        for name, entry in entries.items():
            if not isinstance(entry, dict):
                raise ManifestError(f"{self.where}: '{key}.{name}' must be a table")
            yield name, Table(entry, f"{self.where} [{key}.{name}]")

    def rest(self) -> dict[str, Any]:
        """All keys that were not taken yet."""
        rest, self._data = self._data, {}
        return rest

    def done(self) -> None:
        """Refuse keys that nothing took.

        Raises:
            ManifestError: A key is left over.
        """
        for key in self._data:
            near = difflib.get_close_matches(key, self._known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(self._known)}"
            raise ManifestError(f"{self.where}: unknown key '{key}'", hint)


def read_toml(path: Path) -> Table:
    """The top table of a manifest.

    Raises:
        ManifestError: The file cannot be read or is not TOML.
    """
    try:
        return Table(tomllib.loads(path.read_text(encoding="utf-8")), str(path))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ManifestError(f"{path}: {error}") from error
