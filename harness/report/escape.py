"""Names and messages in the formats of a report, so that none of them is taken for markup.

LaTeX, whose escapes depend on the place, has :mod:`harness.report.latex`.
"""

from __future__ import annotations

import html
import re
from urllib.parse import quote

from harness.text import one_line, printable

FORMULA = ("=", "+", "-", "@", "\t", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for the beginning of a formula, the wide forms too."""


def for_html(text: str) -> str:
    """Text for an element or an attribute of a page."""
    return html.escape(printable(text))


def for_markdown(text: str) -> str:
    """Text in one line in which Markdown sees neither a mark nor HTML."""
    escaped = re.sub(r"([\\`*_|<>\[\]~$&#])", r"\\\1", one_line(text))
    return re.sub(r"^(\s*\d*)([-+.)])(?=\s|$)", r"\1\\\2", escaped)


def code_for_markdown(text: str) -> str:
    """Text as it is, as Markdown's inline code."""
    line = one_line(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    return f"{fence} {line} {fence}" if "`" in line else f"{fence}{line}{fence}"


def path_for_markdown(path: str) -> str:
    """A relative path for the target of a link: its special characters percent-encoded."""
    return quote(path)


def for_csv(text: str) -> str:
    """Text that no spreadsheet computes: an apostrophe before what it would take for a formula.

    Numbers do not come here: they stay numbers, the negative ones too.
    """
    cleaned = printable(text)
    return f"'{cleaned}" if cleaned.startswith(FORMULA) else cleaned
