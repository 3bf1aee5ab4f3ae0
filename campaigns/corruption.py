"""A changed byte anywhere in a run's folder is found, and never read as a number.

Files of every kind are changed: one bit flipped, cut short, emptied, a block zeroed, exchanged with
another of the kind, under a name of which one character is another, deleted. Each time the folder
is read: every cell must hold what it held, or be left out with a warning. (What is deleted or
renamed can be missing without one.) ``harness verify --files`` must find the file. And of some, the
same ``harness run`` is given again, and must make the folder equal to an undisturbed one, also
where it asks for a metric that was not computed before, and reads the kept pictures. What it need
not read or bring back (see ``_repaired``), ``verify --files`` must still name.
"""

from __future__ import annotations

import itertools
import random
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from campaigns.launcher import Launcher
from campaigns.subject import Bench, Truth, Workshop, kept_files, records, same
from campaigns.tally import Effort, Tally
from harness.errors import HarnessError
from harness.store.integrity import check_files
from harness.store.shards import stated_digest

SHARES = {
    "cases": 40, "scores": 20, "runs": 8, "cards": 8, "store.json": 4, "bitstreams": 10,
    "reconstructions": 10,
}  # fmt: skip
"""The kinds of file, and of 100 bits how many are flipped in each."""

SHARDS = ("cases", "scores")
KEPT = ("bitstreams", "reconstructions")
BLOCK = 512

Changes = Mapping[Path, bytes | None]
"""What files hold after the attack; ``None`` for those that are gone."""


@dataclass(frozen=True)
class Attack:
    """A way of changing a file.

    Attributes:
        name: What the tables call it.
        change: From the files of a kind, the one that is meant, and a source of choices, what the
            files then hold.
    """

    name: str
    change: Callable[[Mapping[Path, bytes], Path, random.Random], Changes]


def _flipped(files: Mapping[Path, bytes], path: Path, choose: random.Random) -> Changes:
    data = bytearray(files[path])
    data[choose.randrange(len(data))] ^= 1 << choose.randrange(8)
    return {path: bytes(data)}


def _cut(files: Mapping[Path, bytes], path: Path, choose: random.Random) -> Changes:
    return {path: files[path][: choose.randrange(1, len(files[path]))]}


def _emptied(_files: Mapping[Path, bytes], path: Path, _choose: random.Random) -> Changes:
    return {path: b""}


def _zeroed(files: Mapping[Path, bytes], path: Path, choose: random.Random) -> Changes:
    data = bytearray(files[path])
    start = choose.randrange(len(data))
    end = min(start + BLOCK, len(data))
    data[start:end] = bytes(end - start)
    return {path: bytes(data)}


def _exchanged(files: Mapping[Path, bytes], path: Path, choose: random.Random) -> Changes:
    others = [other for other in files if files[other] != files[path]]
    if not others:
        return {}
    other = choose.choice(others)
    return {path: files[other], other: files[path]}


def _renamed(files: Mapping[Path, bytes], path: Path, choose: random.Random) -> Changes:
    name = [*path.name]
    place = choose.randrange(len(name))
    name[place] = choose.choice([c for c in "0123456789abcdef" if c != name[place]])
    return {path: None, path.with_name("".join(name)): files[path]}


def _deleted(_files: Mapping[Path, bytes], path: Path, _choose: random.Random) -> Changes:
    return {path: None}


RENAMED, DELETED = "one character of its name changed", "deleted"
FLIP = Attack("one bit flipped", _flipped)
OTHERS = (
    Attack("cut short", _cut),
    Attack("emptied", _emptied),
    Attack("a block zeroed", _zeroed),
    Attack("exchanged with another", _exchanged),
    Attack(RENAMED, _renamed),
    Attack(DELETED, _deleted),
)
ABSENT = {RENAMED, DELETED}
"""After these a file is not where it was, which nothing may know of."""


@dataclass(frozen=True)
class Victim:
    """The folder that is changed and put right again.

    Attributes:
        bench: Where it is.
        truth: Its records, in every column.
        files: What its files hold, by kind.
    """

    bench: Bench
    truth: pd.DataFrame
    files: dict[str, dict[Path, bytes]]

    @classmethod
    def of(cls, bench: Bench) -> Victim:
        """A run's folder as it is now."""
        files = {kind: {p: p.read_bytes() for p in _files(bench.folder / kind)} for kind in SHARES}
        return cls(bench, records(bench.folder), files)

    def attacked(self, attack: Attack, kind: str, choose: random.Random) -> tuple[Path, Changes]:
        """A file of a kind, and what an attack makes of it and others."""
        path = choose.choice(sorted(self.files[kind]))
        return path, attack.change(self.files[kind], path, choose)


