"""What the results hold and what they lack: nothing is left out silently."""

from __future__ import annotations

import json
from collections import Counter

import pandas as pd

from harness.analysis.records import status_words
from harness.errors import Status
from harness.report.style import legend_order
from harness.report.tables import BLANK, Cell, Column, Table, count, make_table, words


def coverage_table(frame: pd.DataFrame) -> Table:
    """How many cases of each codec ended how, random weights included and marked."""
    there = set(frame["status"])
    met = [str(status) for status in Status if status in there]
    met += sorted(there - set(met))
    columns = [
        Column("codec", "Codec", is_text=True),
        Column("weights", "Weights", is_text=True),
        Column("cases", "Cases"),
        *(Column(status, status_words(status)) for status in met),
    ]
    groups = [rows for _, rows in frame.groupby(["codec", "weights"], dropna=False, sort=True)]
    groups.sort(key=lambda rows: legend_order(str(rows["codec"].iloc[0])))
    rows = [
        [
            words(str(rows["codec"].iloc[0])),
            words(str(rows["weights"].iloc[0])),
            count(len(rows)),
            *(_some((rows["status"] == status).sum()) for status in met),
        ]
        for rows in groups
    ]
    return make_table("coverage", "Cases by codec and outcome", columns, rows)


def failures_table(frame: pd.DataFrame) -> Table:
    """Every reason why a case or a metric's value is missing, with how often and one message."""
    rows = [*_failed_cases(frame), *_blank_metrics(frame)]
    columns = (
        Column("codec", "Codec", is_text=True),
        Column("outcome", "Outcome", is_text=True),
        Column("reason", "Reason", is_text=True),
        Column("cases", "Cases"),
        Column("message", "For example", is_text=True),
    )
    remarks = [] if rows else ["Every case ended ok and every metric asked for has a value."]
    return make_table("failures", "What is missing, and why", columns, rows, remarks)


def _some(value: int) -> Cell:
    return count(int(value)) if value else Cell(BLANK)


def _failed_cases(frame: pd.DataFrame) -> list[list[Cell]]:
    failed = frame[frame["status"] != Status.OK]
    failed = failed.assign(
        **{
            name: failed[name].fillna("") if name in failed else ""
            for name in ("reason", "message")
        }
    )
    groups = [rows for _, rows in failed.groupby(["codec", "status", "reason"], sort=True)]
    groups.sort(key=lambda rows: legend_order(str(rows["codec"].iloc[0])))
    return [
        [
            words(str(rows["codec"].iloc[0])),
            words(status_words(rows["status"].iloc[0])),
            words(str(rows["reason"].iloc[0])),
            count(len(rows)),
            words(str(rows["message"].iloc[0])),
        ]
        for rows in groups
    ]


def _blank_metrics(frame: pd.DataFrame) -> list[list[Cell]]:
    if "blanks" not in frame:
        return []
    ok = frame[(frame["status"] == Status.OK) & ~frame["blanks"].isin(["", "{}"])]
    reasons: Counter[tuple[str, str, str]] = Counter()
    same = Counter(zip(ok["codec"], ok["blanks"], strict=True))
    for (codec, blanks), cases in same.items():
        for metric, reason in json.loads(blanks).items():
            reasons[codec, metric, str(reason)] += cases
    return [
        [words(codec), words(f"{metric} blank"), words(""), count(cases), words(reason)]
        for (codec, metric, reason), cases in sorted(
            reasons.items(), key=lambda item: (legend_order(item[0][0]), item[0])
        )
    ]
