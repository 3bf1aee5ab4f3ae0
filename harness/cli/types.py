"""The values that options take, and how a wrong one is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click


class AtLeast(click.IntRange):
    """A whole number that is not under ``least``."""

    def __init__(self, least: int) -> None:
        super().__init__(min=least)
        self.least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number."""
        number: int = click.INT.convert(value, param, ctx)
        if number < self.least:
            self.fail(f"must be at least {self.least}, not {number}", param, ctx)
        return number


class Positive(click.FloatRange):
    """A finite number above 0."""

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number."""
        number: float = click.FLOAT.convert(value, param, ctx)
        if not 0 < number < math.inf:
            self.fail(f"must be above 0, not {number:g}", param, ctx)
        return number


class FolderName(click.ParamType[str]):
    """The name of a folder within another: no path, and not that folder itself or its parent."""

    name = "name"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name as it is."""
        if value in {"", ".", ".."} or Path(value).name != value or "\0" in value:
            self.fail(f"must be the name of a folder, without '/', not {value!r}", param, ctx)
        return value


class Exclusion(click.ParamType[tuple[str, float]]):
    """``codec:bpp``: a codec, and the mean bpp under which its rate points are left out."""

    name = "codec:bpp"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        """The codec's name and the bpp."""
        codec, _, bpp = value.rpartition(":")
        try:
            least = float(bpp)
        except ValueError:
            least = math.nan
        if not codec or not 0 <= least < math.inf:
            self.fail(f"{value!r} is not of the form codec:bpp, as control-gic:0.15", param, ctx)
        return codec, least