def run(effort: Effort) -> list[Tally]:
    """Change files, and read, check and repair the folder."""
    choose = random.Random(effort.seed)
    with tempfile.TemporaryDirectory(prefix="corruption-") as name, Launcher() as launcher:
        workshop = Workshop(Path(name))
        whole, part = workshop.bench(), workshop.bench()
        for bench, metrics in ((whole, "psnr,ms-ssim"), (part, "psnr")):
            ended = launcher.run(bench.command(metrics), bench.environment, bench.root)
            assert ended.code == 0, ended.output
        victim, truth = Victim.of(whole), Truth.of(whole)
        tallies = [_read_flipped(victim, effort.of(2000, 300), choose)]
        tallies += [_read(victim, attack, effort.of(20, 3), choose) for attack in OTHERS]
        victims = [victim, Victim.of(part)]
        for attack in (FLIP, *OTHERS):
            times = effort.of(4 if attack is FLIP else 2, 1)
            tallies.append(_repair(victims, attack, times, choose, truth, launcher, workshop))
    return tallies


def _read_flipped(victim: Victim, count: int, choose: random.Random) -> Tally:
    """Flip single bits all over the folder."""
    tally = Tally(f"{FLIP.name}, then read")
    kinds = choose.choices([*SHARES], [*SHARES.values()], k=count)
    for kind in kinds:
        _try(victim, FLIP, kind, choose, tally)
    return tally


def _read(victim: Victim, attack: Attack, times: int, choose: random.Random) -> Tally:
    """Change some files of each kind."""
    tally = Tally(f"{attack.name}, then read")
    for kind in SHARES:
        for _ in range(times):
            _try(victim, attack, kind, choose, tally)
    return tally


def _try(victim: Victim, attack: Attack, kind: str, choose: random.Random, tally: Tally) -> None:
    path, changes = victim.attacked(attack, kind, choose)
    if not changes:
        return
    _write(changes)
    try:
        outcome, broken = _reading(victim, silent=attack.name in ABSENT)
        broken += _checking(victim.bench.folder, kind, attack, path)
    finally:
        _restore(changes, victim.files[kind])
    if broken:
        where = _difference(victim.files[kind], path, changes)
        tally.broke(f"{path.relative_to(victim.bench.folder)} ({where}): {'; '.join(broken)}")
    else:
        tally.held(outcome)


