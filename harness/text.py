"""Text from elsewhere, such as names and messages, made fit for any document and terminal."""

from __future__ import annotations

import os
import re

UNPRINTABLE = re.compile(
    "[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
    "|[\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
"""What XML forbids (control characters, halves of characters, which stand in for bytes that are not
UTF-8), what a terminal obeys, and what ends a line or turns the direction of text around."""

UNFIT_NAME = re.compile(f"[\t\n]|{UNPRINTABLE.pattern}")
"""The same for names, which have one line."""


def printable(text: str) -> str:
    """Text that any document and terminal can hold: a replacement mark for what none should."""
    return UNPRINTABLE.sub(
        "\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n").replace("\r", "\n")
    )


def one_line(text: str) -> str:
    """Printable text without line breaks."""
    return printable(text).replace("\n", " ")


def escaped(text: str) -> str:
    """Text with escapes in place of what is unprintable; its lines and tabs stay."""
    return UNPRINTABLE.sub(_escape, text)


def shown(name: str | os.PathLike[str]) -> str:
    """A name or a path as messages show it, in one line: what is unfit is escaped.

    A file's name may hold any byte but ``/`` and 0: escape sequences of terminals, newlines, and
    bytes that are not UTF-8.
    """
    return UNFIT_NAME.sub(_escape, os.fspath(name))


def is_printable(name: str) -> bool:
    """Whether a name can stand in records, tables and on a terminal as it is."""
    return UNFIT_NAME.search(name) is None


def _escape(found: re.Match[str]) -> str:
    return ascii(found[0])[1:-1]
