"""What the results hold and what they lack: nothing is left out silently."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

import pandas as pd

from harness.analysis.records import metrics_in, status_words
from harness.catalog.metrics import METRICS, Metric
from harness.errors import Status
from harness.report.style import legend_order
from harness.report.tables import BLANK, Cell, Column, Table, count, make_table, words

NOT_SCORED = "not asked for, or not finished"


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
    """What is missing over all records: cases that failed, and values that are blank.

    A blank has its reason where the metric was asked for and is undefined; without one it was not
    scored, in this invocation or any other.
    """
    scored = frame[(frame["status"] == Status.OK) & (frame["weights"] != "random")]
    metrics = metrics_in(scored)
    asked = {name for blanks in _stated(scored) for name in blanks}
    rows = [*_failed_cases(frame), *_blank_metrics(scored, metrics)]
    columns = (
        Column("codec", "Codec", is_text=True),
        Column("outcome", "Outcome", is_text=True),
        Column("reason", "Reason", is_text=True),
        Column("cases", "Cases"),
        Column("of", "Of"),
        Column("message", "For example", is_text=True),
    )
    titles = ", ".join(metric.title for metric in metrics)
    remarks = []
    if not rows:
        remarks.append(f"Every case ended ok{f' and has a value of {titles}' if titles else ''}.")
    unscored = [m.title for m in METRICS.values() if m not in metrics and m.name not in asked]
    if unscored and len(scored):
        remarks.append(f"Without any value: {', '.join(unscored)} ({NOT_SCORED}).")
    if (frame["weights"] == "random").any():
        remarks.append("Cases with random weights are never scored, and not counted as blank.")
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
            count(int((frame["codec"] == rows["codec"].iloc[0]).sum())),
            words(str(rows["message"].iloc[0])),
        ]
        for rows in groups
    ]


def _blank_metrics(scored: pd.DataFrame, metrics: Sequence[Metric]) -> list[list[Cell]]:
    """A row for each codec, metric and reason; the metrics are those that any record has."""
    rows = []
    for codec in sorted(scored["codec"].unique(), key=legend_order):
        cases = scored[scored["codec"] == codec]
        stated = _stated(cases)
        asked = {name for blanks in stated for name in blanks} - {m.name for m in metrics}
        for name in (*(metric.name for metric in metrics), *sorted(asked)):
            blank = cases[name].isna() if name in cases else [True] * len(cases)
            reasons = Counter(
                blanks.get(name, NOT_SCORED)
                for blanks, is_blank in zip(stated, blank, strict=True)
                if is_blank
            )
            rows += [
                [
                    words(codec), words(f"{name} blank"), words(""), count(number),
                    count(len(cases)), words(str(reason)),
                ]
                for reason, number in sorted(reasons.items())
            ]  # fmt: skip
    return rows


def _stated(cases: pd.DataFrame) -> list[dict[str, str]]:
    """Of each case the reasons for its blanks, by metric."""
    if "blanks" not in cases:
        return [{}] * len(cases)
    texts = cases["blanks"].fillna("")
    read = {text: json.loads(text or "{}") for text in texts.unique()}
    return [read[text] for text in texts]
