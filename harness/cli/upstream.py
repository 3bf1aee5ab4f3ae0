"""``harness upstream``: the repositories of codecs' authors."""

from __future__ import annotations

import click

from harness.cli.names import complete_codec_or_all


@click.group()
def command() -> None:
    """Fetch the repositories whose code adapters run.

    Each is cloned from its official address into the cache, at the commit that the adapter was
    written for. To use a checkout that you already have, name in HARNESS_UPSTREAM the folder that
    contains it; it must be called as the adapter's folder is.
    """


@command.command("fetch")
@click.argument("codecs", nargs=-1, required=True, shell_complete=complete_codec_or_all)
def fetch(*, codecs: tuple[str, ...]) -> None:
    """Fetch what CODECS need; 'all' names every codec."""
    from harness.assets.upstream import fetch_upstream
    from harness.catalog.codecs import load_catalog, select

    specs, by_name = select(load_catalog(), codecs)
    done = set()
    for spec in specs:
        if spec.upstream is None and not by_name:
            continue
        if spec.folder in done:
            continue
        done.add(spec.folder)
        folder = fetch_upstream(spec)
        click.echo(f"{spec.name}: {folder}, licence: {spec.licence}")


@command.command("list")
def list_() -> None:
    """List the repositories and whether each is here."""
    from harness.assets.checkout import wrong_checkout
    from harness.catalog.codecs import load_catalog
    from harness.cli.table import print_table
    from harness.paths import find_upstream

    rows = {}
    for spec in load_catalog().codecs.values():
        if spec.upstream is not None and spec.folder not in rows:
            folder = find_upstream(spec.folder.name)
            here = wrong_checkout(folder, spec.upstream.commit) or str(folder)
            commit = spec.upstream.commit[:12]
            rows[spec.folder] = (spec.name, spec.upstream.repository, commit, spec.licence, here)
    print_table(("codec", "repository", "commit", "licence", "here"), list(rows.values()))
