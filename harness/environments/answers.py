"""Whether what a worker sent can be an answer to what it was asked.

A codec shares its process with the code that answers, and may send anything. So everything that a
worker says is checked here, once, where it arrives. What passes has the types and ranges that the
records need; its texts hold nothing that a terminal, a table or UTF-8 would stumble over.
"""

from __future__ import annotations

import json
import math
import signal
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import Reason, Status
from harness.worker import wire
from harness.worker.timing import Calls

LATENESS_MS = 1000.0
"""By how much a time may exceed that which the harness waited: programs round their own times."""

MAX_TEXT = 4000
MAX_INTEGER = 2**63 - 1

UNSAFE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Categories of characters that are shown by their number: control, direction, surrogates, ..."""


class BadAnswer(Exception):
    """A worker's answer cannot be one to what it was asked; the message says what it did."""


@dataclass(frozen=True)
class Rule:
    """What a field must hold: in words, and as a test of a value that came out of JSON."""

    words: str
    holds: Callable[[Any], bool]

    def or_null(self) -> Rule:
        """The same, or null."""
        return Rule(f"{self.words}, or null", lambda value: value is None or self.holds(value))

    def list_of(self, least: int, most: int) -> Rule:
        """A list of ``least`` to ``most`` of these."""
        return Rule(
            f"{least} to {most} times {self.words}",
            lambda value: (
                type(value) is list and least <= len(value) <= most and all(map(self.holds, value))
            ),
        )


def integer(least: int, most: int = MAX_INTEGER) -> Rule:
    """A whole number between two; ``True`` is none."""
    return Rule(
        f"a whole number from {least} to {most}",
        lambda value: type(value) is int and least <= value <= most,
    )


def one_of(*words: str) -> Rule:
    """One of a few texts."""
    return Rule(f"one of {', '.join(words)}", lambda value: type(value) is str and value in words)


def _is_facts(value: Any) -> bool:
    return type(value) is dict and all(
        type(one) in {str, bool}
        or (type(one) is int and abs(one) <= MAX_INTEGER)
        or (type(one) is float and math.isfinite(one))
        for one in value.values()
    )


TEXT = Rule("a text", lambda value: type(value) is str)
TRUTH = Rule("true or false", lambda value: type(value) is bool)
COUNT = integer(0)
TIME = Rule(
    "a time in ms, 0 or more",
    lambda value: type(value) in {int, float} and 0 <= value < MAX_INTEGER,  # a NaN is not
)
FACTS = Rule("names with a text, a number or a truth value each", _is_facts)

ERROR = {
    "status": one_of(
        Status.UNAVAILABLE, Status.OUT_OF_MEMORY, Status.CRASHED, Status.WRONG_OUTPUT, Status.FAILED
    ),
    "reason": one_of(*Reason, *signal.Signals.__members__),
    "problem": TEXT,
    "remedy": TEXT,
}
"""The answer to any request that failed."""


def parsed(text: bytes) -> wire.Header:
    """The header of a frame.

    Raises:
        BadAnswer: It is not a JSON object.
    """
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadAnswer("it sent something other than JSON") from error
    if type(header) is not dict:
        raise BadAnswer("it sent JSON that is not an object")
    return header


def event_of(header: wire.Header, identity: int) -> str:
    """Which event a frame tells: ``call``, ``done`` or ``error``.

    Raises:
        BadAnswer: None, or of another request.
    """
    if type(header.get("id")) is not int or header["id"] != identity:
        raise BadAnswer("it answered another request")
    event = header.get("event")
    if event not in ("call", "done", "error"):
        raise BadAnswer("it sent neither an answer nor an error")
    return str(event)


def checked(header: wire.Header, rules: Mapping[str, Rule]) -> wire.Header:
    """The fields of an answer, each as its rule says, their texts made safe.

    Raises:
        BadAnswer: A field is missing, too many, or not what it must be.
    """
    fields = {name: value for name, value in header.items() if name not in ("id", "event")}
    if fields.keys() != rules.keys():
        raise BadAnswer(f"its answer does not have the fields {', '.join(rules)}")
    for name, rule in rules.items():
        if not rule.holds(fields[name]):
            raise BadAnswer(f"its answer's {name} is not {rule.words}")
    return {name: _safe(value) for name, value in fields.items()}


def figures(calls: Calls) -> dict[str, Rule]:
    """What an answer with measurements holds of them."""
    memory = COUNT.or_null()
    return {
        "samples_ms": TIME.list_of(1, calls.most),
        "peak_rss_bytes": memory,
        "peak_device_bytes": memory,
        "peak_device_reserved_bytes": memory,
    }


def check_length(length: int, least: int, most: int) -> None:
    """Check how many bytes follow a header, before any is received.

    Raises:
        BadAnswer: Too few or too many.
    """
    if not least <= length <= most:
        raise BadAnswer(f"it sent {length} bytes where {least} to {most} may follow")


def fewer(calls: int) -> int:
    """How many calls are left once another begins.

    Raises:
        BadAnswer: None were left.
    """
    if calls < 1:
        raise BadAnswer("it made more calls than it may")
    return calls - 1


def check_times(answer: wire.Header, waited_ms: float) -> None:
    """Check that nothing took longer than the harness waited.

    Raises:
        BadAnswer: Something did.
    """
    times = [*answer.get("samples_ms", ()), answer.get("load_ms", 0)]
    if max(times) > waited_ms + LATENESS_MS:
        raise BadAnswer(f"it answered with a time of {max(times):g} ms after {waited_ms:.0f} ms")


def safe(text: str) -> str:
    """The text with unsafe characters written as escapes, and cut after 4000 characters.

    Newlines and tabs stay as they are.
    """
    if len(text) > MAX_TEXT:
        text = f"{text[:MAX_TEXT]}... ({len(text) - MAX_TEXT} more characters)"
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character
        if character in "\n\t" or unicodedata.category(character) not in UNSAFE
        else character.encode("unicode_escape").decode()
        for character in text
    )


def _safe(value: Any) -> Any:
    if type(value) is str:
        return safe(value)
    if type(value) is dict:
        return {safe(name): _safe(one) for name, one in value.items()}
    return value
