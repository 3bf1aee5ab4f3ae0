"""Rate points measured beside published ones, and how much of a protocol was measured."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd

from harness.analysis.records import status_words
from harness.catalog.metrics import BITRATE, METRICS
from harness.errors import Status
from harness.paper.reference import PAPERS_LPIPS, Reference
from harness.paper.reproduction import Reproduction, reproduction_table
from harness.paper.results import PaperResults
from harness.report.tables import BLANK, Cell, Column, Table, make_table, number, words

NEAR = 0.1
"""A measured rate point stands beside a published one whose bitrate is within a tenth."""


def rates_reproduction(results: PaperResults, reference: Reference) -> Table | None:
    """Published rate points beside the measured ones of nearest bitrate; ``None`` without any."""
    protocol = results.protocol
    published = reference.rates[
        reference.rates["dataset"].isin(protocol.datasets)
        & reference.rates["codec"].isin(protocol.titles)
    ]
    if published.empty:
        return None
    ok = results.quality[results.quality["status"] == Status.OK]
    points = ok.groupby(["codec", "dataset", "rate"], sort=True)
    means = points[[c for c in ("bpp", *METRICS) if c in ok]].mean()
    means = means.assign(images=points.size()).reset_index()
    reproductions = [
        reproduction
        for _, row in published.iterrows()
        for reproduction in _reproductions(row, means, results)
    ]
    return reproduction_table(
        "rates-reproduction",
        "Rate points: measured beside published",
        ("Method", "Data set", "Rate", "Quantity"),
        reproductions,
        [f"A measured rate point stands beside a published one within {NEAR:.0%} of its bitrate."],
    )


def _reproductions(
    row: pd.Series, means: pd.DataFrame, results: PaperResults
) -> Iterator[Reproduction]:
    codec, dataset = str(row["codec"]), str(row["dataset"])
    why = results.why_missing(codec, dataset) or "no rate point near this bitrate"
    near = _nearest(means, codec, dataset, float(row["bpp"]))
    for metric in (BITRATE, *METRICS.values()):
        published = float(row.get(metric.name, math.nan))
        if math.isnan(published):
            continue
        value = None if near is None or metric.name not in near else float(near[metric.name])
        note = why if near is None else f"{near.name}, over {int(near['images'])} images"
        other = metric.name == "lpips" and row["lpips_network"] != PAPERS_LPIPS
        yield Reproduction(
            (
                results.title_of(codec),
                results.protocol.datasets[dataset],
                str(row["rate"]),
                metric.unit if metric is BITRATE else metric.title,
            ),
            number(value, metric.decimals, note=note),
            published,
            source=f"{row['source']}, {row['cell']}",
            incomparable=f"another LPIPS: {row['lpips_network']}'s" if other else "",
            decimals=metric.decimals,
        )


def _nearest(means: pd.DataFrame, codec: str, dataset: str, bpp: float) -> pd.Series | None:
    """The measured rate point of nearest bitrate, named by its id; ``None`` beyond :data:`NEAR`."""
    rates = means[(means["codec"] == codec) & (means["dataset"] == dataset)].set_index("rate")
    away = (rates["bpp"] / bpp - 1).abs()
    return None if away.empty or away.min() > NEAR else rates.iloc[int(away.argmin())]


def coverage(results: PaperResults) -> Table:
    """How many images of each data set each codec has at all its rate points, or why none."""
    datasets = results.protocol.datasets
    columns = [
        Column("codec", "Method", is_text=True),
        *(Column(name, title) for name, title in datasets.items()),
    ]
    rows = [
        [words(results.title_of(codec)), *(_count(results, codec, dataset) for dataset in datasets)]
        for codec in results.rows(list(results.protocol.titles))
    ]
    title = "What the protocol asks for and the results hold: images with every rate point"
    return make_table("coverage", title, columns, rows)


def _count(results: PaperResults, codec: str, dataset: str) -> Cell:
    if why := results.why_missing(codec, dataset):
        return Cell(BLANK, note=why)
    rows = results.quality[
        (results.quality["codec"] == codec) & (results.quality["dataset"] == dataset)
    ]
    ok = rows["status"].eq(Status.OK).groupby(rows["image"]).all()
    failed = rows.loc[rows["status"] != Status.OK, "status"].value_counts()
    note = ", ".join(f"{n} cases {status_words(str(status))}" for status, n in failed.items())
    return Cell(str(int(ok.sum())), float(ok.sum()), note=note)
