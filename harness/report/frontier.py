"""The largest image that each codec encodes and decodes, and what keeps it from a larger one."""

from __future__ import annotations

from typing import Any

import pandas as pd

from harness.analysis.records import status_words
from harness.errors import Status
from harness.report.style import legend_order
from harness.report.tables import Cell, Column, Table, make_table, number, words

COLUMNS = (
    Column("codec", "Codec", is_text=True),
    Column("fits", "Fits", is_text=True),
    Column("megapixels", "Megapixels ↑", "higher"),
    Column("fails", "Fails", is_text=True),
    Column("how", "Why no larger", is_text=True),
)

TRIED = "tried"
"""What the column ``frontier`` holds in rows of the search but the one that says how it ended."""


def frontier_table(frame: pd.DataFrame) -> Table | None:
    """The largest image that each codec coded, and why there is no larger one.

    A codec is shown if it failed at a larger size or if its largest image was searched for.

    Args:
        frame: Results, in the columns of :func:`harness.load_results`. The column ``frontier``,
            which may be missing, is null in rows that are not of the search, and in the row of
            the largest image that went well the reason why the search ended.

    Returns:
        ``None`` where there is no such codec.
    """
    tried = frame[frame["height"].notna() & (frame["status"] != Status.UNAVAILABLE)]
    pixels = tried["height"].astype("int64") * tried["width"].astype("int64")
    search = tried["frontier"] if "frontier" in tried else pd.Series(None, tried.index, object)
    tried = tried.assign(pixels=pixels, frontier=search).sort_values("pixels", kind="stable")
    codecs = sorted(tried["codec"].unique(), key=legend_order)
    rows = [row for codec in codecs if (row := _row(tried[tried["codec"] == codec]))]
    if not rows:
        return None
    remark = "Sizes that were tried; the search ends when the gap is under a tenth."
    return make_table("frontier", "Largest image that fits", COLUMNS, rows, [remark])


def _row(records: pd.DataFrame) -> list[Cell] | None:
    """The row of one codec, whose records come by rising number of pixels."""
    well = records[records["status"] == Status.OK]
    largest = None if well.empty else well.iloc[-1]
    beyond = records[records["status"] != Status.OK]
    if largest is not None:
        beyond = beyond[beyond["pixels"] > largest["pixels"]]
    search = records["frontier"].dropna()
    if beyond.empty and search.empty:
        return None
    ended = search[search != TRIED]
    reason = "the search has not ended" if ended.empty else str(ended.iloc[-1])
    fails = None if beyond.empty else beyond.iloc[0]
    return [
        words(str(records["title"].iloc[0])),
        words("none" if largest is None else _size(largest)),
        number(None if largest is None else largest["pixels"] / 1e6, 1),
        words("" if fails is None else _size(fails)),
        words(reason if fails is None else status_words(fails["status"])),
    ]


def _size(record: Any) -> str:
    return f"{int(record['height'])}x{int(record['width'])}"
