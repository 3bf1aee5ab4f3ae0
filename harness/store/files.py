"""Where the bitstream and the reconstruction of a case lie in a run's folder."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

CASE_DIGITS = 8
"""Digits of a case's identity in the names of its files."""

LONGEST_NAME = 240
"""In bytes, of 255 that a file's name may have: the rest is for a case's digits and a suffix."""


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
    """A name as one part of a path, with room for a case's digits and a suffix.

    A name that is too long is cut and followed by the first digits of its sha256.
    """
    plain = re.sub(r"[^\w.@+-]+", "_", name)
    if not plain.strip("."):
        return "_"
    encoded = plain.encode()
    if len(encoded) <= LONGEST_NAME:
        return plain
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    return f"{encoded[: LONGEST_NAME - 17].decode(errors='ignore')}.{digest}"
