"""A report as one Markdown page, to be read where a repository is browsed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from harness.report.render import escape_markdown, markdown
from harness.report.tables import Table


def summary(
    title: str, subtitle: str, figures: Sequence[str], sections: Mapping[str, Sequence[Table]]
) -> str:
    """The page: figures first, then the tables, long ones folded.

    Args:
        title: The heading.
        subtitle: What the results hold, one line.
        figures: PNG files, as paths from the page's folder.
        sections: Tables under their headings.
    """
    parts = [
        f"# {escape_markdown(title)}",
        f"{escape_markdown(subtitle)}. To point at and to sort: `index.html`.",
    ]
    parts += [f"![{figure}]({figure})" for figure in figures]
    for heading, tables in sections.items():
        parts += [f"## {escape_markdown(heading)}", *map(_table, tables)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _table(table: Table) -> str:
    text = markdown(table)
    if not table.folded:
        return text
    return f"<details><summary>{escape(table.title)}</summary>\n\n{text}\n</details>"
