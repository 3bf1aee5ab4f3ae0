"""What a user of the harness did or has that keeps a command from running."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class HarnessError(Exception):
    """A problem that is told in one or two lines: the thing and the reason, then the remedy.

    Args:
        problem: What is wrong, naming the thing: ``dataset 'kodak' has no files in /data``.
        remedy: What to do about it: ``run 'harness run --dataset kodak'`` or ``""``.
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(f"{problem}; {remedy}" if remedy else problem)
        self.problem = problem
        self.remedy = remedy


class ManifestError(HarnessError):
    """A ``codec.toml`` or ``<dataset>.toml`` that does not read as its schema says."""


class UnknownName(HarnessError):
    """A name that is in no catalogue, with the nearest ones that are."""

    def __init__(self, kind: str, name: str, known: Iterable[str], remedy: str = "") -> None:
        known = sorted(known)
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"
        super().__init__(f"unknown {kind} {name!r}", f"{hint}{'; ' + remedy if remedy else ''}")


class ImageError(HarnessError):
    """An image file that cannot be measured as it is."""


class Interrupted(HarnessError):
    """The user stopped the run; what was finished is in the results."""
