"""The ``inline`` environment: a child process of the harness's own interpreter."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness.environments.base import PACKAGE, Environment, scratch
from harness.errors import Lack

if TYPE_CHECKING:
    from harness.environments.client import Limits, Worker


class Inline(Environment):
    """Runs a codec with the packages that are installed beside the harness.

    Args:
        modules: The packages that the codec needs, by the names under which it imports them.
    """

    def __init__(self, modules: Sequence[str] = ()) -> None:
        self._modules = modules

    @property
    def label(self) -> str:
        """See :class:`Environment`: with the version of each package that the codec needs."""
        libraries = ",".join(sorted(filter(None, map(_library, self._modules))))
        return f"inline:{libraries}" if libraries else "inline"

    def lack(self) -> Lack | None:
        """See :class:`Environment`: this interpreter is always there."""
        return None

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


@functools.cache
def _library(module: str) -> str:
    """``name@version`` of the installed package that has a module; empty if none is known to.

    ``importlib.metadata.packages_distributions`` gives the same but takes half a second.
    """
    top = module.partition(".")[0]
    for package in importlib.metadata.distributions(name=top):
        return f"{package.name.lower().replace('_', '-')}@{package.version}"
    for package in importlib.metadata.distributions():
        if f"\n{top}/__init__.py," in "\n" + (package.read_text("RECORD") or ""):
            return f"{package.name.lower().replace('_', '-')}@{package.version}"
    return ""
