"""``harness list``: the codecs, data sets, metrics and runs that there are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import json_option, results_option
from harness.cli.renamed import positional_results

if TYPE_CHECKING:
    from harness.catalog.codec_spec import CodecSpec
    from harness.catalog.datasets import DatasetSpec
    from harness.errors import ManifestError

Row = dict[str, Any]


@click.group()
def command() -> None:
    """List codecs, data sets, metrics or runs."""


@command.command()
@json_option
def codecs(*, as_json: bool) -> None:
    """List the codecs and whether each can run here."""
    from harness.catalog.codecs import load_catalog

    catalog = load_catalog()
    rows = [_codec(spec) for spec in catalog.codecs.values()]
    for name, error in catalog.broken.items():
        rows.append({**dict.fromkeys(rows[0] if rows else ("codec",)), "codec": name})
        rows[-1]["unavailable"] = str(error)
    if as_json:
        _print_json(rows)
        return
    _print_table(
        ("codec", "title", "rate points", "options", "here"),
        [
            (
                row["codec"],
                row["title"] or "",
                _span(row["rates"] or ()),
                ", ".join(f"{key} {value}" for key, value in (row["options"] or {}).items()),
                row["unavailable"] or ("yes" if row["in_all"] else "yes, by name only"),
            )
            for row in rows
        ],
    )


def _codec(spec: CodecSpec) -> Row:
    from harness.errors import Lack
    from harness.readiness.ready import Readiness

    ready = Readiness().at_any(spec)
    return {
        "codec": spec.name,
        "title": spec.title,
        "family": spec.family,
        "rates": [rate.id for rate in spec.rates],
        "options": {key: value for key, value in spec.options.items() if key != "external"},
        "in_all": spec.in_all,
        "unavailable": str(ready) if isinstance(ready, Lack) else None,
    }


def _span(rates: Sequence[str]) -> str:
    few = 2
    return ", ".join(rates) if len(rates) <= few else f"{len(rates)}: {rates[0]} to {rates[-1]}"


@command.command()
@json_option
def datasets(*, as_json: bool) -> None:
    """List the data sets and whether each is on this machine."""
    from harness.catalog.datasets import load_datasets

    catalog = load_datasets()
    rows = [_dataset(spec) for spec in catalog.datasets.values()]
    rows += [_broken(name, error) for name, error in catalog.broken.items()]
    known = {row["dataset"] for row in rows}
    own = (_folder(path) for path in _own_folders() if path.name not in known)
    rows += [row for row in own if row["images"]]
    if as_json:
        _print_json(rows)
        return
    _print_table(
        ("dataset", "title", "images", "licence", "here"),
        [
            (
                row["dataset"],
                row["title"] or "",
                str(row["images"] or ""),
                row["licence"] or "",
                row["unavailable"] or _whereabouts(row),
            )
            for row in rows
        ],
    )


def _dataset(spec: DatasetSpec) -> Row:
    from harness.images.datasets import count_here

    count, folder = count_here(spec)
    return {
        "dataset": spec.name,
        "title": spec.title,
        "images": spec.count,
        "licence": spec.licence,
        "homepage": spec.homepage,
        "here": count,
        "folder": str(folder) if folder else None,
        "download_bytes": spec.archive.size if spec.archive else None,
        "unavailable": None,
    }


def _broken(name: str, error: ManifestError) -> Row:
    keys = ("dataset", "title", "images", "licence", "homepage", "here", "folder", "download_bytes")
    return {**dict.fromkeys(keys), "dataset": name, "unavailable": str(error)}


def _own_folders() -> Iterator[Path]:
    from harness.images.datasets import data_roots

    for root in data_roots():
        if root.is_dir():
            yield from sorted(path for path in root.iterdir() if path.is_dir())


def _folder(path: Path) -> Row:
    from harness.images.datasets import scan

    count = len(scan(path))
    return {
        "dataset": path.name,
        "title": path.name,
        "images": count,
        "licence": "",
        "homepage": "",
        "here": count,
        "folder": str(path),
        "download_bytes": None,
        "unavailable": None,
    }


def _whereabouts(row: Row) -> str:
    megabyte = 1_000_000
    if row["here"] == row["images"]:
        return str(row["folder"])
    if row["here"]:
        return f"{row['here']} of {row['images']} in {row['folder']}"
    size = row["download_bytes"]
    return f"no; a run downloads it ({size // megabyte} MB)" if size else "no; a run downloads it"


@command.command()
@json_option
def metrics(*, as_json: bool) -> None:
    """List the metrics."""
    from harness.catalog.metrics import METRICS

    rows: list[Row] = [
        {
            "metric": metric.name,
            "title": metric.title,
            "unit": metric.unit,
            "better": metric.direction,
            "needs_reference": metric.needs_reference,
        }
        for metric in METRICS.values()
    ]
    if as_json:
        _print_json(rows)
        return
    _print_table(
        ("metric", "title", "unit", "better", "compares with the original"),
        [
            (
                m["metric"],
                m["title"],
                m["unit"],
                m["better"],
                "yes" if m["needs_reference"] else "no",
            )
            for m in rows
        ],
    )


@command.command()
@positional_results
@results_option
@json_option
def runs(*, results: Path, as_json: bool) -> None:
    """List the runs in a results folder and what each contains."""
    from harness.errors import HarnessError
    from harness.store.load import run_folders

    rows = [_run(folder) for folder in run_folders(results.expanduser())]
    if not rows:
        raise HarnessError(f"no runs in {results}", "make one with 'harness run'")
    if as_json:
        _print_json(rows)
        return
    columns = ("run", "cases", "ok", "not ok", "codecs", "data sets", "last", "revision")
    _print_table(columns, [[str(value) for value in row.values()] for row in rows])


def _run(folder: Path) -> Row:
    from harness.store.run_store import RunStore

    states = RunStore(folder, create=False).states.values()
    ok = sum(state.status == "ok" for state in states)
    manifests = sorted((folder / "runs").glob("*.json"))
    last = json.loads(manifests[-1].read_text()) if manifests else {}
    revision = last.get("machine", {}).get("harness", {}).get("revision") or ""
    codecs = {name for path in manifests for name in json.loads(path.read_text())["codecs"]}
    data = {name for path in manifests for name in json.loads(path.read_text())["datasets"]}
    return {
        "run": folder.name,
        "cases": len(states),
        "ok": ok,
        "not_ok": len(states) - ok,
        "codecs": ", ".join(sorted(codecs)),
        "datasets": ", ".join(sorted(data)),
        "last": str(last.get("started", ""))[:19].replace("T", " "),
        "revision": revision[:12],
    }


def _print_json(rows: Sequence[Row]) -> None:
    click.echo(json.dumps(rows, indent=2, default=str))


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from harness.cli.table import print_table

    print_table(columns, rows)