def _reading(victim: Victim, *, silent: bool) -> tuple[str, list[str]]:
    """How the folder reads, and each cell that holds something else than it held."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            frame = records(victim.bench.folder)
        except HarnessError:
            return "refused, with the reason", []
        except Exception as error:  # noqa: BLE001 - whatever else it raises is a finding
            return "", [f"reading raises {type(error).__name__}: {error}"]
    wrong, blank = _compare(frame, victim.truth)
    if wrong or not blank:
        return "every value there", wrong
    if warned or silent:
        return "left out" + (", with a warning" if warned else ""), []
    return "", [f"{blank} cells are left out without a warning"]


def _compare(frame: pd.DataFrame, truth: pd.DataFrame) -> tuple[list[str], int]:
    """The cells that hold something else, and the number of those left out."""
    wrong: list[str] = []
    blank = 0
    if not frame.index.is_unique:
        return ["a case has two records"], 0
    wrong += [f"case {case} was never there" for case in frame.index.difference(truth.index)]
    for case in truth.index:
        if case not in frame.index:
            blank += 1
            continue
        row, expected = frame.loc[case], truth.loc[case]
        for column in truth.columns:
            if same(row[column], expected[column]):
                continue
            if _is_blank(row[column]):
                blank += 1
            else:
                wrong.append(f"{column} of {case} is {row[column]!r}, not {expected[column]!r}")
    return wrong, blank


def _is_blank(value: object) -> bool:
    return value is None or value is pd.NaT or (isinstance(value, float) and bool(pd.isna(value)))


def _checking(folder: Path, kind: str, attack: Attack, path: Path) -> list[str]:
    """What ``harness verify --files`` says, where it is not what it must say."""
    try:
        verdicts = {check.path: check.verdict for check in check_files(folder)}
    except Exception as error:  # noqa: BLE001 - whatever it raises is a finding
        return [f"checking raises {type(error).__name__}: {error}"]
    relative = path.relative_to(folder)
    found = verdicts.get(relative)
    if attack.name in ABSENT:
        wanted = {None} if kind in SHARDS else {"missing"}
    else:
        # A flip in the member that holds the digest leaves a file without one.
        wanted = {"damaged", "unverified"} if kind not in (*SHARDS, *KEPT) else {"damaged"}
    return [] if found in wanted else [f"checking says {found or 'nothing'} of {relative}"]


def _repair(
    victims: Sequence[Victim],
    attack: Attack,
    times: int,
    choose: random.Random,
    truth: Truth,
    launcher: Launcher,
    workshop: Workshop,
) -> Tally:
    """Give the same command again in a folder with a changed file of each kind, one at a time."""
    tally = Tally(f"{attack.name}, then the same command")
    for kind, victim in itertools.product(SHARES, victims):
        for _ in range(times):
            path, changes = victim.attacked(attack, kind, choose)
            if not changes:
                continue
            bench = workshop.bench(victim.bench)
            moved = {
                bench.folder / p.relative_to(victim.bench.folder): data
                for p, data in changes.items()
            }
            _write(moved)
            ended = launcher.run(bench.command(), bench.environment, bench.root)
            broken = [] if ended.code == 0 else [f"it ended with {ended.code}: {ended.output}"]
            outcome, differing = _repaired(bench, kind, attack, moved, truth)
            broken += differing
            bench.remove()
            if broken:
                where = _difference(victim.files[kind], path, changes)
                name = path.relative_to(victim.bench.folder)
                tally.broke(f"{name} ({where}): {'; '.join(broken)[:1500]}")
            else:
                tally.held(outcome)
    return tally


def _repaired(
    bench: Bench, kind: str, attack: Attack, changes: Changes, truth: Truth
) -> tuple[str, list[str]]:
    """How a folder was repaired, and in what it is not as it must be.

    A run looks at the kept pictures that it scores, and at no others; and it does not bring back
    kept files that are gone, which their owner may have removed to make room. Those must be named
    by ``harness verify --files``. A lost manifest cannot be made again.
    """
    if attack.name == RENAMED and kind not in SHARDS:
        for path, data in changes.items():
            if data is not None and str(path.relative_to(bench.folder)) not in truth.files:
                path.unlink(missing_ok=True)  # under this name it is nobody's
    left = kind == "reconstructions" or (kind == "bitstreams" and attack.name in ABSENT)
    excused = {path.relative_to(bench.folder) for path in changes} if left else set()
    differing = truth.differences(bench, damaged=True, but={str(path) for path in excused})
    unlike = {check.path: check.verdict for check in check_files(bench.folder)}
    unlike = {path: verdict for path, verdict in unlike.items() if verdict != "intact"}
    now = kept_files(bench.folder)
    for path in excused:
        same_as_before = now.get(str(path)) == truth.files.get(str(path))
        if not same_as_before and unlike.pop(path, None) not in {"damaged", "missing"}:
            differing.append(f"'verify --files' does not name {path}")
    differing += [
        f"'verify --files' says that {path} is {verdict}"
        for path, verdict in unlike.items()
        if (verdict, path.parts[0]) != ("missing", "runs") and not _has_lost_its_digest(path)
    ]
    if any(now.get(str(path)) != truth.files.get(str(path)) for path in excused):
        return "numbers equal, and 'verify --files' names the kept file", differing
    return "equal again", differing


def _has_lost_its_digest(path: Path) -> bool:
    """Whether a shard was renamed to a name without a digest, as those of 0.1.0 are."""
    return path.suffix == ".parquet" and stated_digest(path) is None


def _files(place: Path) -> list[Path]:
    return [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.is_file())


def _write(changes: Changes) -> None:
    for path, data in changes.items():
        if data is None:
            path.unlink()
        else:
            path.write_bytes(data)


def _restore(changes: Changes, files: Mapping[Path, bytes]) -> None:
    for path in changes:
        if path in files:
            path.write_bytes(files[path])
        else:
            path.unlink()


def _difference(files: Mapping[Path, bytes], path: Path, changes: Changes) -> str:
    """Where a file differs, for whoever repeats the attack."""
    new = changes[path]
    if new is None:
        return ", ".join(p.name for p in changes if p != path) or "gone"
    first = next((i for i, (a, b) in enumerate(zip(files[path], new, strict=False)) if a != b), -1)
    return f"{len(new)} of {len(files[path])} bytes, the first that differs at {first}"
