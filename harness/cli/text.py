"""Numbers as people write them."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """A number of things whose plural ends in s: ``1 case``, ``2 cases``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def duration(seconds: float) -> str:
    """A time: ``42 s``, ``3 min 05 s``, ``2 h 07 min``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def size(number: float) -> str:
    """A number of bytes, with SI prefixes: ``3.9 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:  # noqa: PLR2004 - the step of SI prefixes
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} TB"
