"""Writes a whole report: figures, tables, and the pages that hold them all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from harness.analysis import BDOptions, bd_rates, default_anchor, metrics_in
from harness.analysis.panels import rd_panels
from harness.analysis.records import curve_records
from harness.errors import HarnessError, Status
from harness.report.bdtables import detail_tables, overview_tables
from harness.report.coverage import coverage_table, failures_table
from harness.report.figures import whole_figures, write_figures
from harness.report.files import write_text, writing
from harness.report.html import page
from harness.report.latex import latex
from harness.report.rates import rate_tables
from harness.report.render import csv_text, markdown
from harness.report.runtime import runtime_tables
from harness.report.summary import summary
from harness.report.tables import Table


def write_report(
    frame: pd.DataFrame,
    out: str | Path,
    *,
    anchor: str | None = None,
    options: BDOptions | None = None,
    device_gb: float | None = None,
    title: str = "Image codec benchmark",
) -> list[Path]:
    """Write figures, tables, ``index.html`` and ``report.md`` of some results.

    Args:
        frame: Results, in the columns of :func:`harness.load_results`.
        out: The folder to write to; made when it is missing, files in it are replaced.
        anchor: The codec that BD-rates compare with; where ``None``, see
            :func:`harness.analysis.default_anchor`.
        options: How BD-rates are computed.
        device_gb: Memory of the device in GB, for the mark of what ran out of it.
        title: The page's heading.

    Returns:
        The paths written, ``index.html`` first.

    Raises:
        HarnessError: The results are empty, or ``out`` cannot be written.
        UnknownName: ``anchor`` is not in the results.
    """
    if frame.empty:
        raise HarnessError("the results hold no case", "measure some with 'harness run'")
    out = Path(out).expanduser()
    sections = report_tables(frame, anchor, options or BDOptions(), device_gb)
    panels = rd_panels(frame)
    with writing(f"the report to {out}"):
        figures = write_figures(panels, out / "figures")
        tables = [
            path
            for of_section in sections.values()
            for table in of_section
            for path in write_table(table, out / "tables")
        ]
        index = out / "index.html"
        whole = [out / "figures" / f"{stem}.png" for stem in whole_figures(panels)]
        text = page(title, _subtitle(frame), panels, sections, whole)
        write_text(index, text)
        shown = [path.relative_to(out).as_posix() for path in whole]
        text = summary(title, _subtitle(frame), shown, sections)
        write_text(out / "report.md", text)
    return [index, out / "report.md", *figures, *tables]


def report_tables(
    frame: pd.DataFrame, anchor: str | None, options: BDOptions, device_gb: float | None = None
) -> dict[str, list[Table]]:
    """All tables of a report under their headings."""
    sections: dict[str, list[Table]] = {}
    metrics = metrics_in(curve_records(frame))
    anchor = anchor or default_anchor(frame)
    if anchor is not None and metrics:
        by_metric = [bd_rates(frame, metric, anchor, options) for metric in metrics]
        details = [table for cells in by_metric for table in detail_tables(cells, options)]
        sections["BD-rate"] = [
            *overview_tables(by_metric, options),
            *(replace(table, folded=True) for table in details),
        ]
    sections["Runtime"] = runtime_tables(frame, device_gb)
    sections["Rate points"] = [replace(table, folded=True) for table in rate_tables(frame)]
    sections["Coverage"] = [coverage_table(frame), failures_table(frame)]
    return {heading: tables for heading, tables in sections.items() if tables}


def write_table(table: Table, out: Path) -> list[Path]:
    """Write one table as Markdown, CSV and LaTeX; the paths written."""
    paths = []
    for suffix, render in {"md": markdown, "csv": csv_text, "tex": latex}.items():
        paths.append(out / f"{table.slug}.{suffix}")
        write_text(paths[-1], render(table))
    return paths


def _subtitle(frame: pd.DataFrame) -> str:
    datasets = ", ".join(sorted(map(str, frame["dataset"].unique())))
    ok = int((frame["status"] == Status.OK).sum())
    codecs = frame["codec"].nunique()
    return f"{len(frame)} cases, {ok} of them ok; {codecs} codecs; {datasets}"
