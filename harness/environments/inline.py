"""The ``inline`` environment: a child process of the harness's own interpreter."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.catalog.codec_spec import Requirement
from harness.environments.base import PACKAGE, Environment, scratch
from harness.environments.client import Limits, Worker


class Inline(Environment):
    """Runs a codec with the packages that are installed beside the harness.

    Args:
        requires: What the codec needs of them.
    """

    def __init__(self, requires: Sequence[Requirement] = ()) -> None:
        self._requires = requires

    @property
    def label(self) -> str:
        """See :class:`Environment`."""
        return "inline"

    def missing(self) -> str | None:
        """See :class:`Environment`."""
        return next(filter(None, (r.missing() for r in self._requires)), None)

    @contextmanager
    def worker(
        self,
        log: Path,
        threads: int,
        limits: Limits,
        *,
        device: str = "cpu",  # noqa: ARG002 - a child process has all devices
        reads: Sequence[Path] = (),  # noqa: ARG002 - and reads what its user may read
    ) -> Iterator[Worker]:
        """See :class:`Environment`."""
        with scratch() as place:
            inherited = os.environ.get("PYTHONPATH")
            variables = {
                **os.environ,
                **place.variables(threads),
                "PYTHONPATH": os.pathsep.join(filter(None, [str(PACKAGE.parent), inherited])),
            }
            with place.child(sys.executable, variables, log, limits) as running:
                yield running
