"""What can go wrong: errors with a remedy, what is missing, and how a case can end.

Standard library alone: workers import it inside any codec's environment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class _Word(str, Enum):  # noqa: UP042 - StrEnum came with Python 3.11; workers run on 3.10
    """A word of a fixed set, which is written, compared and stored as that word."""

    def __str__(self) -> str:
        return str(self.value)

    def __format__(self, spec: str) -> str:
        return format(self.value, spec)


class Status(_Word):
    """How a case ended."""

    OK = "ok"
    UNAVAILABLE = "unavailable"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    CRASHED = "crashed"
    WRONG_OUTPUT = "wrong_output"
    FAILED = "failed"

    @property
    def words(self) -> str:
        """The form that tables and messages print: ``out of memory``."""
        return self.value.replace("_", " ")


class Reason(_Word):
    """The short code within a status. A crash by a signal carries the signal's name instead."""

    MISSING = "missing"
    """Unavailable: something that the codec needs is missing."""
    IMAGE = "image"
    """The codec does not accept the image, or the image could not be read."""
    ENVIRONMENT = "environment"
    """Unavailable: the codec's environment could not be started."""
    ENGINE = "engine"
    """Crashed: the container engine no longer answers."""
    START = "start"
    """Timeout: the worker did not start."""
    HOST = "host"
    """Out of memory: that of the machine, or the requested limit."""
    DEVICE = "device"
    """Out of memory: that of the device."""
    EXIT = "exit"
    """Crashed: the worker exited."""
    BITSTREAM = "bitstream"
    """Failed: the decoder rejects the bytes."""
    CODEC = "codec"
    """Failed: the codec states the cause."""
    EXCEPTION = "exception"
    """Failed: the adapter raised something else."""
    TYPE = "type"
    """Wrong output: neither bytes nor an array."""
    EMPTY = "empty"
    """Wrong output: no bytes."""
    DTYPE = "dtype"
    """Wrong output: not uint8."""
    SHAPE = "shape"
    """Wrong output: not the height and width of the image."""
    VALUE = "value"
    """Wrong output: a length, a time or a count that cannot be."""
    ANSWER = "answer"
    """Wrong output: the worker's answer is not one to what was asked."""
    OUTSIDE_BYTES = "outside_bytes"
    """The decoder depends on something that is not in the bytes."""


@dataclass(frozen=True)
class Lack:
    """Why something does not work, and what to do about it.

    Attributes:
        problem: What is missing or wrong, by name.
        remedy: The command or step that fixes it; empty where there is none.
    """

    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.problem}; {self.remedy}" if self.remedy else self.problem


class HarnessError(Exception):
    """A problem stated in one or two lines: what is wrong and why, then the remedy.

    Args:
        problem: What is wrong, naming the thing: ``dataset 'kodak' has no files in /data``.
        remedy: What to do about it: ``run 'harness run --dataset kodak'`` or ``""``.
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(f"{problem}; {remedy}" if remedy else problem)
        self.problem = problem
        self.remedy = remedy

    @classmethod
    def of(cls, lack: Lack, what: str = "") -> HarnessError:
        """The error that reports ``lack``, after ``what``: ``codec 'vtm' is unavailable: ...``."""
        return cls(f"{what}: {lack.problem}" if what else lack.problem, lack.remedy)

    @property
    def lack(self) -> Lack:
        """Problem and remedy as a value."""
        return Lack(self.problem, self.remedy)


class ManifestError(HarnessError):
    """A ``codec.toml`` or ``<dataset>.toml`` that does not follow its schema."""


class UnknownName(HarnessError):
    """A name that is not in the catalogue, with the closest ones that are."""

    def __init__(self, kind: str, name: str, known: Iterable[str], remedy: str = "") -> None:
        import difflib

        known = sorted(known)
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"
        super().__init__(f"unknown {kind} {name!r}", f"{hint}{'; ' + remedy if remedy else ''}")


class ImageError(HarnessError):
    """An image file that cannot be measured as it is."""
