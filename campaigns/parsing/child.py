"""Attacks one parser in a process of its own, which a crash, a hang or a full memory ends.

::

    python -m campaigns.parsing.child NAME RUNS SEED COUNTS CORPUS...

New inputs that reach new code are added to the first corpus. The counts are written as JSON.
"""

from __future__ import annotations

import atexit
import json
import random
import sys
import traceback
from pathlib import Path

import atheris

from campaigns.parsing.parser import Parser, Target
from campaigns.parsing.targets import TARGETS

INSTRUMENTED = ["harness", "tomllib", "PIL", "zipfile"]
ADAPTERS = ["control_gic", "dcvc_rt", "diffeic", "lic_hpcm", "oscar", "progic", "vtm"]


def main() -> None:
    """Attack the parser that the command line names."""
    name, runs, seed, counts, *corpus = sys.argv[1:]
    target = TARGETS[name]
    with atheris.instrument_imports(include=INSTRUMENTED + ADAPTERS, enable_loader_override=False):
        parser = target.make()
    for number, content in enumerate(parser.seeds):
        Path(corpus[0], f"seed-{number}").write_bytes(content)
    record = Counts(parser, Path(counts))
    atexit.register(record.write)
    arguments = [sys.argv[0], *options(target, int(runs), int(seed), Path(counts)), *corpus]
    if tokens := [*parser.tokens]:
        words = Path(counts).with_suffix(".words")
        words.write_text("".join(f'"{_quoted(token)}"\n' for token in tokens))
        arguments.insert(1, f"-dict={words}")
    mutate = None if parser.repair is None else mending(parser)
    atheris.Setup(arguments, record.attack, custom_mutator=mutate)
    atheris.Fuzz()


def options(target: Target, runs: int, seed: int, counts: Path) -> list[str]:
    """What libFuzzer is told."""
    return [
        f"-atheris_runs={runs}", f"-seed={seed % (1 << 31) or 1}", f"-timeout={target.seconds}",
        f"-rss_limit_mb={target.megabytes}", f"-max_len={target.longest}", "-print_final_stats=1",
        f"-artifact_prefix={counts}.", "-reload=0",
    ]  # fmt: skip


def mending(parser: Parser):  # type: ignore[no-untyped-def]  # noqa: ANN201
    """A mutation after which the checksum is right, seven times of eight."""
    repair = parser.repair
    assert repair is not None

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        mutated: bytes = atheris.Mutate(data, max_size)
        if random.Random(seed).random() < 1 / 8:
            return mutated
        return repair(mutated)[:max_size]

    return mutate


class Counts:
    """Counts the inputs that were accepted and refused, and keeps the first that was neither."""

    def __init__(self, parser: Parser, path: Path) -> None:
        self._accepts = parser.accepts
        self._path = path
        self._counts: dict[str, int | str] = {"accepted": 0, "refused": 0}
        self._accepted = self._refused = 0

    def attack(self, data: bytes) -> None:
        """Give the parser an input."""
        try:
            accepted = self._accepts(data)
        except BaseException:
            self._counts["broken"] = data.hex()
            self._counts["trace"] = traceback.format_exc()
            self.write()
            raise
        if accepted:
            self._accepted += 1
        else:
            self._refused += 1

    def write(self) -> None:
        """Write the counts."""
        self._counts |= {"accepted": self._accepted, "refused": self._refused}
        self._path.write_text(json.dumps(self._counts))


def _quoted(token: str) -> str:
    return "".join(c if c.isalnum() else f"\\x{ord(c):02x}" for c in token)


if __name__ == "__main__":
    main()
