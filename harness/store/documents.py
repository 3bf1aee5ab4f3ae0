"""The JSON files of a run's folder: written whole, with a digest of what they hold.

The member ``sha256`` is that of the file's name, a line feed, and all other members as JSON with
sorted keys and without spaces.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.store.shards import write_bytes

SEAL = "sha256"
_DIGITS = 64


class DamagedDocument(HarnessError):
    """A JSON file that cannot be read, or is not what was written.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path} is damaged ({reason})",
            "run the same command again: it sets the file aside",
        )
        self.path = path


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write a JSON file completely or not at all, with its digest.

    Raises:
        HarnessError: The disk is full, or the folder cannot be written.
    """
    write_bytes(path, _sealed(path.name, json.loads(json.dumps(data, default=str))))


def read_json(path: Path) -> dict[str, Any]:
    """The members of a JSON file, without its digest.

    Raises:
        DamagedDocument: Its bytes are not those that were written.
        OSError: It is not there, or cannot be read.
    """
    return _read(path)[0]


def is_sealed(path: Path) -> bool:
    """Whether a JSON file has a digest, which matches; those that 0.1.0 wrote have none.

    Raises:
        DamagedDocument: Its bytes are not those that were written.
        OSError: It is not there, or cannot be read.
    """
    return _read(path)[1]


def _read(path: Path) -> tuple[dict[str, Any], bool]:
    raw = path.read_bytes()
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise DamagedDocument(path, str(error)) from error
    if not isinstance(data, dict):
        raise DamagedDocument(path, "it holds no JSON object")
    if SEAL not in data:
        if any(isinstance(value, str) and len(value) == _DIGITS for value in data.values()):
            raise DamagedDocument(path, "its digest has lost its name")
        return data, False
    del data[SEAL]
    if raw != _sealed(path.name, data):
        raise DamagedDocument(path, "its name and bytes do not match its digest")
    return data, True


def _sealed(name: str, data: dict[str, Any]) -> bytes:
    """The one sequence of bytes that a file of that name, which holds ``data``, may have."""
    canonical = json.dumps(data, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(f"{name}\n{canonical}".encode()).hexdigest()
    return json.dumps({**data, SEAL: digest}, indent=2).encode()
