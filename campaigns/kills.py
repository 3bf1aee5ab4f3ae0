"""A run that is killed anywhere, and given again, ends like one that nobody disturbed.

The runs killed are of four kinds: a new one; one that has only to score; one that has only to merge
its shards; and one that finds damaged files. Each is killed at random moments, and armed: at every
step that changes a file, before it is made or a moment after it began (see
:mod:`campaigns.launcher`). Some are killed several times before they may end, so that they also
meet what earlier ones left. The workers of a run are killed apart from it.

Then records, kept files and cards are those of an undisturbed run, what was measured before a kill
was not measured again, no process is left, and nothing in the run's folder, the temporary folder
or the runtime folder.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from campaigns.launcher import Launched, Launcher, Trap
from campaigns.subject import Bench, Truth, Workshop, records
from campaigns.tally import Effort, Tally
from harness.store import schema
from harness.store.run_store import MERGE_FROM
from harness.store.shards import list_shards, read_shard, write_shard
from harness.worker.family import descendants

LONGEST_DELAY = 0.003
"""How long a run lives on after an armed step began, at most, in seconds: into the step itself."""

PLACES = {
    "tmp": "the temporary folder", "runtime": "the runtime folder",
    "cache": "the image index",
    "cases": "a shard of cases", "scores": "a shard of scores", "runs": "a manifest",
    "cards": "a card", "store.json": "store.json", "bitstreams": "a bitstream",
    "reconstructions": "a reconstruction", "logs": "a log", "damaged": "what is set aside",
    "results": "the results folder itself", "codec-harness.lock": "the machine's lock",
}  # fmt: skip


@dataclass(frozen=True)
class Kill:
    """One kill of a run.

    Attributes:
        whom: ``group``, the run's process group; ``worker``; or ``cold``, the group of a run whose
            interpreter starts from nothing.
        moment: When, in seconds after it started.
        trap: Where, in place of a moment.
    """

    whom: str
    moment: float = 0.0
    trap: Trap | None = None

    def at(self, step: str) -> str:
        """The kill in words; ``step`` is where its trap was."""
        if self.trap is None:
            return f"{self.whom} after {self.moment:.3f} s"
        return f"{self.trap.delay * 1e3:.1f} ms after '{step}' began (step {self.trap.step})"


@dataclass(frozen=True)
class Scenario:
    """A kind of run to kill.

    Attributes:
        name: What the tables call it.
        prepare: Makes a bench that such a run starts from.
        steps: The steps that it makes, undisturbed.
        seconds: How long it takes, undisturbed.
        damaged: Whether it finds damaged files.
    """

    name: str
    prepare: Callable[[], Bench]
    steps: tuple[str, ...]
    seconds: float
    damaged: bool = False


@dataclass
class Counts:
    """The tallies, by attack."""

    tallies: dict[str, Tally]

    def of(self, attack: str) -> Tally:
        """The tally of an attack."""
        return self.tallies.setdefault(attack, Tally(attack))


def run(effort: Effort) -> list[Tally]:
    """Kill runs, several to a folder, and compare each folder with an undisturbed run."""
    choose = random.Random(effort.seed)
    counts = Counts({})
    with tempfile.TemporaryDirectory(prefix="kills-") as name, Launcher() as launcher:
        workshop = Workshop(Path(name))
        undisturbed = workshop.undisturbed(launcher)
        truth = Truth.of(undisturbed)
        for number, (scenario, kills) in enumerate(
            _plan(effort, choose, launcher, workshop, undisturbed)
        ):
            bench = scenario.prepare()
            _attack(bench, launcher, kills, truth, scenario, counts, number)
            bench.remove()
    return [counts.tallies[attack] for attack in sorted(counts.tallies)]


def _plan(
    effort: Effort,
    choose: random.Random,
    launcher: Launcher,
    workshop: Workshop,
    undisturbed: Bench,
) -> list[tuple[Scenario, list[Kill]]]:
    """Which runs to kill, and where: the first kill of each is planned, others follow at random."""
    plan: list[tuple[Scenario, list[Kill]]] = []

    def add(scenario: Scenario, kill: Kill) -> None:
        more = [_anywhere(scenario, choose) for _ in range(choose.randrange(3))]
        plan.append((scenario, [kill, *more]))

    for name, prepare, has_damage, share in (
        ("a new run", workshop.bench, False, 1.0),
        ("scoring", lambda: _measured(workshop, undisturbed), False, 1.0),
        ("merging", lambda: many_shards(workshop, undisturbed), False, 0.5),
        ("finding damage", lambda: damaged(workshop, undisturbed), True, 0.5),
    ):
        scenario = _scenario(name, prepare, launcher, damaged=has_damage)
        most = int(len(scenario.steps) * share)
        for step in _chosen_steps(scenario, effort.of(most, most // 6 + 6), choose):
            delay = choose.choice((0.0, choose.uniform(0, LONGEST_DELAY)))
            add(scenario, Kill("group", trap=Trap(step, delay)))
        for _ in range(effort.of(25, 6)):
            add(scenario, Kill("group", choose.uniform(0, scenario.seconds)))
        if name == "a new run":
            for _ in range(effort.of(50, 12)):
                add(scenario, Kill("worker", choose.uniform(0, scenario.seconds)))
            for _ in range(effort.of(10, 2)):
                add(scenario, Kill("cold", choose.uniform(0, 6 * scenario.seconds)))
    choose.shuffle(plan)
    return plan


def _chosen_steps(scenario: Scenario, count: int, choose: random.Random) -> list[int]:
    """The numbers of so many steps, from 1: in turn one at each of the places that a run writes."""
    places: dict[str, list[int]] = {}
    for number, step in enumerate(scenario.steps, 1):
        places.setdefault(_place(step), []).append(number)
    for numbers in places.values():
        choose.shuffle(numbers)
    in_turn = itertools.chain.from_iterable(itertools.zip_longest(*places.values()))
    return [number for number in in_turn if number is not None][:count]


def _scenario(
    name: str, prepare: Callable[[], Bench], launcher: Launcher, *, damaged: bool
) -> Scenario:
    """A scenario, measured by carrying it out once."""
    bench = prepare()
    start = time.perf_counter()
    ended = launcher.run(bench.command(), bench.environment, bench.root)
    seconds = time.perf_counter() - start
    assert ended.code == 0, ended.output
    bench.remove()
    return Scenario(name, prepare, ended.steps, seconds, damaged)


def _anywhere(scenario: Scenario, choose: random.Random) -> Kill:
    """A kill of a run that was killed before, which may make fewer steps than an undisturbed."""
    if choose.random() < 0.5:
        return Kill("group", choose.uniform(0, scenario.seconds))
    return Kill("group", trap=Trap(choose.randint(1, len(scenario.steps))))


def _attack(
    bench: Bench,
    launcher: Launcher,
    kills: Sequence[Kill],
    truth: Truth,
    scenario: Scenario,
    counts: Counts,
    number: int,
) -> None:
    """Kill a run again and again, let it end, and compare."""
    struck = [
        (_attack_name(kill, where, scenario), kill.at(where))
        for kill in kills
        if (where := _strike(bench, launcher, kill)) is not None
    ]
    broken: list[str] = []
    before = _started(bench)
    ended = launcher.run(bench.command(), bench.environment, bench.root)
    if ended.code != 0:
        broken.append(f"the same command ended with {ended.code}: {ended.output[-500:]}")
    broken += truth.differences(bench, damaged=scenario.damaged)
    if not scenario.damaged:
        after = _started(bench)
        again = sum(after.get(case) != started for case, started in before.items())
        broken += [f"{again} finished cases were measured again"] if again else []
    history = ", ".join(what for _, what in struck)
    for attack, _ in struck:
        if not broken:
            counts.of(attack).held("completed, equal")
        elif attack == struck[0][0]:
            what = "; ".join(broken)[:1500]
            counts.of(attack).broke(f"{scenario.name}, folder {number}: {history}: {what}")
        else:
            counts.of(attack).broke(f"folder {number}, as above")


def _started(bench: Bench) -> dict[str, pd.Timestamp]:
    """When each finished case of a bench was measured."""
    if not (bench.folder / "store.json").is_file():
        return {}
    with warnings.catch_warnings(action="ignore"):  # some were damaged on purpose
        frame = records(bench.folder)
    return dict(frame.loc[frame["status"] == "ok", "started"])


def _attack_name(kill: Kill, where: str, scenario: Scenario) -> str:
    """The row of the table in which a kill counts."""
    if kill.whom == "worker":
        return "SIGKILL of a worker, or of its supervisor"
    if kill.whom == "cold":
        return f"SIGKILL of the process group, at random: {scenario.name}, from python's start on"
    if kill.trap is None:
        return f"SIGKILL of the process group, at random: {scenario.name}"
    return f"SIGKILL armed: {scenario.name}, {_place(where)}"


def _place(step: str) -> str:
    """What a step writes or starts, in words."""
    event, _, path = step.partition(" ")
    if event == "subprocess.Popen":
        return "a process about to start"
    parts = path.split("/")
    part = parts[2] if parts[:2] == ["results", "default"] and parts[2:] else parts[0]
    if event == "os.remove" and parts[-1].endswith(".parquet"):
        return "a merged shard's removal"
    if part.startswith(".store.json"):
        return "store.json"
    return PLACES.get(part, part)


def _strike(bench: Bench, launcher: Launcher, kill: Kill) -> str | None:
    """Start the run and kill it: where it was, or ``None`` if it had ended before."""
    if kill.whom == "cold":
        return _strike_cold(bench, kill)
    run = launcher.start(bench.command(), bench.environment, bench.root, kill.trap)
    if kill.whom == "worker":
        return _strike_worker(run, kill)
    if kill.trap is None:
        if run.wait(kill.moment) is not None:
            return None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
    ended = run.ended()
    if ended.code != -signal.SIGKILL:
        return None
    return ended.steps[kill.trap.step - 1] if kill.trap else ""


def _strike_worker(run: Launched, kill: Kill) -> str | None:
    """Kill the worker that a run has at some moment, or its supervisor; the run goes on."""
    deadline = time.monotonic() + kill.moment
    while run.wait(0.001) is None:
        if time.monotonic() > deadline and (workers := _workers(run.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(workers[int(kill.moment * 1e6) % len(workers)], signal.SIGKILL)
                run.ended()
                return ""
    return None


def _workers(pid: int) -> list[int]:
    """The workers among the descendants of a process, and their supervisors."""
    found = []
    for child in descendants(pid):
        with contextlib.suppress(OSError):
            if b"harness.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(child)
    return found


def _strike_cold(bench: Bench, kill: Kill) -> str | None:
    """Kill a run that a new interpreter carries out."""
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", *bench.command()],
        env=bench.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(kill.moment)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
    return "" if process.wait() == -signal.SIGKILL else None


def _measured(workshop: Workshop, undisturbed: Bench) -> Bench:
    """A bench where everything is measured and nothing scored."""
    bench = workshop.bench(undisturbed)
    for name in ("scores", "cards"):
        shutil.rmtree(bench.folder / name)
    return bench


def many_shards(workshop: Workshop, undisturbed: Bench) -> Bench:
    """A bench whose shards are so many that the next run merges them: older rows beside the last.

    The older scores are other values, so that a merge that keeps the wrong row is noticed.
    """
    bench = workshop.bench(undisturbed)
    for name, columns in (("cases", schema.CASES), ("scores", schema.SCORES)):
        shard = list_shards(bench.folder / name)[0]
        table = read_shard(shard, columns)
        for age in range(MERGE_FROM):
            older = _replaced(table, "written", [t - 1 - age for t in table["written"].to_pylist()])
            if name == "scores":
                values = [value - 0.01 for value in table["value"].to_pylist()]
                older = _replaced(older, "value", values)
            write_shard(bench.folder / name, older)
    return bench


def _replaced(table: pa.Table, column: str, values: list[float]) -> pa.Table:
    place = table.schema.get_field_index(column)
    array = pa.array(values, table.schema.field(column).type)
    return table.set_column(place, table.schema.field(column), array)


def damaged(workshop: Workshop, undisturbed: Bench) -> Bench:
    """A bench with a damaged file of every kind."""
    bench = workshop.bench(undisturbed)
    for kind in ("cases", "scores", "cards", "runs", "bitstreams", "reconstructions"):
        path = next(p for p in sorted((bench.folder / kind).rglob("*")) if p.is_file())
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    return bench
