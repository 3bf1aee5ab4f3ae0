"""What a parser under attack is, and how it is called."""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Parser:
    """A parser, ready to be called.

    Attributes:
        accepts: Takes bytes; whether they were accepted as a value within the stated bounds, or
            refused by the documented error. Whatever else it raises breaks the claim.
        seeds: Inputs to start from, most of them valid.
        repair: Mends the checksum of mutated bytes, so that what lies behind it is reached.
        tokens: Words that inputs are made of.
    """

    accepts: Callable[[bytes], bool]
    seeds: Iterable[bytes]
    repair: Callable[[bytes], bytes] | None = None
    tokens: Iterable[str] = ()


@dataclass(frozen=True)
class Target:
    """A parser to attack, which is imported only when it is.

    Attributes:
        title: What the table calls it.
        make: Imports the parser.
        full: The number of inputs.
        short: The number for every change.
        seconds: The longest that one input may take.
        megabytes: The most memory that the process may take.
        longest: The longest input, in bytes.
    """

    title: str
    make: Callable[[], Parser]
    full: int = 1_000_000
    short: int = 30_000
    seconds: int = 10
    megabytes: int = 1024
    longest: int = 4096


def adapter(name: str) -> None:
    """Make the adapter's folder importable under its own name, as a worker does."""
    if name not in sys.modules:
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(ROOT / "adapters" / name)]
        sys.modules[name] = importlib.util.module_from_spec(spec)


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder in memory, where there is one."""
    memory = Path("/dev/shm")  # noqa: S108
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


def refused_by(
    errors: type[BaseException] | tuple[type[BaseException], ...], parse: Callable[[bytes], object]
) -> Callable[[bytes], bool]:
    """A parser whose documented errors are a refusal."""

    def accepts(data: bytes) -> bool:
        try:
            parse(data)
        except errors:
            return False
        return True

    return accepts


def in_file(name: str, parse: Callable[[Path], object]) -> Callable[[bytes], object]:
    """Calls a parser of files with bytes."""
    context = contextlib.ExitStack()
    atexit.register(context.close)
    path = context.enter_context(scratch()) / name

    def parse_bytes(data: bytes) -> object:
        path.write_bytes(data)
        return parse(path)

    return parse_bytes
