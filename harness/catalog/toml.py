"""Reads TOML strictly: a wrong, missing or unknown key is an error that names it.

:class:`Table` is for files whose values depend on each other, such as the gate's limits. The
manifests of codecs and data sets are read by :mod:`harness.catalog.record`.
"""

from __future__ import annotations

import difflib
import stat
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar, overload

from harness.errors import ManifestError
from harness.text import is_printable, shown

T = TypeVar("T")
_REQUIRED: Any = object()

MAX_BYTES = 1 << 20
"""The largest file that is read: those that come with the harness have 20 kB at most."""

TYPE_NAMES = {
    str: "string",
    int: "integer",
    float: "float",
    bool: "boolean",
    list: "array",
    dict: "table",
}
"""TOML's name of each type."""


class Table:
    """One table of a TOML file, taken apart key by key; :meth:`done` refuses what is left over."""

    def __init__(self, data: dict[str, Any], where: str) -> None:
        self._data = dict(data)
        self._known: list[str] = []
        self.where = where

    def _take(self, key: str, kind: type, default: Any) -> Any:
        self._known.append(key)
        if key not in self._data:
            if default is _REQUIRED:
                raise ManifestError(f"{self.where}: key '{key}' is missing")
            return default
        value = self._data.pop(key)
        check_type(kind, value, key, self.where)
        return value

    def text(self, key: str) -> str:
        """A string."""
        value: str = self._take(key, str, _REQUIRED)
        return value

    def texts(self, key: str) -> list[str]:
        """A list of strings, empty when absent."""
        value: list[Any] = self._take(key, list, [])
        if not all(isinstance(item, str) for item in value):
            raise ManifestError(f"{self.where}: '{key}' must be a list of strings")
        return value

    def integer(self, key: str, default: int = _REQUIRED) -> int:
        """An integer."""
        value: int = self._take(key, int, default)
        return value

    @overload
    def number(self, key: str) -> float: ...
    @overload
    def number(self, key: str, default: T) -> float | T: ...
    def number(self, key: str, default: Any = _REQUIRED) -> Any:
        """A float or an integer."""
        return self._take(key, float, default)

    def boolean(self, key: str, *, default: bool = _REQUIRED) -> bool:
        """``true`` or ``false``."""
        value: bool = self._take(key, bool, default)
        return value

    def free(self, key: str) -> dict[str, Any]:
        """A table whose keys are free; empty when absent."""
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
                raise ManifestError(f"{self.where}: '{key}.{shown(name)}' must be a table")
            yield name, Table(entry, f"{self.where} [{key}.{shown(name)}]")

    def done(self) -> None:
        """Refuse keys that nothing took.

        Raises:
            ManifestError: A key is left over.
        """
        for key in self._data:
            raise unknown_key(self.where, key, self._known)


def check_type(kind: type, value: object, key: str, where: str) -> None:
    """Refuse a value that TOML does not give the type ``kind``; an integer may stand for a float.

    A text is printed as it is, so it may hold no control characters but newlines and tabs.

    Raises:
        ManifestError: It names the key, the type that is wanted, and the value.
    """
    accepted = (float, int) if kind is float else kind
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        wanted = TYPE_NAMES[kind]
        raise ManifestError(f"{where}: '{key}' must be of type {wanted}, not {value!r}")
    if isinstance(value, str) and not is_printable(value.replace("\n", " ").replace("\t", " ")):
        raise ManifestError(f"{where}: '{key}' must not hold control characters, as {value!r} does")


def unknown_key(where: str, key: str, known: Iterable[str], also: str = "") -> ManifestError:
    """The error of an unknown key, with the nearest of the known ones.

    Args:
        where: The file and the table.
        key: The unknown key.
        known: The keys that the table may hold.
        also: What else is wrong with the table.
    """
    near = difflib.get_close_matches(key, known := list(known), n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
    return ManifestError(f"{where}: unknown key '{shown(key)}'{also and f', and {also}'}", hint)


def load_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file.

    Raises:
        ManifestError: The file cannot be read, is not TOML, or is larger than :data:`MAX_BYTES`.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a named pipe would never end
            raise ManifestError(f"{shown(path)}: it is not a regular file")
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
        if len(text) > MAX_BYTES:
            raise ManifestError(f"{shown(path)}: it has more than {MAX_BYTES} bytes")
        return tomllib.loads(text.decode())
    except (OSError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, TOML or number
        raise ManifestError(f"{shown(path)}: {shown(str(error))}") from error


def read_toml(path: Path) -> Table:
    """The top table of a TOML file.

    Raises:
        ManifestError: The file cannot be read or is not TOML.
    """
    return Table(load_toml(path), shown(path))
