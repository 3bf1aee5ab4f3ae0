"""Verdicts as rows of a table and as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from typing import Any

from harness.catalog.metrics import METRICS
from harness.verify.files import FileOfRun, by_kind
from harness.verify.finding import Field, Outcome, Verdict, counts, worst

WORDS = {
    Outcome.EQUAL: "equal",
    Outcome.WITHIN: "within",
    Outcome.DIFFERENT: "different",
    Outcome.IMPOSSIBLE: "not here",
}
NOTHING = "\N{EN DASH}"
CODING = ("status", "bytes", "height", "width", "bpp")
"""Fields that stand in the column of the bytes."""

VERDICTS = ("intact", "damaged", "missing", "unverified", "leftover")


def case_table(verdicts: Sequence[Verdict]) -> tuple[list[str], list[list[str]]]:
    """Columns and rows: how bytes, picture and each metric of each case compare."""
    names = {field.name for verdict in verdicts for field in verdict.fields}
    metrics = [name for name in METRICS if name in names]
    columns = ["codec", "rate", "image", "bytes", "picture", *(METRICS[m].title for m in metrics)]
    rows = []
    for verdict in verdicts:
        found = {field.name: field for field in verdict.fields}
        cells = [_worst([f for name, f in found.items() if name in {*CODING, "bitstream_sha256"}])]
        cells += [_worst([found[m]] if m in found else []) for m in ("picture_sha256", *metrics)]
        record = verdict.record
        rows.append([str(record["codec"]), str(record["rate"]), str(record["image"]), *cells])
    return columns, rows


def _worst(fields: Sequence[Field]) -> str:
    if not fields:
        return NOTHING
    return WORDS[worst(field.outcome for field in fields)]


def case_lines(verdicts: Sequence[Verdict], seed: int) -> list[str]:
    """What is not equal and why, a line for each such case, and the sum of all."""
    lines = [f"{v.name}: {v.outcome}: {v.explanation()}" for v in verdicts if v.explanation()]
    ended = ", ".join(f"{number} {outcome}" for outcome, number in counts(verdicts).items())
    tolerances = ", ".join(
        f"{METRICS[name].title} {METRICS[name].tolerance:g}"
        for name in METRICS
        if any(field.name == name for verdict in verdicts for field in verdict.fields)
    )
    lines.append(f"{len(verdicts)} cases, seed {seed}: {ended}")
    if tolerances:
        lines.append(f"tolerances: {tolerances}; bytes and pictures must be identical")
    lines.append("times are not compared")
    return lines


def cases_json(verdicts: Sequence[Verdict], seed: int) -> str:
    """The verdicts as JSON; numbers that JSON does not have are text."""
    named = ("run", "case", "codec", "rate", "dataset", "image", "resolution")
    cases = [
        {
            **{name: str(verdict.record[name]) for name in named},
            "outcome": str(verdict.outcome),
            "reason": verdict.reason,
            "fields": [_plain(dataclasses.asdict(field)) for field in verdict.fields],
            "elsewhere": list(verdict.elsewhere),
        }
        for verdict in verdicts
    ]
    ended = {str(outcome): number for outcome, number in counts(verdicts).items()}
    return json.dumps({"seed": seed, "counts": ended, "cases": cases}, indent=2, ensure_ascii=False)


def _plain(field: dict[str, Any]) -> dict[str, Any]:
    return {
        key: str(value)
        if isinstance(value, Outcome) or (isinstance(value, float) and not math.isfinite(value))
        else value
        for key, value in field.items()
    }


def file_table(found: Sequence[FileOfRun]) -> tuple[list[str], list[list[str]]]:
    """Columns and rows: how many files of each kind, their bytes, and the verdicts on them."""
    rows = [
        [kind.name, f"{kind.files}", f"{kind.bytes}", *(f"{kind.verdicts[v]}" for v in VERDICTS)]
        for kind in by_kind(found)
    ]
    return ["kind", "files", "bytes", *VERDICTS], rows


def files_json(found: Sequence[FileOfRun]) -> str:
    """The summary by kind, and every file that is not intact, as JSON."""
    kinds = [
        {"kind": k.name, "files": k.files, "bytes": k.bytes, **{v: k.verdicts[v] for v in VERDICTS}}
        for k in by_kind(found)
    ]
    others = [
        {"file": f.name, "verdict": f.check.verdict, "detail": f.check.detail}
        for f in found
        if f.check.verdict != "intact"
    ]
    return json.dumps({"kinds": kinds, "not_intact": others}, indent=2, ensure_ascii=False)
