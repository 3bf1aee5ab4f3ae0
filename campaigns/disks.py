"""A full disk, at whichever step, ends a run with a clear message; with room, it is completed.

The results folder, the temporary folder, the runtime folder, the cache and the folder of a report
are each put on a disk of their own, which has room for so many bytes, or so many files, and no
more: from almost none to almost enough, so that each step of a run is the one that finds no room.
The command must end by itself, with exit code 1 or 2 (or 0 where it can do without), and say what
is full; no traceback, nothing "unexpected". Then the disk is made larger, and the same command must
end with 0 and leave what an undisturbed run leaves.

The disks are tmpfs in a mount namespace of the campaign's own. Where none can be made (that takes
root), the attempts count as not tried, and the campaign says so.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import random
import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from campaigns.launcher import Ended, Launcher
from campaigns.subject import Bench, Truth, Workshop, still_running
from campaigns.tally import Effort, Tally

NEW_MOUNTS = 0x00020000
"""``CLONE_NEWNS`` of ``unshare(2)``."""

PAGE = 4096
ROOMY = "64m"
CLEAR = re.compile(r"full|no (space|room)|free some space", re.IGNORECASE)
UNCLEAR = re.compile(r"Traceback|unexpected")


@dataclass(frozen=True)
class Disk:
    """A folder of a run that is put on a disk of its own.

    Attributes:
        name: The folder, in a bench.
        what: What the tables call it.
        pages: How many pages of 4,096 bytes are about enough.
        files: How many files and folders are about enough.
        command: The arguments of ``harness``.
        begin: Makes the bench, before the disk is mounted.
        attempts: How many sizes to try of each kind, in the full campaign and in the short one.
        optional: Whether a run does without.
    """

    name: str
    what: str
    pages: int
    files: int
    command: Callable[[Bench], list[str]]
    begin: Callable[[], Bench]
    attempts: tuple[int, int] = (30, 3)
    optional: bool = False


def run(effort: Effort) -> list[Tally]:
    """Fill each disk at each step, and make room."""
    choose = random.Random(effort.seed)
    if not _private_mounts():
        print("  NOT TRIED: a disk of its own takes root and CAP_SYS_ADMIN", flush=True)
        return [Tally("a full disk (not tried: no mount namespace of its own here)")]
    with tempfile.TemporaryDirectory(prefix="disks-") as name, Launcher() as launcher:
        workshop = Workshop(Path(name))
        undisturbed = workshop.undisturbed(launcher)
        reported = launcher.run(_report(undisturbed), undisturbed.environment, undisturbed.root)
        assert reported.code == 0, reported.output
        truth, report = Truth.of(undisturbed), _names(undisturbed)
        tallies = []
        for disk in _disks(workshop, undisturbed):
            sizes = _spread(disk.pages, effort.of(*disk.attempts), choose)
            bytes_ = Tally(f"no room for bytes: {disk.what}")
            files = Tally(f"no room for files: {disk.what}")
            for pages in sizes:
                _attempt(disk, f"size={pages * PAGE}", bytes_, truth, report, launcher)
            for count in _spread(disk.files + 1, effort.of(*disk.attempts), choose):
                _attempt(disk, f"size={ROOMY},nr_inodes={count}", files, truth, report, launcher)
            tallies += [bytes_, files]
    return tallies


def _disks(workshop: Workshop, undisturbed: Bench) -> list[Disk]:
    """The folders of a run, each with what it needs of a disk."""

    def finished() -> Bench:
        return workshop.bench(undisturbed)

    def measuring(bench: Bench) -> list[str]:
        return bench.command()

    new = workshop.bench
    needs = {name: _needs(undisturbed.root / name) for name in ("results", "reports", "cache")}
    return [
        Disk("results", "the results folder", *needs["results"], measuring, new),
        Disk("tmp", "the temporary folder", 12, 8, measuring, new),
        Disk("runtime", "the runtime folder", 2, 2, measuring, new),
        Disk("cache", "the cache", *needs["cache"], measuring, new, optional=True),
        Disk("reports", "the folder of a report", *needs["reports"], _report, finished, (12, 1)),
    ]


def _needs(folder: Path) -> tuple[int, int]:
    """How many pages and files a folder holds, with what is written beside a file for a moment."""
    paths = [*folder.rglob("*")]
    sizes = [-(-p.stat().st_size // PAGE) for p in paths if p.is_file()]
    return sum(sizes) + max(sizes), len(paths)


def _spread(most: int, count: int, choose: random.Random) -> Sequence[int]:
    """So many numbers from 1 to ``most``, one in each of as many equal parts."""
    count = min(count, most)
    bounds = [1 + most * i // count for i in range(count + 1)]
    return [choose.randrange(a, max(b, a + 1)) for a, b in itertools.pairwise(bounds)]


def _report(bench: Bench) -> list[str]:
    return [
        *("report", "--results", str(bench.root / "results")),
        *("--out", str(bench.root / "reports" / "default")),
    ]


def _names(bench: Bench) -> set[str]:
    """The files of a report that hold anything."""
    folder = bench.root / "reports"
    files = (path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    return {str(path.relative_to(folder)) for path in files}


def _attempt(
    disk: Disk, options: str, tally: Tally, truth: Truth, report: set[str], launcher: Launcher
) -> None:
    """Carry out a command with a disk that is too small, then with one that is large enough."""
    bench = disk.begin()
    place = bench.root / disk.name
    place.mkdir(exist_ok=True)
    options += ",mode=0700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", place], check=True)
    try:
        first = launcher.run(disk.command(bench), bench.environment, bench.root)
        running = still_running(bench)
        enough = f"remount,size={ROOMY},nr_inodes=10000"
        subprocess.run(["mount", "-o", enough, place], check=True)
        second = launcher.run(disk.command(bench), bench.environment, bench.root)
        broken = [*_unclear(first, disk), *running]
        if second.code != 0:
            broken.append(f"with room it ended with {second.code}: {second.output[-500:]}")
        broken += truth.differences(bench)
        if disk.name == "reports":
            broken += [
                f"{name} of the report is missing or empty" for name in report - _names(bench)
            ]
    finally:
        subprocess.run(["umount", "-l", place], check=True)
        bench.remove()
    if broken:
        tally.broke(f"{options}: {'; '.join(broken)[:1500]}")
    elif first.code == 0:
        tally.held("did without" if disk.optional else "there was room")
    else:
        tally.held(f"exit code {first.code} and the reason; completed, equal")


def _unclear(ended: Ended, disk: Disk) -> list[str]:
    """What is wrong with how a command ended that found a disk full."""
    found = []
    if ended.code not in {0, 1, 2}:
        found.append(f"it ended with {ended.code}")
    if UNCLEAR.search(ended.output) or (ended.code and not CLEAR.search(ended.output)):
        found.append(f"it does not say that {disk.what} is full: {ended.output[-700:]}")
    return found


def _private_mounts() -> bool:
    """Give this process mounts of its own; ``False`` where that is not permitted."""
    if ctypes.CDLL(None, use_errno=True).unshare(NEW_MOUNTS) != 0:
        return False
    tried = [
        ["mount", "--make-rprivate", "/"],
        ["mount", "-t", "tmpfs", "-o", f"size={PAGE}", "none", tempfile.gettempdir()],
        ["umount", tempfile.gettempdir()],
    ]
    return all(
        subprocess.run(command, capture_output=True, check=False).returncode == 0
        for command in tried
    ) and os.access(tempfile.gettempdir(), os.W_OK)
