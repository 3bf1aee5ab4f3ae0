"""Whether the modules and programs that a codec requires are on this machine."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from functools import cache
from pathlib import Path

from harness.catalog.codec_spec import Requirement
from harness.codec import find_program
from harness.errors import Lack

STATEMENT_SECONDS = 30.0


def requirement_lack(requirement: Requirement) -> Lack | None:
    """Why a module or program cannot be used on this machine, or ``None`` if it can."""
    if requirement.kind == "module":
        if importlib.util.find_spec(requirement.name.partition(".")[0]) is not None:
            return None
    elif program := find_program((requirement.name, *requirement.also), requirement.variable):
        return _statement_lack(program, requirement)
    chosen = os.environ.get(requirement.variable)
    where = f" in {chosen}, which {requirement.variable} names" if chosen else ""
    return Lack(f"{requirement.kind} '{requirement.name}' not found{where}", requirement.install)


def _statement_lack(program: Path, requirement: Requirement) -> Lack | None:
    if not requirement.states:
        return None
    printed = _printed(program, program.stat().st_mtime_ns)
    if requirement.states in printed:
        return None
    first = next((line.strip() for line in printed.splitlines() if line.strip()), "nothing")
    problem = f"{program} does not state '{requirement.states.strip()}' but: {first[:200]}"
    return Lack(problem, requirement.install)


@cache
def _printed(program: Path, _changed_ns: int) -> str:
    """What a program prints when it is started without arguments."""
    try:
        run = subprocess.run(
            [str(program)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=STATEMENT_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"it does not run: {error}"
    return run.stdout.decode(errors="replace")
