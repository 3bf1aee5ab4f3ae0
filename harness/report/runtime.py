"""Speed, memory and size: the one table where random weights may appear, marked."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from harness.analysis.conditions import (
    INLINE,
    environment_detail,
    environment_name,
    with_conditions,
)
from harness.analysis.records import ImageSet, image_sets, separate_checkpoints
from harness.errors import Status
from harness.report.style import legend_order
from harness.report.tables import BLANK, Cell, Column, Table, make_table, number, words

SLOW_MS = 10_000.0
"""Slower than this is printed as ``> 10s``, as the papers do; CSV files have the number."""

GB = 1e9

CODEC = Column("codec", "Codec", is_text=True)
ENVIRONMENT = Column("environment", "Environment", is_text=True)
QUANTITIES = (
    Column("encode_ms", "Enc. (ms) ↓", "lower"),
    Column("decode_ms", "Dec. (ms) ↓", "lower"),
    Column("encode_peak_gb", "Enc. mem. (GB) ↓", "lower"),
    Column("decode_peak_gb", "Dec. mem. (GB) ↓", "lower"),
    Column("load_ms", "Load (ms)"),
    Column("parameters", "Params (M)"),
    Column("gflops", "GFLOPs"),
    Column("kmacs", "kMACs/px"),
    Column("cases", "Cases"),
)

SHARED = ["machine", "device", "threads"]
"""Times of different machines, devices or numbers of threads never share a table."""


def runtime_tables(frame: pd.DataFrame, device_gb: float | None = None) -> list[Table]:
    """One table for each image set, machine, device and thread count.

    A row is a codec in one environment. Times are medians over its cases of each case's median;
    memory is the largest peak of any case: the device allocator's on a GPU, the process's resident
    memory otherwise.

    Args:
        frame: Results, in the columns of :func:`harness.load_results`.
        device_gb: Memory of the device, for the mark of what ran out of it, as ``> 80``.
    """
    frame = separate_checkpoints(with_conditions(frame))
    ran = frame[frame["status"].isin([Status.OK, Status.OUT_OF_MEMORY, Status.TIMEOUT])]
    tables = []
    for image_set, of_set in image_sets(ran):
        groups = [rows for _, rows in of_set.groupby(SHARED, dropna=False, sort=True)]
        for number_of, rows in enumerate(groups, 1):
            suffix = f"-{number_of}" if len(groups) > 1 else ""
            tables.append(_table(image_set, rows, suffix, device_gb))
    return tables


def _table(
    image_set: ImageSet, records: pd.DataFrame, suffix: str, device_gb: float | None
) -> Table:
    first: dict[str, Any] = {name: records[name].iloc[0] for name in SHARED}
    on_gpu = str(first["device"]).startswith("cuda")
    keys = ["codec", "weights", "environment"]
    groups = [rows for _, rows in records.groupby(keys, sort=True)]
    groups.sort(key=lambda rows: legend_order(str(rows["codec"].iloc[0])))
    sizes = set(zip(records["height"], records["width"], strict=True))
    size = " ({}x{})".format(*sizes.pop()) if len(sizes) == 1 else ""
    threads = "" if pd.isna(first["threads"]) else f", {_several(int(first['threads']), 'thread')}"
    machine = f", machine {first['machine']}" if str(first["machine"]) else ""
    title = f"Runtime on {image_set.title}{size}, {first['device']}{threads}{machine}"
    remarks = [
        "Medians over images and rate points, model loaded and input in memory. Memory is the "
        + ("device allocator's peak." if on_gpu else "process's peak resident memory."),
    ]
    rows = [
        [
            words(str(of_row["title"].iloc[0]), note="; ".join(_notes(of_row, records))),
            words(environment_name(of_row["environment"].iloc[0])),
            *_figures(of_row, on_gpu=on_gpu, device_gb=device_gb),
        ]
        for of_row in groups
    ]
    columns = [CODEC, ENVIRONMENT, *QUANTITIES]
    if {cells[1].text for cells in rows} == {INLINE}:
        columns.remove(ENVIRONMENT)
        rows = [[codec, *figures] for codec, _, *figures in rows]
    return make_table(f"runtime-{image_set.slug}{suffix}", title, columns, rows, remarks)


def _notes(records: pd.DataFrame, of_table: pd.DataFrame) -> list[str]:
    """What a reader must know of the times of one row."""
    ok = records[records["status"] == Status.OK]
    notes = []
    if records["weights"].iloc[0] == "random":
        notes.append("random weights: speed and memory only")
    if (ok["timing_scope"] == "process").any():
        notes.append("timed as an external process, its start included")
    if ok["shared_encode"].eq(other=True).any():
        notes.append("one encode serves all rate points")
    of_codec = of_table[of_table["codec"] == records["codec"].iloc[0]]
    if len(set(of_codec["environment"])) > 1:
        notes.append(environment_detail(records["environment"].iloc[0]))
    return notes


def _figures(records: pd.DataFrame, *, on_gpu: bool, device_gb: float | None) -> list[Cell]:
    ok = records[records["status"] == Status.OK]
    failures = set(records["status"]) - {Status.OK} if ok.empty else set()
    kind = "device" if on_gpu else "rss"
    return [
        *(_time(ok, f"{pass_}_ms", failures) for pass_ in ("encode", "decode")),
        *(
            _memory(ok, f"{pass_}_peak_{kind}_bytes", failures, device_gb)
            for pass_ in ("encode", "decode")
        ),
        number(_median(ok, "load_ms"), 0),
        number(_scaled(_median(ok, "parameters"), 1e6), 1),
        number(_scaled(_median(ok, "flops"), 1e9), 1),
        number(_scaled(_median(_macs_per_pixel(ok), "macs"), 1e3), 1),
        Cell(str(len(ok)), float(len(ok))),
    ]


def _macs_per_pixel(records: pd.DataFrame) -> pd.DataFrame:
    """Multiply-accumulates of encoding and decoding, a pixel; half the FLOPs."""
    pixels = records["height"].astype("float64") * records["width"].astype("float64")
    flops = records["flops"] if "flops" in records else pd.Series(math.nan, index=records.index)
    return pd.DataFrame({"macs": flops.astype("float64") / 2 / pixels})


def _several(number_of: int, what: str) -> str:
    return f"{number_of} {what}{'' if number_of == 1 else 's'}"


def _median(records: pd.DataFrame, column: str) -> float | None:
    value = records[column].median() if column in records and len(records) else math.nan
    return None if pd.isna(value) else float(value)


def _scaled(value: float | None, unit: float) -> float | None:
    return None if value is None else value / unit


def _time(ok: pd.DataFrame, column: str, failures: set[str]) -> Cell:
    value = _median(ok, column)
    if value is None:
        return Cell(BLANK, note="timed out" if Status.TIMEOUT in failures else "")
    if value > SLOW_MS:
        return Cell("> 10s", value)
    return number(value, 1 if value < 100 else 0)  # noqa: PLR2004 - three digits say enough


def _memory(ok: pd.DataFrame, column: str, failures: set[str], device_gb: float | None) -> Cell:
    if Status.OUT_OF_MEMORY in failures:
        limit = "memory" if device_gb is None else f"{device_gb:g}"
        return Cell(f"> {limit}", note="out of memory")
    value = ok[column].max() if column in ok and len(ok) else math.nan
    return number(None if pd.isna(value) else float(value) / GB, 2)
