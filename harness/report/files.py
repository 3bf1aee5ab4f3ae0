"""Writes the files of a report: each appears whole or not at all, and a failure says why."""

from __future__ import annotations

import contextlib
import errno
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.paths import whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextlib.contextmanager
def writing(what: str) -> Iterator[None]:
    """Say what could not be written: ``what`` is such as ``the report to reports/default``.

    Raises:
        HarnessError: The block could not write.
    """
    try:
        yield
    except OSError as error:
        full = error.errno in NO_ROOM
        remedy = f"{'free some space, or ' if full else ''}name a place that can be written"
        raise HarnessError(f"cannot write {what}: {error.strerror or error}", remedy) from error


def write_text(path: Path, text: str) -> None:
    """Write a text file, UTF-8; its folder is created.

    Raises:
        OSError: The folder cannot be written, or the disk is full.
    """
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


def write_figure(figure: Figure, path: Path, metadata: Mapping[str, Any] | None = None) -> None:
    """Write a figure in the format of the path's suffix; its folder is created.

    Matplotlib draws it in memory: on a disk that is full it leaves an empty file and another error.

    Raises:
        OSError: The folder cannot be written, or the disk is full.
    """
    drawn = io.BytesIO()
    figure.savefig(drawn, format=path.suffix[1:], metadata=metadata)
    with whole(path) as part:
        part.write_bytes(drawn.getvalue())
