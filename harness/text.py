"""Text from elsewhere, such as names and messages, made fit for any document and terminal."""

from __future__ import annotations

import re

UNPRINTABLE = re.compile(
    "[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
    "|[\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
"""What XML forbids (control characters, halves of characters), what a terminal obeys, and what ends
a line or turns the direction of text around."""


def printable(text: str) -> str:
    """Text that any document and terminal can hold: a replacement mark for what none should."""
    return UNPRINTABLE.sub(
        "\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n").replace("\r", "\n")
    )


def one_line(text: str) -> str:
    """Printable text without line breaks."""
    return printable(text).replace("\n", " ")
