"""The run that the campaigns attack, and what must be the same after each attack.

Two small photographs, JPEG at two qualities, PSNR and MS-SSIM: four cases in two batches, with a
file of every kind that a run's folder holds.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import time
import warnings
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import skimage.data
from PIL import Image

import harness
from campaigns.launcher import ROOT, Launcher
from harness.store.schema import COLUMNS
from harness.worker.family import is_alive, with_variable

MARK = "HARNESS_CAMPAIGN"
"""The environment variable by which the processes of an attempt are found."""

CODEC = ("--codec", "jpeg", "--rate", "q5,q80")
METRICS = "psnr,ms-ssim"
KINDS = ("cases", "scores", "runs", "cards", "bitstreams", "reconstructions", "logs")
SECONDS_TO_END = 10.0
"""How long a process may outlive the one that it belongs to."""

PRIVATE = f"codec-harness-{os.getuid()}"
"""The folder that a user's runs share in the temporary folder."""

CROPS = {"astronaut": (0, 0, 200, 176), "coffee": (150, 60, 330, 250)}

VARYING = {
    *("run", "invocation", "started", "score_ms", "wall_ms", "load_ms"),
    *(c.name for c in COLUMNS if c.name.startswith(("encode_", "decode_"))),
}
"""The columns that differ from one run to the next: times, memory, and when it was."""

_numbers = itertools.count()


@dataclass(frozen=True)
class Bench:
    """One attempt's folder, with everything that a run writes to inside it.

    Attributes:
        root: The folder: ``results``, ``reports``, ``cache``, and ``tmp`` and ``runtime``, in which
            nothing but the machine's lock may be when a run has ended.
        mark: Marks the processes that are started in it.
        photographs: The folder of photographs.
    """

    root: Path
    mark: str
    photographs: Path

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.root / "results" / "default"

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of its processes."""
        return {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(self.root / "tmp"),
            "XDG_RUNTIME_DIR": str(self.root / "runtime"),
            "HARNESS_CACHE": str(self.root / "cache"),
            "HARNESS_OFFLINE": "1",
            "HARNESS_ADAPTERS": "",
            MARK: self.mark,
        }

    def command(self, metrics: str = METRICS) -> list[str]:
        """The arguments of ``harness`` that measure in it."""
        return [
            *("run", *CODEC, "--dataset", str(self.photographs), "--metric", metrics),
            *("--results", str(self.root / "results"), "--threads", "1", "--no-report"),
        ]

    def remove(self) -> None:
        """Remove it."""
        shutil.rmtree(self.root, ignore_errors=True)


class Workshop:
    """Makes benches in one folder, over the same photographs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.photographs = folder / "photographs"
        self.photographs.mkdir(parents=True)
        for name, box in CROPS.items():
            photograph = Image.fromarray(getattr(skimage.data, name)())
            photograph.crop(box).save(self.photographs / f"{name}.png")

    def bench(self, like: Bench | None = None) -> Bench:
        """A new bench: empty, or with the results and the cache of another."""
        number = next(_numbers)
        root = self.folder / f"bench-{number}"
        for name in ("tmp", "runtime", "reports"):
            (root / name).mkdir(mode=0o700, parents=True)
        if like is not None:
            for name in ("results", "cache"):
                shutil.copytree(like.root / name, root / name)
        return Bench(root, f"{os.getpid()}-{number}", self.photographs)

    def undisturbed(self, launcher: Launcher) -> Bench:
        """A new bench in which the command was carried out, with nothing in its way."""
        bench = self.bench()
        done = launcher.run(bench.command(), bench.environment, bench.root)
        assert done.code == 0, done.output
        return bench


