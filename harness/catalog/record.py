"""Reads a TOML file into a dataclass, whose fields and types say which keys the file may hold.

The JSON Schema of a manifest comes from the same dataclasses, see :mod:`harness.catalog.schema`.
The type of a field is one of

- ``str``, ``int``, ``float``, ``bool``, or a ``Literal`` of strings;
- a dataclass: ``[key]``;
- ``tuple[T, ...]``: an array, or ``[[key]]`` where ``T`` is a dataclass;
- ``Mapping[str, T]``: ``[key.<name>]`` where ``T`` is a dataclass, any table where it is ``Any``;
- ``Annotated[T, Rule(...)]``: one of these that fulfils the rules;
- ``T | None`` with the default ``None``: a key that may be left out.

A field without a default is a key that must be given. Of two keys that a dataclass names in
``EITHER``, exactly one must be given.
"""

from __future__ import annotations

import functools
import re
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from harness.catalog.toml import check_type, load_toml, unknown_key
from harness.errors import ManifestError
from harness.text import shown

T = TypeVar("T")


@dataclass(frozen=True)
class Rule:
    """What a value must fulfil beyond its type.

    Attributes:
        words: The rule as a message states it, after "must".
        pattern: Regular expression that a string must match as a whole.
        minimum: The smallest number, or the fewest entries of an array.
    """

    words: str
    pattern: str | None = None
    minimum: int | None = None

    def holds(self, value: Any) -> bool:
        """Whether a value of the right type fulfils the rule."""
        if self.pattern is not None:
            return re.fullmatch(self.pattern, value) is not None
        size = len(value) if isinstance(value, tuple) else value
        return self.minimum is None or bool(size >= self.minimum)


class Key(NamedTuple):
    """A key of a table.

    Attributes:
        field: The dataclass's field.
        type: The field's type, without ``| None``.
        required: Whether the key must be given.
    """

    field: Field[Any]
    type: Any
    required: bool


def written(key: str) -> dict[str, str]:
    """Metadata of a field that the manifest writes under another name than the field's."""
    return {"key": key}


@functools.cache
def keys_of(record: type) -> Mapping[str, Key]:
    """The keys that the table of a dataclass may hold, by name."""
    hints = get_type_hints(record, include_extras=True)
    return {f.metadata.get("key", f.name): _key(f, hints[f.name]) for f in fields(record)}


def _key(field: Field[Any], hint: Any) -> Key:
    if types.NoneType in get_args(hint):
        (hint,) = (option for option in get_args(hint) if option is not types.NoneType)
    required = field.default is MISSING and field.default_factory is MISSING
    return Key(field, hint, required)


def read_record(record: type[T], path: Path) -> T:
    """Read a TOML file.

    Args:
        record: The dataclass of the file's top table.
        path: The file.

    Raises:
        ManifestError: The file cannot be read or is not TOML; a key is unknown, missing, or of
            another type than the field; or a rule is broken. The file, the table, the key and
            the value are named.
    """
    read: T = _record(record, load_toml(path), shown(path))
    return read


def _record(record: Any, data: Mapping[str, Any], where: str) -> Any:
    known = keys_of(record)
    missing = [name for name, key in known.items() if key.required and name not in data]
    lacking = f"{_shown(missing[0], known)} is missing" if missing else ""
    lacking = f"key {lacking}" if lacking.startswith("'") else lacking
    if unknown := [name for name in data if name not in known]:
        raise unknown_key(where, unknown[0], known, lacking)
    values = {known[n].field.name: _value(known[n].type, v, n, where) for n, v in data.items()}
    if lacking:
        raise ManifestError(f"{where}: {lacking}")
    either = getattr(record, "EITHER", ())
    if either and sum(name in data for name in either) != 1:
        one, other = (_shown(name, known) for name in either)
        raise ManifestError(f"{where}: give either {one} or {other}")
    return record(**values)


def _value(hint: Any, value: Any, key: str, where: str) -> Any:
    """A key's value, of the type that the field has."""
    kind, inner = get_origin(hint), get_args(hint)
    if kind is Annotated:
        given, value = value, _value(inner[0], value, key, where)
        if broken := next((rule for rule in inner[1:] if not rule.holds(value)), None):
            raise ManifestError(f"{where}: '{key}' must {broken.words}, not {given!r}")
    elif kind is Literal:
        if value not in inner:
            wanted = " or ".join(map(repr, inner))
            raise ManifestError(f"{where}: '{key}' must be {wanted}, not {value!r}")
    elif kind is tuple:
        return _array(inner[0], value, key, where)
    elif kind is Mapping:
        return _tables(inner, value, key, where)
    elif is_dataclass(hint):
        check_type(dict, value, key, where)
        return _record(hint, value, f"{where} [{key}]")
    else:
        check_type(hint, value, key, where)
    return value


def _array(item: Any, value: Any, key: str, where: str) -> tuple[Any, ...]:
    """An array, or the tables of ``[[key]]``."""
    if not is_dataclass(item):
        check_type(list, value, key, where)
        return tuple(_value(item, entry, key, where) for entry in value)
    if not isinstance(value, list) or not all(isinstance(table, dict) for table in value):
        raise ManifestError(f"{where}: '{key}' must be written [[{key}]]")
    numbered = enumerate(value, 1)
    return tuple(_record(item, table, f"{where} [[{key}]] number {n}") for n, table in numbered)


def _tables(inner: tuple[Any, ...], value: Any, key: str, where: str) -> dict[str, Any]:
    """The tables ``[key.<name>]`` by name, or a table whose keys are the codec's own."""
    check_type(dict, value, key, where)
    name_type, item = inner
    if item is Any:
        return dict(value)
    read = {}
    for name, table in value.items():
        full = f"{key}.{shown(name)}"
        _value(name_type, name, full, where)
        check_type(dict, table, full, where)
        read[name] = _record(item, table, f"{where} [{full}]")
    return read


def _shown(name: str, keys: Mapping[str, Key]) -> str:
    """A key as messages name it: ``'name'``, ``[archive]`` or ``[[file]]``."""
    hint = keys[name].type
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if is_dataclass(hint):
        return f"[{name}]"
    if get_origin(hint) is tuple and is_dataclass(get_args(hint)[0]):
        return f"[[{name}]]"
    return f"'{name}'"
