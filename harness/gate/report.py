"""A comparison for people: its verdict in lines, its tables, and Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.intervals import MIN_IMAGES, Interval
from harness.catalog.metrics import BITRATE, METRICS
from harness.gate.compare import Comparison
from harness.gate.finding import Finding
from harness.report.escape import code_for_markdown, for_html, for_markdown
from harness.report.render import markdown
from harness.report.tables import BLANK, MINUS, Cell, Column, Table, count, number, words
from harness.text import one_line

COLUMNS = (
    Column("measure", "Measure", is_text=True),
    Column("rate", "Rate point", is_text=True),
    Column("base", "Base"),
    Column("candidate", "Candidate"),
    Column("change", "Change"),
    Column("interval", "95%", parts=("low", "high")),
    Column("percent", "Change (%)"),
    Column("p", "p"),
    Column("images", "Images"),
    Column("verdict", "Verdict", is_text=True),
)

TIMES = {"encode_ms": "Encode (ms) ↓", "decode_ms": "Decode (ms) ↓"}

WORDS = {
    ("bits", "worse"): "more bits",
    ("bits", "better"): "fewer bits",
    ("bd_rate", "worse"): "more bits at equal quality",
    ("bd_rate", "better"): "fewer bits at equal quality",
    ("speed", "worse"): "slower",
    ("speed", "better"): "faster",
}

LEAST_P = 0.001

MOST_LINES = 20
"""Regressions that are listed one by one outside the tables."""


def subject_label(finding: Finding) -> str:
    """What was compared: ``DISTS ↓``, ``BD-rate by DISTS (%) ↓``."""
    if finding.kind == "bits":
        return BITRATE.label
    if finding.kind == "speed":
        return TIMES[finding.subject]
    if finding.kind == "bd_rate":
        return f"BD-rate by {METRICS[finding.subject].title} (%) ↓"
    if finding.kind == "status":
        return "Runs"
    return METRICS[finding.subject].label


def verdict_text(finding: Finding) -> str:
    """What it amounts to, in words."""
    if finding.kind == "status" and finding.verdict == "did not run":
        return "missing" if finding.subject == "missing" else f"did not run: {finding.subject}"
    if finding.verdict == "small":
        return "under the limit"
    return WORDS.get((finding.kind, finding.verdict), finding.verdict)


def sentence(finding: Finding) -> str:
    """The whole finding in a line, for a list or a message."""
    where = ", ".join(filter(None, (finding.title, finding.image_set.title, finding.rate)))
    if finding.kind == "status":
        cases = f"{finding.images} case{'s' if finding.images > 1 else ''}"
        line = f"{where}: {cases} {verdict_text(finding)}"
    else:
        cells = {c.key: cell.text for c, cell in zip(COLUMNS, _row(finding), strict=True)}
        change = f"{cells['change']} {cells['interval']}".replace(BLANK, "").strip()
        line = f"{where}: {cells['measure']} {verdict_text(finding)}"
        if finding.base is not None:
            line += f", {cells['base']} to {cells['candidate']}"
        line += f", change {change}, p {cells['p']}" if finding.p is not None else ""
    return f"{line} ({finding.note})" if finding.note else line


def verdict_lines(comparison: Comparison) -> list[str]:
    """The outcome first, then each regression, then what could not be compared."""
    judged = [f for f in comparison.findings if f.verdict != "not judged"]
    unjudged = len(comparison.findings) - len(judged)
    more = f"; {unjudged} more not judged" if unjudged else ""
    fails = comparison.regressions
    if not judged:
        outcome = "nothing could be judged"
    elif fails:
        outcome = f"regression: {len(fails)} of {len(judged)} comparisons failed"
    else:
        outcome = f"no regression in {len(judged)} comparisons"
    return [
        f"{outcome}{more}",
        *(f"  {sentence(finding)}" for finding in fails[:MOST_LINES]),
        *([f"  and {len(fails) - MOST_LINES} more"] if len(fails) > MOST_LINES else []),
        *(f"not compared: {note}" for note in comparison.notes),
    ]


def comparison_tables(comparison: Comparison) -> list[Table]:
    """One table for each codec and image set: a row for each measure and rate point."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in comparison.findings:
        groups.setdefault((finding.image_set.title, finding.codec), []).append(finding)
    tables = []
    for findings in groups.values():
        first = findings[0]
        title = f"{first.title} on {first.image_set.title}: candidate against base"
        slug = f"compare-{first.image_set.slug}-{first.codec}"
        ordered = sorted(findings, key=_order)
        rows = tuple(tuple(_row(finding)) for finding in ordered)
        tables.append(Table(slug, title, COLUMNS, rows, tuple(_remarks(comparison, findings))))
    return tables


