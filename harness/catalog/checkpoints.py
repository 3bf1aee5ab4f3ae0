"""Finds checkpoints by a pattern, ``name@folder/*.safetensors``, ordered by their numbers."""

from __future__ import annotations

import glob
import re
from pathlib import Path

from harness.errors import HarnessError


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key by which ``step9`` comes before ``step10``."""
    parts = re.findall(r"\d+|\D+", text)
    return tuple((0, int(p), p) if p.isdecimal() else (1, 0, p) for p in parts)


def expand(name: str) -> list[str]:
    """Turn ``codec@PATTERN`` into one ``codec@FILE`` for each file that matches.

    Args:
        name: What ``--codec`` names; a name without a pattern stays as it is. ``*``, ``?`` and
            ``[...]`` match within a folder's name, ``**`` across folders. A file of exactly that
            name is taken as it is.

    Raises:
        HarnessError: No file matches.
    """
    codec, at, pattern = name.partition("@")
    path = Path(pattern).expanduser()
    if not at or not glob.has_magic(pattern) or path.is_file():
        return [name]
    names = glob.glob(str(path), recursive=True)  # noqa: PTH207 - the pattern may be absolute
    found = [file for file in names if Path(file).is_file()]
    if not found:
        raise HarnessError(
            f"no checkpoint of codec '{codec}' matches {pattern}",
            "check the folder; quote the pattern, so that the shell leaves it as it is",
        )
    return [f"{codec}@{file}" for file in sorted(found, key=natural_key)]
