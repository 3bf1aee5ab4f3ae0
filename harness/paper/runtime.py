"""A paper's table of runtimes and memory over resolutions, and what was published."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from harness.analysis.conditions import (
    INLINE,
    environment_detail,
    environment_name,
    with_conditions,
)
from harness.analysis.records import status_words
from harness.errors import Status
from harness.paper.reference import Reference
from harness.paper.reproduction import Reproduction, reproduction_table
from harness.paper.results import PaperResults
from harness.report.runtime import CODEC, ENVIRONMENT, GB
from harness.report.tables import BLANK, Cell, Column, Table, make_table, number, words

QUANTITIES = {"encode_ms": "Enc.", "decode_ms": "Dec.", "memory_gb": "Mem."}
UNITS = {"encode_ms": "ms", "decode_ms": "ms", "memory_gb": "GB"}
PASS_OF = {"encode_ms": "encode", "decode_ms": "decode"}
DECIMALS = 2
TIMES = "\N{MULTIPLICATION SIGN}"


def runtime_parts(
    results: PaperResults, reference: Reference, device_gb: float | None = None
) -> list[tuple[Table, Table]]:
    """The table, and its numbers beside the published ones, for each machine and thread count.

    Times are medians over a codec's cases of each case's median; memory is the larger peak of
    both passes: the device allocator's on a GPU, the process's resident memory elsewhere. A
    codec that ran on both is shown on the GPU. Random weights enter, marked. A row is a codec in
    one environment.

    Args:
        results: The results.
        reference: What was published.
        device_gb: Memory of the device, for the mark of what ran out of it, as ``> 80``.
    """
    protocol = results.protocol
    codecs = results.rows(protocol.runtime.codecs)
    frame = with_conditions(results.speed[results.speed["codec"].isin(codecs)])
    ran = frame[frame["status"].isin([Status.OK, Status.OUT_OF_MEMORY, Status.TIMEOUT])]
    ran = ran[_sizes(ran).isin(protocol.runtime.resolutions)]
    groups = [rows for _, rows in ran.groupby(["machine", "threads"], dropna=False, sort=True)]
    several = len(groups) > 1
    parts = []
    for place, rows in enumerate(groups or [ran], 1):
        made = _Builder(results, reference, rows, tuple(codecs), device_gb)
        suffix = f"-{place}" if several else ""
        parts.append((made.table(suffix), made.reproduction(suffix)))
    return parts


def _sizes(rows: pd.DataFrame) -> pd.Series[str]:
    """The resolution of each row as ``HxW``; an upright image counts as if it lay."""
    sides = rows[["height", "width"]].astype("Int64")
    native = sides.min(axis=1).astype(str) + "x" + sides.max(axis=1).astype(str)
    return native.where(rows["resolution"] == "native", rows["resolution"])


@dataclass(frozen=True)
class _Builder:
    results: PaperResults
    reference: Reference
    rows: pd.DataFrame
    codecs: tuple[str, ...]
    device_gb: float | None

    @cached_property
    def on_gpu(self) -> bool:
        return bool(self.rows["device"].str.startswith("cuda").any())

    def table(self, suffix: str) -> Table:
        columns = [replace(CODEC, title="Method"), ENVIRONMENT]
        for resolution in self.results.protocol.runtime.resolutions:
            group = resolution.replace("x", TIMES)
            columns += [
                Column(f"{key}_{resolution}", title, "lower", group=group)
                for key, title in QUANTITIES.items()
            ]
        rows = [self._row(*row) for row in self._rows]
        if {cells[1].text for cells in rows} <= {INLINE, BLANK}:
            columns.remove(ENVIRONMENT)
            rows = [[codec, *figures] for codec, _, *figures in rows]
        kind = (
            "the device allocator's peak" if self.on_gpu else "the process's peak resident memory"
        )
        remarks = [
            f"Medians over images and rate points; Mem. is {kind}, the larger of both passes."
        ]
        title = f"Runtime (ms) and memory (GB) by resolution{self._conditions()}"
        return make_table(f"runtime{suffix}", title, columns, rows, remarks)

    def _conditions(self) -> str:
        if self.rows.empty:
            return ""
        first = self.rows.iloc[0]
        devices = ", ".join(sorted(set(self.rows["device"])))
        threads = "" if pd.isna(first["threads"]) else f", threads {int(first['threads'])}"
        machine = f", machine {first['machine']}" if str(first["machine"]) else ""
        return f": {devices}{threads}{machine}"

    def _row(self, codec: str, environment: str) -> list[Cell]:
        rows = self._of(codec, environment)
        cells = [cell for (*row, _, _), cell in self._cells.items() if row == [codec, environment]]
        notes = ["not measured"] if rows.empty else []
        if rows.empty and (self.results.speed["codec"] == codec).any():
            notes = ["not measured at these resolutions, here"]
        if (rows["weights"] == "random").any():
            notes.append("random weights: speed and memory only")
        if (rows["timing_scope"] == "process").any():
            notes.append("timed as an external process, its start included")
        if rows["shared_encode"].eq(other=True).any():
            notes.append("one encode serves all rate points")
        if self.on_gpu and not rows.empty and not _on_gpu(rows):
            notes.append("on the CPU")
        if self._has_several(codec):
            notes.append(environment_detail(environment))
        return [
            words(self.results.title_of(codec), note="; ".join(notes)),
            words(environment_name(environment) if environment else ""),
            *cells,
        ]

    @cached_property
    def _measured(self) -> dict[tuple[str, str, str], pd.DataFrame]:
        """The records of each codec, environment and resolution.

        Those of a GPU and of trained weights, where a codec has such at a resolution.
        """
        sizes = [self.rows["codec"], _sizes(self.rows)]
        return {
            (str(codec), str(environment), str(size)): records
            for (codec, size), rows in self.rows.groupby(sizes, sort=False)
            for environment, records in _preferred(rows).groupby("environment")
        }

    @cached_property
    def _rows(self) -> list[tuple[str, str]]:
        """Codec and environment of each row of the table; no environment where not measured."""
        measured = sorted({(codec, environment) for codec, environment, _ in self._measured})
        return [
            row
            for codec in self.codecs
            for row in [row for row in measured if row[0] == codec] or [(codec, "")]
        ]

    def _has_several(self, codec: str) -> bool:
        return sum(of_row == codec for of_row, _ in self._rows) > 1

    def _at(self, codec: str, environment: str, resolution: str) -> pd.DataFrame:
        return self._measured.get((codec, environment, resolution), self.rows.head(0))

    def _of(self, codec: str, environment: str) -> pd.DataFrame:
        resolutions = self.results.protocol.runtime.resolutions
        found = [self._at(codec, environment, resolution) for resolution in resolutions]
        return pd.concat([self.rows.head(0), *found])

    @cached_property
    def _cells(self) -> dict[tuple[str, str, str, str], Cell]:
        """The cell of each codec, environment, resolution and quantity, row by row."""
        return {
            (*row, resolution, quantity): self._cell(self._at(*row, resolution), quantity)
            for row in self._rows
            for resolution in self.results.protocol.runtime.resolutions
            for quantity in QUANTITIES
        }

    def _cell(self, rows: pd.DataFrame, quantity: str) -> Cell:
        if rows.empty:
            return Cell(BLANK)
        return self._memory(rows) if quantity == "memory_gb" else self._time(rows, quantity)

    def _time(self, rows: pd.DataFrame, quantity: str) -> Cell:
        slow = self.results.protocol.runtime.slow_seconds
        value = rows[quantity].median() if quantity in rows else math.nan
        if pd.notna(value) and value <= 1e3 * slow:
            return number(float(value), DECIMALS)
        if pd.notna(value):
            return Cell(f"> {slow:g}s", float(value), ranked=False)
        failed = rows[(rows["status"] == Status.TIMEOUT) & (rows["reason"] == PASS_OF[quantity])]
        return Cell(BLANK, note="timed out" if len(failed) else "")

    def _memory(self, rows: pd.DataFrame) -> Cell:
        if (rows["status"] == Status.OUT_OF_MEMORY).all():
            limit = "memory" if self.device_gb is None else f"{self.device_gb:g}"
            return Cell(f"> {limit}", note="out of memory")
        gpu = _on_gpu(rows)
        if self.on_gpu and not gpu:
            return Cell(BLANK)
        kind = "device" if gpu else "rss"
        names = [f"{pass_}_peak_{kind}_bytes" for pass_ in ("encode", "decode")]
        ok = rows[rows["status"] == Status.OK]
        peak = ok[[name for name in names if name in ok]].max().max()
        return number(None if pd.isna(peak) else float(peak) / GB, DECIMALS)

    def reproduction(self, suffix: str) -> Table:
        reproductions = [self._reproduction(*where, cell) for where, cell in self._cells.items()]
        devices = ", ".join(sorted(set(self.reference.runtime["device"])))
        clock = f"Published times were taken on {devices}: differences are as much of machines as"
        memory = "Published memory is the device's, one number; without a GPU the measured one is"
        remarks = [f"{clock} of codecs.", f"{memory} the process's."]
        heads = ("Method", "Resolution", "Quantity")
        title = "Runtime and memory: measured beside published" + self._conditions()
        return reproduction_table(
            f"runtime{suffix}-reproduction", title, heads, reproductions, remarks
        )

    def _reproduction(
        self, codec: str, environment: str, resolution: str, quantity: str, cell: Cell
    ) -> Reproduction:
        if cell.value is None and not cell.note and not cell.text.startswith(">"):
            cell = Cell(BLANK, note=self._why_blank(codec, environment, resolution))
        title = self.results.title_of(codec)
        if self._has_several(codec):
            title += f" ({environment_name(environment)}, {environment_detail(environment)})"
        where = (
            title,
            resolution.replace("x", TIMES),
            f"{QUANTITIES[quantity]} ({UNITS[quantity]})",
        )
        row = self._published.get((codec.partition("@")[0], resolution, quantity))
        if row is None:
            return Reproduction(where, cell, relative=True)
        return Reproduction(
            where,
            cell,
            published=float(row["value"]),
            mark=str(row["mark"]).replace("-", BLANK).replace(">", "> "),
            source=f"{row['source']}, {row['cell']}",
            relative=True,
        )

    @cached_property
    def _published(self) -> dict[tuple[str, str, str], pd.Series]:
        rows = (row for _, row in self.reference.runtime.iterrows())
        return {(row["codec"], row["resolution"], row["quantity"]): row for row in rows}

    def _why_blank(self, codec: str, environment: str, resolution: str) -> str:
        rows = self._at(codec, environment, resolution)
        if rows.empty:
            return "not measured"
        if (rows["status"] != Status.OK).all():
            return status_words(rows["status"].iloc[0])
        return "not recorded on this device"


def _preferred(rows: pd.DataFrame) -> pd.DataFrame:
    cuda = rows[rows["device"].str.startswith("cuda")]
    rows = rows if cuda.empty else cuda
    trained = rows[rows["weights"] != "random"]
    return rows if trained.empty else trained


def _on_gpu(rows: pd.DataFrame) -> bool:
    return bool(rows["device"].str.startswith("cuda").any())
