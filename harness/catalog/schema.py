"""Writes the JSON Schemas of the manifests, by which an editor completes and checks them.

``python -m harness.catalog.schema [FOLDER]`` writes ``codec.schema.json`` and
``dataset.schema.json`` into a folder, ``schemas`` when none is named. They come from the
dataclasses that :mod:`harness.catalog.record` reads manifests into: keys, types, rules and
defaults from the fields, descriptions from the docstrings.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from harness.catalog.codec_manifest import CodecManifest
from harness.catalog.datasets import DatasetSpec
from harness.catalog.record import Key, Rule, keys_of

MANIFESTS: Mapping[str, type] = {"codec": CodecManifest, "dataset": DatasetSpec}
"""The manifests' dataclasses, by the name of their schema."""

DIALECT = "http://json-schema.org/draft-07/schema#"
"""The newest dialect that editors of TOML support in full."""

TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}

Schema = dict[str, Any]


def manifest_schema(name: str) -> Schema:
    """The JSON Schema of a manifest.

    Args:
        name: One of :data:`MANIFESTS`.
    """
    return {"$schema": DIALECT, **_table(MANIFESTS[name])}


def _table(record: type) -> Schema:
    """The schema of the table that is read into a dataclass."""
    keys = keys_of(record)
    described = _descriptions(record)
    schema = {
        "type": "object",
        "description": _plain(inspect.cleandoc(record.__doc__ or "").partition("\n\n")[0]),
        "properties": {n: _property(key, described[key.field.name]) for n, key in keys.items()},
        "required": [name for name, key in keys.items() if key.required],
        "additionalProperties": False,
    }
    if either := getattr(record, "EITHER", ()):
        schema["oneOf"] = [{"required": [name]} for name in either]
    return schema


def _property(key: Key, description: str) -> Schema:
    schema = {**_value(key.type), "description": description}
    default = key.field.default
    if isinstance(default, int | float) or (isinstance(default, str | tuple) and default):
        schema["default"] = default
    return schema


def _value(hint: Any) -> Schema:
    kind, inner = get_origin(hint), get_args(hint)
    if kind is Annotated:
        schema = _value(inner[0])
        rules = [_rule(rule, schema["type"]) for rule in inner[1:]]
        return {**schema, **rules[0]} if len(rules) == 1 else {**schema, "allOf": rules}
    if kind is Literal:
        return {"type": "string", "enum": list(inner)}
    if kind is tuple:
        return {"type": "array", "items": _value(inner[0])}
    if kind is Mapping:
        name, item = inner
        if item is Any:
            return {"type": "object"}
        return {
            "type": "object",
            "propertyNames": _value(name),
            "additionalProperties": _value(item),
        }
    return {"type": TYPES[hint]} if hint in TYPES else _table(hint)


def _rule(rule: Rule, type_name: str) -> Schema:
    if rule.pattern is not None:
        return {"pattern": f"^(?:{rule.pattern})$"}
    return {"minItems" if type_name == "array" else "minimum": rule.minimum}


def _descriptions(record: type) -> dict[str, str]:
    """What the docstrings of a dataclass and of its bases say of each field."""
    found: dict[str, str] = {}
    for base in record.__mro__[:-1]:
        section = inspect.cleandoc(base.__doc__ or "").partition("Attributes:\n")[2]
        for name, text in re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", section, re.MULTILINE):
            found.setdefault(name, _plain(text))
    return found


def _plain(text: str) -> str:
    """A docstring's text in Markdown, on one line."""
    text = re.sub(r":\w+:`(\w+\.)*(\w+)`", r"`\2`", text.replace("``", "`"))
    return re.sub(r"\s+", " ", text)


def main() -> None:
    """Write both schemas."""
    folder = Path(sys.argv[1] if sys.argv[1:] else "schemas")
    folder.mkdir(parents=True, exist_ok=True)
    for name in MANIFESTS:
        text = json.dumps(manifest_schema(name), indent=2, ensure_ascii=False)
        (folder / f"{name}.schema.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
