"""Rate points: what each codec reached at each of them, as means over images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pandas as pd

from harness.analysis.conditions import CONDITIONS, with_conditions
from harness.analysis.records import (
    curve_records,
    image_sets,
    metrics_in,
    separate_checkpoints,
    status_words,
)
from harness.catalog.metrics import Metric
from harness.errors import Status
from harness.report.style import legend_order
from harness.report.tables import BLANK, Cell, Column, Table, count, make_table, number, words

INCOMPARABLE = "Rows over different numbers of images are not comparable."


def rate_tables(frame: pd.DataFrame) -> list[Table]:
    """One table for each image set: a row per codec and rate point, means over ``ok`` images.

    Args:
        frame: Results, in the columns of :func:`harness.load_results`. Random weights are left
            out.
    """
    tables = []
    for image_set, records in image_sets(curve_records(frame)):
        metrics = metrics_in(records)
        columns = [
            Column("codec", "Codec", is_text=True),
            Column("rate", "Rate", is_text=True),
            Column("images", "Images"),
            Column("bpp", "bpp"),
            *(Column(m.name, m.label) for m in metrics),
        ]
        rows = [
            [
                words(str(point["title"].iloc[0])),
                words(str(point["rate"].iloc[0])),
                _counted(point),
                number(point["bpp"].mean(), 4),
                *(_mean(point, metric) for metric in metrics),
            ]
            for point in _points(records)
        ]
        uneven = len({cells[2].text for cells in rows}) > 1
        title = f"Rate points on {image_set.title}: means over images"
        remarks = [INCOMPARABLE] if uneven else []
        tables.append(make_table(f"rates-{image_set.slug}", title, columns, rows, remarks))
    return tables


def summary_table(frame: pd.DataFrame) -> Table:
    """The R-D summary that ends a run: one row per codec and rate point, with times.

    Rate points that ran with random weights have times and no quality, and say so.

    Args:
        frame: Results, in the columns of :func:`harness.load_results`.
    """
    ran = separate_checkpoints(with_conditions(frame)[frame["status"] == Status.OK])
    quality = curve_records(frame)
    quality = quality[quality["status"] == Status.OK]
    metrics = metrics_in(quality)
    several = [name for name in ("dataset", "resolution") if len(ran[name].unique()) > 1]
    columns = [
        *(Column(name, name.capitalize(), is_text=True) for name in several),
        Column("codec", "Codec", is_text=True),
        Column("rate", "Rate", is_text=True),
        Column("images", "Images"),
        Column("bpp", "bpp"),
        *(Column(m.name, m.label) for m in metrics),
        Column("encode_ms", "Encode (ms)"),
        Column("decode_ms", "Decode (ms)"),
    ]
    rows = []
    for image_set, records in image_sets(ran):
        for point in _points(records, "weights"):
            random = point["weights"].iloc[0] == "random"
            scored = point.drop_duplicates("image", keep="last")
            blank = Cell(number(None, 0).text, note="random weights") if random else None
            rows.append(
                [
                    *(words(getattr(image_set, name)) for name in several),
                    words(str(point["title"].iloc[0])),
                    words(str(point["rate"].iloc[0])),
                    count(len(scored)),
                    blank or number(scored["bpp"].mean(), 4),
                    *(blank or _mean(scored, metric) for metric in metrics),
                    _median_time(point, "encode_ms"),
                    _median_time(point, "decode_ms"),
                ]
            )
    return make_table("summary", "Means over images; median times", columns, rows)


def _points(records: pd.DataFrame, *also: str) -> Iterator[pd.DataFrame]:
    """The rows of each codec and rate point, codecs in the order of legends."""
    keys = ["codec", "rate_index", "rate", *also]
    groups = [rows for _, rows in records.groupby(keys, sort=True, dropna=False)]
    yield from sorted(groups, key=lambda rows: legend_order(str(rows["codec"].iloc[0])))


def _counted(point: pd.DataFrame) -> Cell:
    ok = int((point["status"] == Status.OK).sum())
    missing = Counter(point.loc[point["status"] != Status.OK, "status"])
    note = ", ".join(f"{n} {status_words(status)}" for status, n in missing.items())
    return Cell(str(ok), float(ok), note=note)


def _median_time(point: pd.DataFrame, column: str) -> Cell:
    """The median over the rows, which must all have been taken under the same conditions."""
    if any(len(set(point[name].fillna("").astype(str))) > 1 for name in CONDITIONS):
        return Cell(BLANK, note="taken under different conditions, see the runtime tables")
    return number(point[column].median(), 1)


def _mean(point: pd.DataFrame, metric: Metric) -> Cell:
    """The mean over the images that have a finite value, with a note where some have none."""
    ok = point[point["status"] == Status.OK]
    values = ok[metric.name].to_numpy(dtype=np.float64)
    card = f"{metric.name}_card"
    if card in ok and len(set(ok.loc[ok[metric.name].notna(), card])) > 1:
        return Cell(number(None, 0).text, note=f"{metric.title} was computed in different ways")
    finite = values[np.isfinite(values)]
    infinite = int(np.isinf(values).sum())
    if infinite == len(values) > 0:
        return number(np.inf, metric.decimals, note="lossless on every image")
    notes = [f"mean over {len(finite)} of {len(values)} images"] * (0 < len(finite) < len(values))
    notes += [f"{infinite} lossless"] * (infinite > 0)
    mean = float(finite.mean()) if len(finite) else None
    return number(mean, metric.decimals, note="; ".join(notes))
