"""What times depend on besides the codec: they are compared only where all of it agrees."""

from __future__ import annotations

from typing import Any

import pandas as pd

INLINE = "inline"
"""The environment of codecs that run on the harness's own interpreter."""

CONDITIONS = {
    "machine": "machine",
    "device": "device",
    "threads": "number of threads",
    "environment": "environment",
    "timing_scope": "scope of timing",
}
"""The columns that must agree, and what they are called."""

DEFAULTS: dict[str, Any] = {
    "machine": "",
    "device": "cpu",
    "threads": pd.NA,
    "environment": INLINE,
    "timing_scope": "call",
    "shared_encode": False,
}
"""What holds where results lack the column."""


def with_conditions(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with every column of :data:`DEFAULTS`, and an environment in every row."""
    frame = frame.assign(**{k: v for k, v in DEFAULTS.items() if k not in frame})
    return frame.assign(environment=frame["environment"].fillna(INLINE).replace("", INLINE))


def environment_name(environment: str) -> str:
    """The environment as tables print it: ``inline``, ``venv NAME`` or ``docker NAME``.

    Args:
        environment: As records have it: ``inline``, ``inline:LIBRARY@VERSION,...``,
            ``venv:NAME@TAG`` or ``docker:NAME@TAG``.
    """
    kind, _, rest = environment.partition(":")
    return kind if kind == INLINE else f"{kind} {rest.partition('@')[0]}".strip()


def environment_detail(environment: str) -> str:
    """What the name leaves out: the codec's own libraries, or the tag of the recipe."""
    kind, _, rest = environment.partition(":")
    if kind == INLINE:
        libraries = rest.replace("@", " ").replace(",", ", ")
        return f"with {libraries}" if libraries else "versions of libraries not recorded"
    return f"recipe {rest.partition('@')[2] or 'not recorded'}"