def comparison_markdown(comparison: Comparison) -> str:
    """A comment on a pull request: the verdict in sight, the tables folded."""
    outcome, *details = verdict_lines(comparison)
    mark = "❌" if comparison.regressions else "✅"
    lines = [f"### {mark} {for_markdown(outcome)}", ""]
    sides = [code_for_markdown(name) for name in (comparison.base, comparison.candidate)]
    lines += [f"Base: {sides[0]}, candidate: {sides[1]}", ""]
    lines += [f"- {for_markdown(line.strip())}" for line in details]
    lines += [""] if details else []
    for table in comparison_tables(comparison):
        lines += [
            "<details>",
            f"<summary>{for_html(one_line(table.title))}</summary>",
            "",
            markdown(table).split("\n", 2)[2],
            "</details>",
            "",
        ]
    return "\n".join(lines)


def _remarks(comparison: Comparison, findings: list[Finding]) -> Iterator[str]:
    yield (
        "Change: mean over the images of both sides; of times, the median ratio. 95%: interval "
        "over images, for this row alone."
    )
    yield (
        "p: the chance of such a change in any row where nothing has changed; a verdict needs "
        f"p up to {comparison.quality_level:g} and a change of a size that matters."
    )
    if any(0 < f.images < MIN_IMAGES for f in findings if f.kind not in {"status", "speed"}):
        yield f"Under {MIN_IMAGES} images nothing is judged but what did not run."


def _order(finding: Finding) -> int:
    """Status first, then BD-rates, then rate points, then times; otherwise as they came."""
    return {"status": 0, "bd_rate": 1, "speed": 3}.get(finding.kind, 2)


def _row(finding: Finding) -> list[Cell]:
    decimals = _decimals(finding)
    note = finding.note
    if finding.different:
        differ = f"{finding.different} of {finding.images} bitstreams differ"
        note = "; ".join(filter(None, (differ, note)))
    verdict = verdict_text(finding)
    return [
        words(subject_label(finding), note=note),
        words(finding.rate or "all"),
        number(finding.base, decimals),
        number(finding.candidate, decimals),
        _change(finding, decimals),
        _interval(finding.interval, decimals),
        number(finding.percent, 2),
        _chance(finding.p),
        count(finding.images) if finding.images else Cell(BLANK),
        Cell(verdict, place=1 if finding.fails else 0),
    ]


def _decimals(finding: Finding) -> int:
    if finding.kind == "quality":
        return max(METRICS[finding.subject].decimals, 3)
    return {"bits": BITRATE.decimals, "bd_rate": 2, "speed": 2, "status": 0}[finding.kind]


def _change(finding: Finding, decimals: int) -> Cell:
    cell = number(finding.change, decimals)
    if finding.kind == "speed" and finding.change is not None:
        return Cell(f"{cell.text}x", finding.change)
    signed = finding.change is not None and finding.change > 0
    return Cell(f"+{cell.text}", finding.change) if signed else cell


def _interval(interval: Interval | None, decimals: int) -> Cell:
    if interval is None:
        return Cell(BLANK)
    low, high = (
        f"{value + 0.0:.{decimals}f}".replace("-", MINUS) for value in (interval.low, interval.high)
    )
    return Cell(f"[{low}, {high}]", parts=(interval.low, interval.high))


def _chance(p: float | None) -> Cell:
    if p is not None and p < LEAST_P:
        return Cell(f"< {LEAST_P:g}", p)
    return number(p, 3)
