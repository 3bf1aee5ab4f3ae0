"""Checks the files of results by their digests alone, and sums up by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.store.integrity import FileCheck
from harness.store.load import run_folders

BAD = ("damaged", "missing")
NOT_COVERED = "logs are not covered: no number comes from them"


@dataclass(frozen=True)
class FileOfRun:
    """A file, and the run that it is of."""

    run: str
    check: FileCheck

    @property
    def kind(self) -> str:
        """The folder that it is in: ``cases``, ``bitstreams``, ..."""
        return self.check.path.parts[0]

    @property
    def name(self) -> str:
        """Its path from the results folder."""
        return f"{self.run}/{self.check.path.as_posix()}"

    @property
    def bad(self) -> bool:
        """Whether it is not what was written."""
        return self.check.verdict in BAD


@dataclass
class Kind:
    """The files of one kind: how many, their bytes, and how many with each verdict."""

    name: str
    files: int = 0
    bytes: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)


def check(folder: Path, left_behind: Collection[str] = ()) -> list[FileOfRun]:
    """Check the files of all runs in a folder.

    Args:
        folder: A results folder, or that of one run.
        left_behind: Kinds of files that did not come along and are not missed where the run has no
            folder for them, as in a bundle.
    """
    from harness.store.integrity import check_files

    return [
        found
        for run in run_folders(folder)
        for found in (FileOfRun(run.name, one) for one in check_files(run))
        if not _left_behind(run, found, left_behind)
    ]


def _left_behind(run: Path, found: FileOfRun, kinds: Collection[str]) -> bool:
    missing = found.check.verdict == "missing"
    return missing and found.kind in kinds and not (run / found.kind).is_dir()


def by_kind(found: Sequence[FileOfRun]) -> list[Kind]:
    """The files summed up by kind, in the order in which they were found."""
    kinds: dict[str, Kind] = {}
    for file in found:
        kind = kinds.setdefault(file.kind, Kind(file.kind))
        kind.files += 1
        kind.bytes += file.check.bytes
        kind.verdicts[file.check.verdict] += 1
    return list(kinds.values())


def exit_code(found: Sequence[FileOfRun]) -> int:
    """1 if a file is damaged or missing, 2 if none could be verified, else 0."""
    if any(file.bad for file in found):
        return 1
    return 0 if any(file.check.verdict == "intact" for file in found) else 2
