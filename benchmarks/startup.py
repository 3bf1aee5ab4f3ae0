"""How much longer than ``python -c pass`` the commands that people type most take to answer.

Goal: at most 0.25 s longer. Prints a Markdown table.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

REPEATS = 15
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "harness --help": ["-m", "harness", "--help"],
    "harness list codecs": ["-m", "harness", "list", "codecs"],
    "harness list datasets": ["-m", "harness", "list", "datasets"],
}


def seconds(arguments: list[str]) -> float:
    """Wall time of one run of the interpreter."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Interleave the commands, so that drift meets them all."""
    samples: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for arguments in COMMANDS.values():
        seconds(arguments)
    for _ in range(REPEATS):
        for name, arguments in COMMANDS.items():
            samples[name].append(seconds(arguments))
    base = statistics.median(samples["python -c pass"])
    print("| command | median (s) | over `python -c pass` (s) |")
    print("|---|---:|---:|")
    for name, values in samples.items():
        median = statistics.median(values)
        print(f"| `{name}` | {median:.3f} | {median - base:+.3f} |")


if __name__ == "__main__":
    main()
