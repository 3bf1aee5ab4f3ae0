"""A report as one Markdown page, to be read where a repository is browsed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.report.escape import for_html, for_markdown, path_for_markdown
from harness.report.render import markdown
from harness.report.tables import Table
from harness.text import one_line


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
        f"# {for_markdown(title)}",
        f"{for_markdown(subtitle)}. To point at and to sort: `index.html`.",
    ]
    parts += [f"![{for_markdown(figure)}]({path_for_markdown(figure)})" for figure in figures]
    for heading, tables in sections.items():
        parts += [f"## {for_markdown(heading)}", *map(_table, tables)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _table(table: Table) -> str:
    text = markdown(table)
    if not table.folded:
        return text
    return f"<details><summary>{for_html(one_line(table.title))}</summary>\n\n{text}\n</details>"
