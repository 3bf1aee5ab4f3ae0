"""One self-contained page: the curves to point at, the tables to sort, the figures as printed."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from harness.analysis.panels import Panel
from harness.report.escape import for_html
from harness.report.figures import scales_ms_ssim, uses_log_axis
from harness.report.style import legend_order, style_of
from harness.report.tables import Cell, Table

LONG = 48
"""Words of more characters than this may break over lines."""

CHART = """<h2 id="curves">Rate-distortion curves</h2>
<section id="chart">
<div class="controls"><label>Show <select></select></label>
<label><input type="checkbox"> logarithmic bitrate</label></div>
<div class="chart"><svg class="plot" viewBox="0 0 760 470" role="img"
aria-label="Rate-distortion curves"></svg><ul class="legend"></ul></div>
<p class="remarks"></p></section>"""


def page(
    title: str,
    subtitle: str,
    panels: Sequence[Panel],
    sections: Mapping[str, Sequence[Table]],
    figures: Sequence[Path],
) -> str:
    """The page, without any reference to the network.

    Args:
        title: The heading.
        subtitle: What the results hold, one line.
        panels: The R-D curves; the page draws them and shows values under the pointer.
        sections: Tables under their headings.
        figures: PNG files to embed.
    """
    headings = [*(["Rate-distortion curves"] if panels else []), *sections]
    parts = [CHART] if panels else []
    for heading, tables in sections.items():
        parts.append(f'<h2 id="{_anchor(heading)}">{for_html(heading)}</h2>')
        parts += [_table(table) for table in tables]
    if figures:
        headings.append("Figures")
        parts.append('<h2 id="figures">Figures</h2>')
        parts += [_figure(path) for path in figures]
    links = "".join(f'<a href="#{_anchor(h)}">{for_html(h)}</a>' for h in headings)
    folder = files("harness.report") / "page"
    return Template((folder / "page.html").read_text(encoding="utf-8")).substitute(
        title=for_html(title),
        subtitle=for_html(subtitle),
        nav=links,
        body="\n".join(parts),
        # "</" would end the script element early, whatever stands around it.
        panels=json.dumps([_panel(panel) for panel in panels]).replace("<", "\\u003c"),
        css=(folder / "page.css").read_text(encoding="utf-8"),
        js=(folder / "page.js").read_text(encoding="utf-8"),
    )


def _anchor(heading: str) -> str:
    return "curves" if heading.startswith("Rate-distortion") else heading.lower().replace(" ", "-")


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "name": f"{panel.metric.title}, {panel.image_set.title} ({panel.images} images)",
        "title": panel.metric.title,
        "label": panel.metric.label,
        "decimals": panel.metric.decimals,
        "log": uses_log_axis(panel),
        "scale": "decibel" if scales_ms_ssim(panel) else "linear",
        "notes": panel.notes,
        "lines": [
            {
                "codec": line.codec,
                "title": line.title,
                **style_of(line.codec, line.family).__dict__,
                "points": [
                    {"rate": rate, "bpp": float(bpp), "quality": float(quality)}
                    for rate, bpp, quality in zip(line.rates, line.bpp, line.quality, strict=True)
                ],
            }
            for line in sorted(panel.lines, key=lambda line: legend_order(line.codec))
        ],
    }


def _table(table: Table) -> str:
    heads = "".join(
        f'<th class="{"text" if column.is_text else "number"}">{for_html(column.title)}</th>'
        for column in table.columns
    )
    groups = "".join(f'<td colspan="{span}">{for_html(group)}</td>' for group, span in table.groups)
    above = f'<tr class="groups">{groups}</tr>' if groups else ""
    rows = "\n".join(
        "<tr>"
        + "".join(
            _cell(cell, table.notes, is_text=column.is_text)
            for column, cell in zip(table.columns, row, strict=True)
        )
        + "</tr>"
        for row in table.rows
    )
    notes = "".join(f"<li>{for_html(note)}</li>" for note in table.notes)
    grid = (
        f'<div class="scroll"><table><thead>{above}<tr>{heads}</tr></thead>\n'
        f"<tbody>{rows}</tbody></table></div>"
    )
    body = (
        (grid if table.rows else "")
        + (f'<ol class="notes">{notes}</ol>' if notes else "")
        + "".join(f'<p class="remarks">{for_html(remark)}</p>' for remark in table.remarks)
    )
    title = for_html(table.title)
    if table.folded:
        return f"<details><summary>{title}</summary>{body}</details>"
    return f"<h3>{title}</h3>{body}"


def _cell(cell: Cell, notes: Sequence[str], *, is_text: bool) -> str:
    kinds = ["text" if is_text else "number", *{1: ["first"], 2: ["second"]}.get(cell.place, [])]
    if len(cell.text) > LONG:
        kinds.append("long")
    value = "" if cell.value is None else f' data-value="{cell.value!r}"'
    mark = f"<sup>{notes.index(cell.note) + 1}</sup>" if cell.note else ""
    hint = f' title="{for_html(cell.note)}"' if cell.note else ""
    return f'<td class="{" ".join(kinds)}"{value}{hint}>{for_html(cell.text)}{mark}</td>'


def _figure(path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    name = for_html(path.stem)
    return (
        f'<figure><img alt="{name}" src="data:image/png;base64,{data}">'
        f"<figcaption>{name}.pdf</figcaption></figure>"
    )
