"""Reads results into a tidy DataFrame."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa

from harness.errors import HarnessError, Status
from harness.store import schema
from harness.store.documents import DamagedDocument
from harness.store.records import CaseRecord
from harness.store.run_store import check_version
from harness.store.shards import DamagedShard, latest, list_shards, read_shard
from harness.store.unpack import results_folder


def load_results(path: str | Path) -> pd.DataFrame:
    """One row per case, in the columns of :data:`harness.store.schema.COLUMNS`.

    Args:
        path: A results folder, all of whose runs are read, the folder of one run, or a bundle.

    Raises:
        HarnessError: There are no results, or a newer harness wrote them.

    A damaged shard is left out with a warning that names it.
    """
    with results_folder(Path(path).expanduser()) as folder:
        return _load(folder)


def _load(folder: Path) -> pd.DataFrame:
    runs = list(run_folders(folder))
    if not runs:
        raise HarnessError(
            f"no results in {folder}", "name a results folder, or create one with 'harness run'"
        )
    frames = [_load_run(run) for run in runs]
    return pd.concat([f for f in frames if len(f)] or frames[:1], ignore_index=True)


def read_cases(folder: Path) -> list[CaseRecord]:
    """The latest record of each case in one run's folder, without scores."""
    rows = _read_all(folder / "cases", schema.CASES, ["case"]).to_pylist()
    return [CaseRecord(**{**row, "status": Status(row["status"])}) for row in rows]


def run_folders(folder: Path) -> Iterator[Path]:
    """The runs of a results folder: itself if it is a run's folder, else those directly in it."""
    if (folder / "store.json").is_file():
        yield folder
    elif folder.is_dir():
        yield from sorted(p.parent for p in folder.glob("*/store.json"))


def _load_run(folder: Path) -> pd.DataFrame:
    try:
        check_version(folder)
    except DamagedDocument as error:
        warnings.warn(str(error), stacklevel=3)
    cases = _read_all(folder / "cases", schema.CASES, ["case"])
    scores = _read_all(folder / "scores", schema.SCORES, ["case", "metric"])
    frame = cases.to_pandas()
    frame.insert(0, "run", folder.name)
    frame = _join_scores(frame, scores.to_pandas())
    extra = [c for c in frame.columns if c not in _NAMES and c != "written"]
    return frame[[*_NAMES, *extra]].sort_values(
        ["codec", "rate_index", "dataset", "resolution", "image"], ignore_index=True
    )


_NAMES = [column.name for column in schema.COLUMNS]


def _join_scores(frame: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Add a column per metric, its card, and the reasons for blanks."""
    scores = scores.merge(frame[["case", "written", "status"]], on="case", suffixes=("", "_case"))
    later = scores["written"] >= scores["written_case"]  # all that records of 0.1.0 tell
    of_row = (scores["measured"] == scores["written_case"]).where(scores["measured"].notna(), later)
    scores = scores[of_row & (scores["status"] == Status.OK)]
    metrics = [*schema.METRIC_COLUMNS, *sorted(set(scores["metric"]) - {*schema.METRIC_COLUMNS})]
    for metric in metrics:
        of_metric = scores[scores["metric"] == metric].set_index("case")
        frame[metric] = frame["case"].map(of_metric["value"]).astype("float64")
        frame[f"{metric}_card"] = frame["case"].map(of_metric["card"]).astype("object")
    frame["score_ms"] = frame["case"].map(scores.groupby("case")["score_ms"].max())
    blank = scores[scores["value"].isna()]
    reasons = {
        case: json.dumps(dict(zip(group["metric"], group["reason"], strict=True)))
        for case, group in blank.groupby("case")
    }
    frame["blanks"] = [reasons.get(case, "{}") for case in frame["case"]]
    return frame


def _read_all(folder: Path, columns: pa.Schema, keys: list[str]) -> pa.Table:
    """All shards of a folder as one table, with the latest row of each key."""
    for _ in range(10):
        paths = list_shards(folder)
        tables = [columns.empty_table()]
        try:
            for path in paths:
                try:
                    tables.append(read_shard(path, columns))
                except DamagedShard as error:
                    warnings.warn(str(error), stacklevel=4)
        except FileNotFoundError:
            continue  # another process merged shards while we read; try again
        return latest(pa.concat_tables(tables), keys)
    raise HarnessError(f"{folder} keeps changing", "wait until the run that writes it is done")
