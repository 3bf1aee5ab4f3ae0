"""Writes all that a protocol asks for: tables, what was published, figures, pictures, one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from harness.analysis import BDOptions
from harness.catalog.metrics import metric_named
from harness.errors import Status
from harness.paper.bdrates import bd_part
from harness.paper.figures import GRID, paper_panels, write_rd_figures
from harness.paper.pictures import Picture, write_pictures
from harness.paper.rates import coverage, rates_reproduction
from harness.paper.reference import Reference
from harness.paper.results import PaperResults
from harness.paper.runtime import runtime_parts
from harness.report.figures import whole_figures
from harness.report.files import write_text, writing
from harness.report.html import page
from harness.report.tables import Cell, Column, Table, make_table, words
from harness.report.write import write_table


@dataclass(frozen=True)
class PaperOptions:
    """What may differ from the protocol.

    Attributes:
        anchor: Another codec for the BD-rates to compare with.
        bd: How BD-rates are computed; exclusions and the least number of rate points are the
            protocol's.
        device_gb: Memory of the device in GB, for the mark of what ran out of it.
    """

    anchor: str | None = None
    bd: BDOptions = field(default_factory=BDOptions)
    device_gb: float | None = None


def write_paper(
    results: PaperResults,
    reference: Reference,
    out: Path,
    pictures: Sequence[Picture] = (),
    not_shown: Mapping[str, str] | None = None,
    options: PaperOptions | None = None,
) -> list[Path]:
    """Write a paper's tables and figures, and ``index.html`` with all of them.

    Args:
        results: The results.
        reference: What was published.
        out: The folder to write to; made when it is missing, files in it are replaced.
        pictures: The panels of reconstructions.
        not_shown: By data set, why there is no such panel.
        options: What differs from the protocol.

    Returns:
        The paths written, ``index.html`` first.

    Raises:
        HarnessError: ``out`` cannot be written.
        UnknownName: The anchor is not in the results.
    """
    protocol = results.protocol
    sections = paper_tables(results, reference, options or PaperOptions())
    sections["Pictures"] = [_captions(pictures, not_shown or {}, results, reference)]
    panels = paper_panels(results)
    with writing(f"to {out}"):
        figures = write_rd_figures(panels, out / "figures")
        shown = [out / "figures" / f"{stem}.png" for stem in whole_figures(panels)]
        shown += [path for path in figures if path.name == f"{GRID}.png"]
        metric = metric_named(protocol.pictures.metric)
        of_pictures = write_pictures(pictures, metric, out / "figures")
        shown += [path for path in of_pictures if path.suffix == ".png"]
        tables = [
            path
            for of_section in sections.values()
            for table in of_section
            for path in write_table(table, out / "tables")
        ]
        index = out / "index.html"
        title = f"{protocol.title}: the paper's tables and figures"
        text = page(title, _subtitle(results), panels, sections, shown)
        write_text(index, text)
    return [index, *figures, *of_pictures, *tables]


def paper_tables(
    results: PaperResults, reference: Reference, options: PaperOptions
) -> dict[str, list[Table]]:
    """All tables under their headings; reproductions and details are folded."""
    sections: dict[str, list[Table]] = {"BD-rate": [], "Runtime": []}
    for metric in results.protocol.bdrate.metrics:
        part = bd_part(results, reference, metric, options.anchor, options.bd)
        folded = (part.reproduction, *part.details)
        sections["BD-rate"] += [part.table, *(replace(table, folded=True) for table in folded)]
    for table, reproduction in runtime_parts(results, reference, options.device_gb):
        sections["Runtime"] += [table, replace(reproduction, folded=True)]
    if (rates := rates_reproduction(results, reference)) is not None:
        sections["Rate points"] = [replace(rates, folded=True)]
    sections["Coverage"] = [coverage(results)]
    sections["Sources"] = [_sources(reference)]
    return sections


def _captions(
    pictures: Sequence[Picture],
    not_shown: Mapping[str, str],
    results: PaperResults,
    reference: Reference,
) -> Table:
    """What stands under the pictures, the published captions, and what is not shown."""
    metric = metric_named(results.protocol.pictures.metric)
    columns = (
        Column("dataset", "Data set", is_text=True),
        Column("image", "Image", is_text=True),
        Column("codec", "Method", is_text=True),
        Column("value", metric.title),
        Column("bpp", "BPP"),
        Column("state", "State", is_text=True),
        Column("source", "Source", is_text=True),
    )
    titles = results.protocol.datasets
    rows = [
        _caption(titles[p.dataset], p.image, t.title, t.value, t.bpp, "measured", "")
        for p in pictures
        for t in p.tiles
    ]
    published = reference.pictures if metric.name == "dists" else reference.pictures.head(0)
    rows += [
        _caption(
            titles.get(row["dataset"], row["dataset"]), f"of Figure {row['figure']}",
            row["title"], row["dists"], row["bpp"], "published only",
            f"{row['source']}, {row['cell']}",
        )
        for _, row in published.iterrows()
    ]  # fmt: skip
    remarks = [
        f"No pictures of {titles.get(name, name)}: {why}." for name, why in not_shown.items()
    ]
    if len(published):
        remarks.append("The document does not name its images: none is set against a measured one.")
    title = f"Pictures: {metric.title} / BPP of the whole images"
    return make_table("pictures", title, columns, rows, remarks)


def _caption(
    dataset: str, image: str, title: str, value: float, bpp: float, state: str, source: str
) -> list[Cell]:
    return [
        words(dataset), words(image), words(title), Cell(f"{value:.4f}", value),
        Cell(f"{bpp:.4f}", bpp), words(state), words(source),
    ]  # fmt: skip


def _sources(reference: Reference) -> Table:
    columns = (
        Column("name", "Name", is_text=True),
        Column("title", "Document", is_text=True),
        Column("address", "Address", is_text=True),
        Column("kind", "Kind", is_text=True),
        Column("note", "Note", is_text=True),
    )
    rows = [
        [words(s.name), words(s.title), words(s.address), words(s.kind), words(s.note)]
        for s in reference.sources.values()
    ]
    return make_table("sources", "Where the published numbers come from", columns, rows)


def _subtitle(results: PaperResults) -> str:
    ok: pd.DataFrame = results.quality[results.quality["status"] == Status.OK]
    codecs = ", ".join(results.title_of(codec) for codec in dict.fromkeys(ok["codec"])) or "none"
    datasets = [
        title for name, title in results.protocol.datasets.items() if name in set(ok["dataset"])
    ]
    return (
        f"Protocol {results.protocol.name} ({results.protocol.paper}). Measured: {codecs}; on "
        f"{', '.join(datasets) or 'no data set of it'}; {len(ok)} cases."
    )
