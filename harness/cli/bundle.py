"""``harness bundle``: the records of runs in one archive, to sit beside a paper."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.text import counted, size
from harness.errors import HarnessError


@click.command("bundle")
@click.argument("results", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    show_default="NAME.zip, after the folder, in the current folder",
    help="The archive to write.",
)
@click.option("--bitstreams", is_flag=True, help="Pack the bitstreams, too.")
def command(*, results: Path, out: Path | None, bitstreams: bool) -> None:
    """Pack records, cards, manifests and logs of RESULTS into one archive with digests.

    RESULTS is the folder of a run, or a results folder, all of whose runs are packed. The
    reconstructions stay behind. 'verify', 'report' and every other command that reads results take
    the archive as it is.
    """
    from harness.store.bundle import pack
    from harness.store.load import run_folders

    folder = results.expanduser().resolve()
    runs = {run.name: run for run in run_folders(folder)}
    if not runs:
        raise HarnessError(f"no results in {results}", "name a results folder, or that of a run")
    out = Path(f"{folder.name}.zip") if out is None else out.expanduser()
    packed = pack(runs, out, bitstreams=bitstreams)
    what = f"{counted(packed.files, 'file')} of {counted(packed.runs, 'run')}"
    click.echo(f"wrote {out}: {what}, {size(packed.bytes)}")
