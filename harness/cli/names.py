"""Completes the names that options and arguments take."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _completing(names: Callable[[click.Context], Iterable[str]]) -> Complete:
    """Complete the last of names with commas between them."""

    def complete(
        context: click.Context, _: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        done, comma, last = incomplete.rpartition(",")
        return [
            CompletionItem(done + comma + name)
            for name in dict.fromkeys(names(context))
            if name.startswith(last)
        ]

    return complete


def _codecs(_: click.Context) -> Iterable[str]:
    from harness.catalog.codecs import load_catalog

    return load_catalog().codecs


def _codecs_or_all(context: click.Context) -> Iterable[str]:
    return ["all", *_codecs(context)]


def _datasets(_: click.Context) -> Iterable[str]:
    from harness.paths import data_folder

    return [path.stem for path in sorted(data_folder("datasets").glob("*.toml"))]


def _metrics(_: click.Context) -> Iterable[str]:
    from harness.catalog.metrics import METRICS

    return METRICS


def _protocols(_: click.Context) -> Iterable[str]:
    from harness.paths import data_folder

    return [path.stem for path in sorted(data_folder("protocols").glob("*.toml"))]


def _rates(context: click.Context) -> Iterable[str]:
    """The rate points of the codecs that the command line names before."""
    from harness.catalog.codecs import load_catalog, select
    from harness.errors import HarnessError

    given = context.params.get("codec") or context.params.get("codecs") or ("all",)
    try:
        specs, _ = select(load_catalog(), [given] if isinstance(given, str) else given)
    except HarnessError:
        return []
    return [rate.id for spec in specs for rate in spec.rates]


complete_codec = _completing(_codecs)
complete_codec_or_all = _completing(_codecs_or_all)
complete_dataset = _completing(_datasets)
complete_metric = _completing(_metrics)
complete_protocol = _completing(_protocols)
complete_rate = _completing(_rates)
