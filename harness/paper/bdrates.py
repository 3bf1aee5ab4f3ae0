"""A paper's table of BD-rates: a row a codec, a column a data set, and what was published."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.analysis import BDOptions, BDRate, bd_rates
from harness.analysis.records import name_among
from harness.catalog.metrics import Metric, metric_named
from harness.paper.beside import Pair, twin_table
from harness.paper.material import Material
from harness.paper.reference import Reference
from harness.report.bdtables import detail_tables, remarks
from harness.report.tables import BLANK, Cell, Column, Table, make_table, number, words

DECIMALS = 2
AVERAGE = "Average"


@dataclass(frozen=True)
class PaperBD:
    """The tables of one metric.

    Attributes:
        table: As the paper has it.
        twin: Measured beside published.
        details: Every figure with its interval, overlap and counts, a table a data set.
    """

    table: Table
    twin: Table
    details: tuple[Table, ...]


def bd_part(
    of: Material,
    reference: Reference,
    metric_name: str,
    anchor: str | None = None,
    options: BDOptions | None = None,
) -> PaperBD:
    """The BD-rates of one metric.

    Args:
        of: The results.
        reference: What was published.
        metric_name: The metric.
        anchor: Another codec to compare with than the protocol's.
        options: How BD-rates are computed; the protocol's exclusions are added.

    Raises:
        UnknownName: ``anchor`` is not in the results.
    """
    metric = metric_named(metric_name)
    protocol = of.protocol
    has_rate = of.quality.loc[of.quality["bpp"].notna(), "codec"]
    measured = list(dict.fromkeys(has_rate))
    chosen = name_among("codec", anchor, measured) if anchor else protocol.bdrate.anchor
    codecs = of.rows(protocol.bdrate.codecs)
    codecs += [] if chosen in codecs else [chosen]
    asked = replace(
        options or BDOptions(),
        exclude={k: v for k, v in protocol.bdrate.exclude.items() if k in measured},
    )
    records = of.quality[of.quality["codec"].isin(codecs)]
    found = bd_rates(records, metric, chosen, asked) if chosen in measured else []
    rates = {(cell.codec, cell.scene.dataset): cell for cell in found}
    builder = _Builder(of, reference, metric, chosen, rates, tuple(codecs))
    return PaperBD(builder.table(asked), builder.twin(), tuple(detail_tables(found, asked)))


@dataclass(frozen=True)
class _Builder:
    of: Material
    reference: Reference
    metric: Metric
    anchor: str
    rates: dict[tuple[str, str], BDRate]
    codecs: Sequence[str]

    def table(self, options: BDOptions) -> Table:
        columns = [
            Column("codec", "Method", is_text=True),
            *(Column(name, title, "lower") for name, title in self.of.protocol.datasets.items()),
            Column("average", AVERAGE, "lower"),
        ]
        rows = [self._row(codec) for codec in self.codecs]
        title = f"BD-rate (%) by {self.metric.title}; anchor {self.of.title_of(self.anchor)}"
        return make_table(f"bdrate-{self.metric.name}", title, columns, rows, self._told(options))

    def _row(self, codec: str) -> list[Cell]:
        cells = [self._cell(codec, dataset) for dataset in self.of.protocol.datasets]
        notes = {cell.note for cell in cells}
        everywhere = ""
        if len(notes) == 1 and all(cell.value is None for cell in cells):
            everywhere = notes.pop()
            cells = [replace(cell, note="") for cell in cells]
        return [words(self.of.title_of(codec), note=everywhere), *cells, _average(cells)]

    def _cell(self, codec: str, dataset: str) -> Cell:
        rate = self.rates.get((codec, dataset))
        why = self.of.why_missing(codec, dataset)
        if rate is None:
            return Cell(
                BLANK, note=why or f"the anchor {self.of.title_of(self.anchor)} not measured"
            )
        if why:
            return Cell(BLANK, note=why)
        notes = "; ".join(filter(None, (rate.reason, *rate.notes)))
        return number(rate.percent, DECIMALS, note=notes)

    def _told(self, options: BDOptions) -> list[str]:
        told = remarks(options)
        if self.anchor != self.of.protocol.bdrate.anchor:
            usual = self.of.title_of(self.of.protocol.bdrate.anchor)
            told.append(f"The protocol's anchor is {usual}: these are not the paper's figures.")
        elif not self.rates:
            title = self.of.title_of(self.anchor)
            told.append(
                f"The anchor {title} was not measured: there is no BD-rate. Another can be named "
                "(--anchor)."
            )
        for codec, bpp in self.of.protocol.bdrate.exclude.items():
            if codec not in options.exclude:
                told.append(
                    f"Rate points of {self.of.title_of(codec)} under {bpp:g} bpp would be excluded."
                )
        told.append("The average is over all data sets; it is blank where one has no figure.")
        return told

    def twin(self) -> Table:
        pairs = []
        for codec in self.codecs:
            of_codec = [
                self._pair(codec, dataset, title)
                for dataset, title in self.of.protocol.datasets.items()
            ]
            pairs += [*of_codec, self._average_pair(codec, of_codec)]
        name, title = self.metric.name, self.metric.title
        told = ["Differences are in points of percent."]
        return twin_table(
            f"bdrate-{name}-twin",
            f"BD-rate (%) by {title}: measured beside published",
            ("Method", "Data set"),
            pairs,
            told,
        )

    def _pair(self, codec: str, dataset: str, title: str) -> Pair:
        cell, rate = self._cell(codec, dataset), self.rates.get((codec, dataset))
        if rate is not None and rate.percent is not None:
            over = f"over {rate.images} images"
            cell = replace(cell, note="; ".join(filter(None, (over, cell.note))))
        frame = self.reference.bdrate
        rows = frame[
            (frame["metric"] == self.metric.name)
            & (frame["codec"] == codec.partition("@")[0])
            & (frame["dataset"] == dataset)
            & (frame["anchor"] == self.of.protocol.bdrate.anchor)
        ]
        where = (self.of.title_of(codec), title)
        if rows.empty:
            return Pair(where, cell)
        row = rows.iloc[0]
        other = self.anchor != self.of.protocol.bdrate.anchor
        return Pair(
            where,
            cell,
            published=float(row["percent"]),
            mark=BLANK if math.isnan(row["percent"]) else "",
            source=f"{row['source']}, {row['cell']}",
            incomparable="published against another anchor" if other else "",
        )

    def _average_pair(self, codec: str, pairs: Sequence[Pair]) -> Pair:
        published = [pair.value for pair in pairs if pair.value is not None]
        average = sum(published) / len(published) if len(published) == len(pairs) else None
        return Pair(
            (self.of.title_of(codec), AVERAGE),
            _average([pair.measured for pair in pairs]),
            average,
            source="" if average is None else "mean of the published",
            incomparable=pairs[0].incomparable,
        )


def _average(cells: Sequence[Cell]) -> Cell:
    values = [cell.value for cell in cells if cell.value is not None]
    return number(sum(values) / len(values) if len(values) == len(cells) else None, DECIMALS)
