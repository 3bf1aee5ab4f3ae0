"""A paper's table of BD-rates: a row per codec, a column per data set, and what was published."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.analysis import BDOptions, BDRate, bd_rates
from harness.analysis.records import name_among
from harness.catalog.metrics import Metric, metric_named
from harness.paper.reference import Reference
from harness.paper.reproduction import Reproduction, reproduction_table
from harness.paper.results import PaperResults
from harness.report.bdtables import detail_tables, remarks
from harness.report.tables import BLANK, Cell, Column, Table, make_table, number, words

DECIMALS = 2
AVERAGE = "Average"


@dataclass(frozen=True)
class PaperBD:
    """The tables of one metric.

    Attributes:
        table: As the paper has it.
        reproduction: The same numbers, measured beside published.
        details: Every figure with its interval, overlap and counts, a table a data set.
    """

    table: Table
    reproduction: Table
    details: tuple[Table, ...]


def bd_part(
    results: PaperResults,
    reference: Reference,
    metric_name: str,
    anchor: str | None = None,
    options: BDOptions | None = None,
) -> PaperBD:
    """The BD-rates of one metric.

    Args:
        results: The results.
        reference: What was published.
        metric_name: The metric.
        anchor: Another codec to compare with than the protocol's.
        options: How BD-rates are computed; the protocol's exclusions and its
            least number of rate points are added.

    Raises:
        UnknownName: ``anchor`` is not in the results.
    """
    metric = metric_named(metric_name)
    protocol = results.protocol
    has_rate = results.quality.loc[results.quality["bpp"].notna(), "codec"]
    measured = list(dict.fromkeys(has_rate))
    chosen = name_among("codec", anchor, measured) if anchor else protocol.bdrate.anchor
    codecs = results.rows(protocol.bdrate.codecs)
    codecs += [] if chosen in codecs else [chosen]
    asked = replace(
        options or BDOptions(),
        min_points=protocol.bdrate.min_points,
        exclude={k: v for k, v in protocol.bdrate.exclude.items() if k in measured},
    )
    records = results.quality[results.quality["codec"].isin(codecs)]
    found = bd_rates(records, metric, chosen, asked) if chosen in measured else []
    rates = {(cell.codec, cell.image_set.dataset): cell for cell in found}
    builder = _Builder(results, reference, metric, chosen, rates, tuple(codecs))
    return PaperBD(builder.table(asked), builder.reproduction(), tuple(detail_tables(found, asked)))


@dataclass(frozen=True)
class _Builder:
    results: PaperResults
    reference: Reference
    metric: Metric
    anchor: str
    rates: dict[tuple[str, str], BDRate]
    codecs: Sequence[str]

    def table(self, options: BDOptions) -> Table:
        columns = [
            Column("codec", "Method", is_text=True),
            *(
                Column(name, title, "lower")
                for name, title in self.results.protocol.datasets.items()
            ),
            Column("average", AVERAGE, "lower"),
        ]
        rows = [self._row(codec) for codec in self.codecs]
        title = f"BD-rate (%) by {self.metric.title}; anchor {self.results.title_of(self.anchor)}"
        return make_table(
            f"bdrate-{self.metric.name}", title, columns, rows, self._remarks(options)
        )

    def _row(self, codec: str) -> list[Cell]:
        cells = [self._cell(codec, dataset) for dataset in self.results.protocol.datasets]
        notes = {cell.note for cell in cells}
        everywhere = ""
        if len(notes) == 1 and all(cell.value is None for cell in cells):
            everywhere = notes.pop()
            cells = [replace(cell, note="") for cell in cells]
        return [words(self.results.title_of(codec), note=everywhere), *cells, _average(cells)]

    def _cell(self, codec: str, dataset: str) -> Cell:
        rate = self.rates.get((codec, dataset))
        why = self.results.why_missing(codec, dataset)
        if rate is None:
            return Cell(
                BLANK, note=why or f"the anchor {self.results.title_of(self.anchor)} not measured"
            )
        if why:
            return Cell(BLANK, note=why)
        notes = "; ".join(filter(None, (rate.reason, *rate.notes)))
        return number(rate.percent, DECIMALS, note=notes)

    def _remarks(self, options: BDOptions) -> list[str]:
        lines = remarks(options)
        if self.anchor != self.results.protocol.bdrate.anchor:
            usual = self.results.title_of(self.results.protocol.bdrate.anchor)
            lines.append(f"The protocol's anchor is {usual}: these are not the paper's figures.")
        elif not self.rates:
            title = self.results.title_of(self.anchor)
            lines.append(
                f"The anchor {title} was not measured: there is no BD-rate. Another can be named "
                "(--anchor)."
            )
        for codec, bpp in self.results.protocol.bdrate.exclude.items():
            if codec not in options.exclude:
                title = self.results.title_of(codec)
                lines.append(f"Rate points of {title} under {bpp:g} bpp would be excluded.")
        lines.append("The average is over all data sets; it is blank where one has no figure.")
        return lines

    def reproduction(self) -> Table:
        reproductions = []
        for codec in self.codecs:
            of_codec = [
                self._reproduction(codec, dataset, title)
                for dataset, title in self.results.protocol.datasets.items()
            ]
            reproductions += [*of_codec, self._average_reproduction(codec, of_codec)]
        name, title = self.metric.name, self.metric.title
        return reproduction_table(
            f"bdrate-{name}-reproduction",
            f"BD-rate (%) by {title}: measured beside published",
            ("Method", "Data set"),
            reproductions,
            ["Differences are in percentage points."],
        )

    def _reproduction(self, codec: str, dataset: str, title: str) -> Reproduction:
        cell, rate = self._cell(codec, dataset), self.rates.get((codec, dataset))
        if rate is not None and rate.percent is not None:
            over = f"over {rate.images} images"
            cell = replace(cell, note="; ".join(filter(None, (over, cell.note))))
        frame = self.reference.bdrate
        rows = frame[
            (frame["metric"] == self.metric.name)
            & (frame["codec"] == codec.partition("@")[0])
            & (frame["dataset"] == dataset)
            & (frame["anchor"] == self.results.protocol.bdrate.anchor)
        ]
        where = (self.results.title_of(codec), title)
        if rows.empty:
            return Reproduction(where, cell)
        row = rows.iloc[0]
        other = self.anchor != self.results.protocol.bdrate.anchor
        return Reproduction(
            where,
            cell,
            published=float(row["percent"]),
            mark=BLANK if math.isnan(row["percent"]) else "",
            source=f"{row['source']}, {row['cell']}",
            incomparable="published against another anchor" if other else "",
        )

    def _average_reproduction(
        self, codec: str, reproductions: Sequence[Reproduction]
    ) -> Reproduction:
        published = [r.value for r in reproductions if r.value is not None]
        average = sum(published) / len(published) if len(published) == len(reproductions) else None
        return Reproduction(
            (self.results.title_of(codec), AVERAGE),
            _average([r.measured for r in reproductions]),
            average,
            source="" if average is None else "mean of the published",
            incomparable=reproductions[0].incomparable,
        )


def _average(cells: Sequence[Cell]) -> Cell:
    values = [cell.value for cell in cells if cell.value is not None]
    return number(sum(values) / len(values) if len(values) == len(cells) else None, DECIMALS)
