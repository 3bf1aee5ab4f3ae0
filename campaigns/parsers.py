"""Malformed input to any parser of ours is accepted within stated bounds, or refused by its error.

Each parser is attacked in a process of its own by inputs that coverage guides (atheris), begun with
valid ones and with those that earlier attacks kept in ``campaigns/corpus``. Nothing else may
happen: no other exception, no crash, no input that takes longer than stated, no more memory.

``python -m campaigns.parsers NAME...`` attacks these parsers with a million inputs each, and keeps
in ``campaigns/corpus`` the few inputs that reach all the code that was reached.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from campaigns.parsing.parser import ROOT, Target
from campaigns.parsing.targets import TARGETS
from campaigns.tally import Effort, Tally

CORPUS = Path(__file__).parent / "corpus"
HANG_SECONDS = 3600
KEPT_BYTES = 20_000
"""Of one parser's corpus: all together stay under half a megabyte."""


def run(effort: Effort) -> list[Tally]:
    """Attack every parser, as many at a time as there are processors."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [*pool.map(lambda name: attack(name, effort), TARGETS)]


def attack(name: str, effort: Effort, keep: Path | None = None) -> Tally:
    """Attack one parser.

    Args:
        name: Of :data:`TARGETS`.
        effort: How much.
        keep: Where the inputs go that reached new code.
    """
    target = TARGETS[name]
    tally = Tally(target.title)
    with tempfile.TemporaryDirectory() as scratch:
        corpus, counts = Path(scratch, "corpus"), Path(scratch, "counts")
        corpus.mkdir()
        kept = [str(CORPUS / name)] if (CORPUS / name).is_dir() else []
        runs = effort.of(target.full, target.short)
        start = time.perf_counter()
        done = _child([name, str(runs), str(effort.seed), str(counts), str(corpus), *kept])
        seconds = time.perf_counter() - start
        _count(tally, target, runs, counts, done)
        if keep is not None:
            _keep(name, corpus, kept, keep)
    print(f"  {name}: {tally.tried:,} inputs in {seconds:.0f} s, {tally.outcomes}", flush=True)
    return tally


def _child(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "campaigns.parsing.child", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=HANG_SECONDS,
        check=False,
    )


def _count(
    tally: Tally, target: Target, runs: int, counts: Path, done: subprocess.CompletedProcess[str]
) -> None:
    """Take the process's counts, and whatever ended it."""
    found = json.loads(counts.read_text()) if counts.is_file() else {}
    for outcome in ("accepted", "refused"):
        if found.get(outcome):
            tally.outcomes[outcome] = found[outcome]
            tally.tried += found[outcome]
    if "broken" in found:
        last = found["trace"].strip().splitlines()[-1]
        tally.broke(f"{last[:300]}, given {found['broken'][:600]}")
    elif tally.tried < runs:  # a process may also end by libFuzzer's alarm after its last input
        inputs = sorted(counts.parent.glob("counts.*-*"))
        given = f", given {inputs[0].read_bytes().hex()[:600]}" if inputs else ""
        reason = [line for line in done.stderr.splitlines() if "ERROR" in line] or ["?"]
        limits = f"{target.seconds} s, {target.megabytes} MB"
        tally.broke(f"exit code {done.returncode}, {reason[0][:200]} (limits: {limits}){given}")


def _keep(name: str, corpus: Path, kept: list[str], folder: Path) -> None:
    """Keep the shortest inputs that reached new code, up to :data:`KEPT_BYTES`."""
    inputs = {path.read_bytes() for place in (str(corpus), *kept) for path in Path(place).iterdir()}
    place = folder / name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    room = KEPT_BYTES
    for number, content in enumerate(sorted(inputs, key=lambda data: (len(data), data))):
        room -= len(content)
        if room < 0:
            break
        (place / f"{number:03d}").write_bytes(content)


if __name__ == "__main__":
    for chosen in sys.argv[1:] or TARGETS:
        attack(chosen, Effort(short=False, seed=int(time.time())), CORPUS)
