"""Runs campaigns, prints their counts and writes them into ``docs/reliability.md``."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import harness
from campaigns.tally import Effort, Tally
from harness.paths import whole

CAMPAIGNS = ("kills", "corruption", "disks", "together", "codecs", "parsers", "hostile")
ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reliability.md"


def main() -> int:
    """Run the campaigns asked for. 1 if any claim was broken."""
    parser = argparse.ArgumentParser(prog="python -m campaigns", description=__doc__)
    parser.add_argument("campaign", nargs="*", choices=[[], *CAMPAIGNS], help="all, if none")
    parser.add_argument("--short", action="store_true", help="the part for every change")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="by default, the time")
    parser.add_argument("--write", action="store_true", help=f"record the result in {PAGE.name}")
    chosen = parser.parse_args()
    effort = Effort(chosen.short, chosen.seed)
    names = chosen.campaign or CAMPAIGNS
    broken = 0
    for name in names:
        module = importlib.import_module(f"campaigns.{name}")
        claim = (module.__doc__ or "").partition("\n")[0]
        print(f"== {name}: {claim}  (seed {effort.seed})", flush=True)
        start = time.perf_counter()
        tallies: list[Tally] = module.run(effort)
        section = markdown(name, claim, tallies, effort, time.perf_counter() - start)
        print(section, flush=True)
        broken += sum(len(tally.broken) for tally in tallies)
        if chosen.write:
            record(name, section)
    print(f"{broken} broken" if broken else "everything held")
    return 1 if broken else 0


def markdown(name: str, claim: str, tallies: list[Tally], effort: Effort, seconds: float) -> str:
    """One campaign's result as a section of the page."""
    short = " --short" if effort.short else ""
    made = (
        f"`python -m campaigns {name}{short} --seed {effort.seed}`, {datetime.now(UTC):%Y-%m-%d}, "
        f"harness {harness.__version__} at {_revision()}, {_processor()}, {seconds:.0f} s."
    )
    lines = [
        f"### {claim}",
        "",
        made,
        "",
        "| attack | attempts | broken | how the others ended |",
        "|---|---|---|---|",
    ]
    for tally in tallies:
        ended = ", ".join(f"{outcome}: {count:,}" for outcome, count in tally.outcomes.items())
        lines.append(f"| {tally.attack} | {tally.tried:,} | {len(tally.broken):,} | {ended} |")
    tried, broken = sum(t.tried for t in tallies), sum(len(t.broken) for t in tallies)
    lines.append(f"| **together** | **{tried:,}** | **{broken:,}** | |")
    for tally in tallies:
        lines += [
            f"\n- **broken**, {tally.attack}: {' '.join(what.split())}" for what in tally.broken
        ]
    return "\n".join(lines) + "\n"


def record(name: str, section: str) -> None:
    """Replace the campaign's section of the page."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    page = PAGE.read_text()
    assert pattern.search(page), f"{PAGE} has no place for {name}"
    new = pattern.sub(lambda _: f"{begin}\n{section}\n{end}", page)
    with whole(PAGE) as temporary:
        temporary.write_text(new)


def _revision() -> str:
    """The commit; ``-dirty`` if a file but the page, which a campaign writes, differs from it."""

    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    changed = git(
        "status", "--porcelain", "--untracked-files=no", ".", f":!{PAGE.relative_to(ROOT)}"
    )
    commit = git("rev-parse", "--short", "HEAD") or "an unknown revision"
    return f"{commit}-dirty" if changed else commit


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return f"{os.cpu_count()} cores of {line.partition(':')[2].strip()}"
    return platform.machine()


if __name__ == "__main__":
    sys.exit(main())
