"""Where the bitstream and the reconstruction of a case lie in a run's folder."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

CASE_DIGITS = 8
"""Digits of a case's identity in the names of its files."""

NAME_BYTES = 200
"""The longest part of a path that comes from a name; file systems allow 255 bytes."""


def case_file(folder: Path, kind: str, place: Iterable[str], case: str, suffix: str) -> Path:
    """A case's file, under names that people can browse.

    Args:
        folder: The run's folder.
        kind: ``bitstreams``, ``reconstructions`` or ``logs``.
        place: The names of the folders, and that of the image.
        case: The case's identity.
        suffix: ``.bin``, ``.png`` or ``.log``.
    """
    *folders, image = (portable(part) for part in place)
    return folder.joinpath(kind, *folders, f"{image}.{case[:CASE_DIGITS]}{suffix}")


def portable(name: str) -> str:
    """A name as a part of a path: other characters are ``_``, and it is cut where it is long."""
    plain = re.sub(r"[^\w.@+-]+", "_", name).encode()[:NAME_BYTES].decode(errors="ignore")
    return "_" if plain in {"", ".", ".."} else plain