@dataclass(frozen=True)
class Truth:
    """What an undisturbed run left: its records, and the digests of its files.

    Attributes:
        frame: Its records, in every column, by case.
        files: The sha256 of the files that are the same in every run, by their path.
    """

    frame: pd.DataFrame
    files: dict[str, str]

    @classmethod
    def of(cls, bench: Bench) -> Truth:
        """The truth, taken from a bench where the command was carried out undisturbed."""
        return cls(records(bench.folder), kept_files(bench.folder))

    def differences(
        self, bench: Bench, *, damaged: bool = False, but: AbstractSet[str] = frozenset()
    ) -> list[str]:
        """What is not as it must be after a run that was attacked was completed.

        Args:
            bench: Where it was.
            damaged: Whether files were damaged, so that the run's folder holds them set aside.
            but: Kept files that need not be the same.
        """
        found = [*left_over(bench, damaged=damaged), *still_running(bench)]
        try:
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always")
                frame = records(bench.folder)
        except Exception as error:  # noqa: BLE001 - whatever a reader raises is a finding
            return [*found, f"the records cannot be read: {type(error).__name__}: {error}"]
        found += [f"a reader warns: {w.message}" for w in warned]
        found += self._differing_records(frame)
        files = kept_files(bench.folder)
        for name in sorted((files.keys() | self.files.keys()) - but):
            if name not in files:
                found.append(f"{name} is missing")
            elif name not in self.files:
                found.append(f"{name} is one too many")
            elif files[name] != self.files[name]:
                found.append(f"{name} has other bytes")
        return found

    def _differing_records(self, frame: pd.DataFrame) -> Iterator[str]:
        if not frame.index.is_unique:
            yield "a case has two records"
            return
        for case in self.frame.index.difference(frame.index):
            yield f"case {case[:8]} is lost"
        for case in frame.index.difference(self.frame.index):
            yield f"case {case[:8]} is one too many"
        for case in frame.index.intersection(self.frame.index):
            row, expected = frame.loc[case], self.frame.loc[case]
            for column in self.frame.columns:
                if column not in VARYING and not same(row[column], expected[column]):
                    yield f"{column} of {case[:8]} is {row[column]!r}, not {expected[column]!r}"


def records(folder: Path) -> pd.DataFrame:
    """The records of a run's folder, by case."""
    return harness.load_results(folder).set_index("case").sort_index()


def same(value: object, expected: object) -> bool:
    """Whether two cells are equal, exactly; blanks are."""
    if isinstance(value, float | None) and isinstance(expected, float | None):
        return value == expected or (bool(pd.isna(value)) and bool(pd.isna(expected)))
    if hasattr(value, "tolist"):
        value = value.tolist()
    if hasattr(expected, "tolist"):
        expected = expected.tolist()
    if value is pd.NaT or expected is pd.NaT or value is pd.NA or expected is pd.NA:
        return value is expected
    return type(value) is type(expected) and value == expected


def kept_files(folder: Path) -> dict[str, str]:
    """The sha256 of a run's kept files and cards, by their path in the folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for kind in ("bitstreams", "reconstructions", "cards")
        for path in sorted((folder / kind).rglob("*"))
        if path.is_file()
    }


def left_over(bench: Bench, *, damaged: bool = False) -> Iterator[str]:
    """What a run left behind that it should have removed."""
    for path in sorted(bench.folder.rglob("*")):
        kind = path.relative_to(bench.folder).parts[0]
        known = (*KINDS, "damaged") if damaged else KINDS
        expected = kind in known if path.parent != bench.folder else kind in {*known, "store.json"}
        if not expected or path.name[0] == "." or path.suffix in {".part", ".tmp"}:
            yield f"left in the run's folder: {path.relative_to(bench.folder)}"
    for name, remains in (("tmp", ".lock"), ("runtime", ".lock"), ("cache", ".sqlite")):
        for path in sorted((bench.root / name).rglob("*")):
            relative = path.relative_to(bench.root / name)
            if path.is_dir() and (name == "cache" or str(relative) == PRIVATE):
                continue
            if path.suffix != remains and not _is_probe(path):
                yield f"left in {name}: {relative}"


def _is_probe(path: Path) -> bool:
    """Whether a file is the one with which Python's ``tempfile`` tries a folder."""
    return path.is_file() and len(path.name) == 8 and path.read_bytes() in {b"", b"blat"}


def still_running(bench: Bench) -> list[str]:
    """The processes of a bench that do not end, some seconds after what started them has."""
    deadline = time.monotonic() + SECONDS_TO_END
    while running := [*filter(is_alive, with_variable(MARK, bench.mark))]:
        if time.monotonic() > deadline:
            return [f"{_command(pid)} is still running" for pid in running]
        time.sleep(0.01)
    return []


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return f"process {pid}"
