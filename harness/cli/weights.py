"""``harness weights``: the files that networks need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from harness.cli.names import complete_codec_or_all
from harness.cli.options import rate_option

if TYPE_CHECKING:
    from harness.catalog.codec_spec import CodecSpec, WeightsFile


@click.group()
def command() -> None:
    """Fetch the weights of codecs.

    They go into the cache. HARNESS_WEIGHTS can name a folder that already has them.
    """


@command.command("fetch")
@click.argument("codecs", nargs=-1, required=True, shell_complete=complete_codec_or_all)
@rate_option.but(help="Only what these rate points need; all when not given.")
def fetch(*, codecs: tuple[str, ...], rate: tuple[str, ...]) -> None:
    """Fetch the weights of CODECS; 'all' names every codec.

    An interrupted download continues where it stopped. If one fails, the others are still
    fetched, and the command fails at the end.
    """
    from harness.assets.codec_weights import fetch_weights
    from harness.catalog.codecs import load_catalog, select
    from harness.cli.log import show_downloads
    from harness.errors import HarnessError

    show_downloads()
    specs, by_name = select(load_catalog(), codecs)
    failed = 0
    for spec in specs:
        files = _needed(spec, rate)
        if not files and by_name:
            click.echo(f"{spec.name}: needs no weights")
        elif files and spec.weights_licence:
            click.echo(f"{spec.name}: licence of the weights: {spec.weights_licence}")
        for weights in files:
            try:
                fetched = fetch_weights(spec, weights)
            except HarnessError as error:
                failed += 1
                click.secho(f"error: {error.problem}\n  {error.remedy}", fg="red", err=True)
                continue
            how = "fetched" if fetched.downloaded else "already here"
            known = "" if weights.sha256 else " (not known before)"
            click.echo(f"{spec.name}: {fetched.path}, {how}, sha256 {fetched.sha256}{known}")
    if failed:
        raise SystemExit(1)


def _needed(spec: CodecSpec, rates: Sequence[str]) -> list[WeightsFile]:
    chosen = [spec.rate(rate) for rate in rates] or spec.rates
    return list(dict.fromkeys(w for rate in chosen for w in spec.weights_of(rate)))


@command.command("list")
@click.argument("codecs", nargs=-1, shell_complete=complete_codec_or_all)
def list_(*, codecs: tuple[str, ...]) -> None:
    """List the weights files of CODECS, or of all codecs."""
    from harness.catalog.codecs import load_catalog, select
    from harness.cli.table import print_table
    from harness.paths import find_weights

    catalog = load_catalog()
    specs = select(catalog, codecs)[0] if codecs else list(catalog.codecs.values())
    rows = []
    for spec in specs:
        for weights in spec.weights:
            path = find_weights(spec.folder, weights.file)
            size = path.stat().st_size if path.is_file() else weights.size
            state = str(path) if path.is_file() else "no"
            if weights.withdrawn and not path.is_file():
                state = f"no; withdrawn: {weights.withdrawn}"
            shown = f"{size / 1e6:,.0f} MB" if size else ""
            rows.append((spec.name, weights.file, shown, spec.weights_licence, state))
    print_table(("codec", "file", "size", "licence", "here"), rows)
