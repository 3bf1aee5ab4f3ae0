"""Several runs, a merge, reports and checks in one folder at once: equal results, nothing lost.

Two or three runs share a new folder; or a folder with so many shards that each of them merges; or
one that holds damaged files; while others read it again and again: ``report``, ``bdrate``,
``compare`` and ``verify --files``. Each run must end with exit code 0. A reader may say that there
is nothing yet, or that a folder changes, but never fail for a reason that it does not know. Then
records and files are those of an undisturbed run, and in a new folder no case was measured twice.
"""

from __future__ import annotations

import random
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from campaigns.kills import damaged, many_shards
from campaigns.launcher import Ended, Launched, Launcher
from campaigns.subject import Bench, Truth, Workshop
from campaigns.tally import Effort, Tally
from harness.store import schema
from harness.store.shards import list_shards, read_shard

UNKNOWN = re.compile(r"Traceback|unexpected|[Nn]o such command|[Nn]o such option")
LATEST_START = 0.4
"""How much later than the first the others start, at most, in seconds."""


def run(effort: Effort) -> list[Tally]:
    """Run and read at once, in folders of several kinds."""
    choose = random.Random(effort.seed)
    with tempfile.TemporaryDirectory(prefix="together-") as name, Launcher() as launcher:
        workshop = Workshop(Path(name))
        undisturbed = workshop.undisturbed(launcher)
        truth = Truth.of(undisturbed)
        tallies: list[Tally] = []
        kinds: tuple[tuple[str, Callable[[], Bench], int, int], ...] = (
            ("a new folder", workshop.bench, 30, 4),
            ("a folder to merge", lambda: many_shards(workshop, undisturbed), 30, 4),
            ("a folder with damage", lambda: damaged(workshop, undisturbed), 20, 3),
        )
        for kind, prepare, full, short in kinds:
            by_runs = {count: Tally(f"{count} runs and four readers: {kind}") for count in (2, 3)}
            for _ in range(effort.of(full, short)):
                runs = choose.choice((2, 3))
                tally, bench = by_runs[runs], prepare()
                broken = _at_once(bench, runs, launcher, choose)
                broken += truth.differences(bench, damaged=kind == "a folder with damage")
                if kind == "a new folder":
                    broken += _measured_twice(bench, len(truth.frame))
                if broken:
                    tally.broke("; ".join(broken)[:2000])
                else:
                    tally.held("equal")
                bench.remove()
            tallies += by_runs.values()
    return tallies


def _at_once(bench: Bench, runs: int, launcher: Launcher, choose: random.Random) -> list[str]:
    """Start the runs, and readers until all have ended; what went wrong."""

    def start(arguments: Sequence[str]) -> Launched:
        return launcher.start(arguments, bench.environment, bench.root)

    at_work = []
    for number in range(runs):
        if number:
            time.sleep(choose.uniform(0, LATEST_START))
        at_work.append(start(bench.command()))
    commands = _readers(bench)
    reading = {name: start(command) for name, command in commands.items()}
    broken: list[str] = []
    for run_ in at_work:
        while (ended := run_.wait(0.02)) is None:
            for name, reader in [*reading.items()]:
                if (read := reader.wait(0)) is not None:
                    broken += _failed(name, read)
                    reading[name] = start(commands[name])
        if ended.code != 0:
            broken.append(f"a run ended with {ended.code}: {ended.output[-500:]}")
    for name, reader in reading.items():
        broken += _failed(name, reader.ended())
    return broken


def _readers(bench: Bench) -> dict[str, list[str]]:
    """The commands that read a folder of results, which is that of the run."""
    results = str(bench.root / "results")
    return {
        "report": ["report", "--results", results, "--out", str(bench.root / "reports" / "x")],
        "bdrate": ["bdrate", "--results", results, "--metric", "psnr", "--anchor", "jpeg"],
        "compare": ["compare", str(bench.folder), str(bench.folder)],
        "verify": ["verify", str(bench.folder), "--files"],
    }


def _failed(name: str, ended: Ended) -> list[str]:
    """What is wrong with how a reader ended."""
    if ended.code in {0, 1, 2} and not UNKNOWN.search(ended.output):
        return []
    return [f"{name} ended with {ended.code}: {ended.output[-500:]}"]


def _measured_twice(bench: Bench, cases: int) -> list[str]:
    """Whether the shards of cases hold more rows than there are cases."""
    shards = list_shards(bench.folder / "cases")
    rows = sum(len(read_shard(path, schema.CASES, ["case"])) for path in shards)
    return [] if rows == cases else [f"{rows} rows for {cases} cases"]
