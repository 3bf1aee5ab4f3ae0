"""``harness verify``: are records what is measured here, and files what was written?"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.names import complete_codec
from harness.cli.options import (
    codec_option,
    dataset_option,
    environment_option,
    format_option,
    memory_option,
    metric_option,
    no_download_option,
    timeout_option,
)
from harness.cli.types import AtLeast
from harness.errors import HarnessError, Status

if TYPE_CHECKING:
    import pandas as pd


@click.command("verify")
@click.argument("results", type=click.Path(path_type=Path))
@click.option(
    "--sample",
    type=AtLeast(1),
    default=20,
    show_default=True,
    metavar="CASES",
    help="How many cases to make again.",
)
@click.option(
    "--seed",
    type=AtLeast(0),
    metavar="N",
    help="Decides which cases; another one each time, which is printed, when not given.",
)
@click.option("--files", is_flag=True, help="Check the digests of files alone; nothing is run.")
@codec_option.but(
    default=(),
    show_default=False,
    shell_complete=complete_codec,
    help="Take cases of these codecs alone; 'name@FILE' says where a checkpoint is.",
)
@dataset_option.but(
    default=(),
    show_default=False,
    help="Data sets or folders to look in for the photographs first.",
)
@metric_option
@environment_option
@timeout_option
@memory_option
@no_download_option
@format_option("table", "json")
@click.option(
    "--junit", type=click.Path(path_type=Path), metavar="FILE", help="Also write JUnit XML."
)
def command(
    *,
    results: Path,
    sample: int,
    seed: int | None,
    files: bool,
    style: str,
    junit: Path | None,
    **options: Any,
) -> None:
    """Make random cases of RESULTS again, and compare bytes, picture and metrics with the records.

    RESULTS is the folder of a run, a results folder or a bundle. Times are not compared. The exit
    code is 0 if everything is equal, within the tolerance of each metric; 1 if something differs;
    else 2 if something could not be compared. With --files, digests are checked, and damaged and
    missing files make it 1.
    """
    from harness.store.unpack import results_folder

    path = results.expanduser()
    bundled = path.is_file()
    with results_folder(path) as folder:
        if files:
            code = _check_files(folder, results, style, junit, bundled=bundled)
        else:
            seed = secrets.randbelow(2**31) if seed is None else seed
            code = _verify(folder, sample, seed, style, junit, bundled=bundled, **options)
    sys.exit(code)


def _check_files(
    folder: Path, results: Path, style: str, junit: Path | None, *, bundled: bool
) -> int:
    """Check digests and print what was found; the exit code."""
    from harness.cli.table import print_table
    from harness.verify.files import NOT_COVERED, check, exit_code
    from harness.verify.show import file_table, files_json

    found = check(folder, LEFT_BEHIND if bundled else ())
    if not found:
        raise HarnessError(f"no results in {results}", "name a results folder, or that of a run")
    if junit is not None:
        from harness.verify.junit import files_junit  # slow: it brings what draws figures

        _write(junit, files_junit(found))
    if style == "json":
        click.echo(files_json(found))
        return exit_code(found)
    print_table(*file_table(found))
    for file in found:
        if file.check.verdict not in {"intact", "unverified"}:
            click.echo(f"{file.name}: {file.check.verdict}: {file.check.detail}")
    for reason in dict.fromkeys(f.check.detail for f in found if f.check.verdict == "unverified"):
        click.echo(f"unverified: {reason}")
    click.echo(NOT_COVERED)
    return exit_code(found)


LEFT_BEHIND = ("bitstreams", "reconstructions")
"""What a bundle may lack."""


def _verify(
    folder: Path,
    sample: int,
    seed: int,
    style: str,
    junit: Path | None,
    *,
    bundled: bool,
    codec: Sequence[str],
    metric: Sequence[str],
    **options: Any,
) -> int:
    """Make cases again and print how they compare; the exit code."""
    from harness.catalog.metrics import METRICS, metric_named
    from harness.cli.log import show_downloads
    from harness.cli.table import print_table
    from harness.measure.lock import machine_to_itself
    from harness.plan.prepare import MEMORY_SHARE
    from harness.readiness.machine import total_memory
    from harness.store.load import load_results, run_folders
    from harness.verify.finding import exit_code
    from harness.verify.sample import choose
    from harness.verify.show import case_lines, case_table, cases_json
    from harness.verify.verify import Conditions, verify

    show_downloads()
    records = _finished(load_results(folder), codec)
    memory = options.pop("memory_limit")
    conditions = Conditions(
        codecs=codec,
        datasets=options.pop("dataset"),
        metrics=[metric_named(name).name for name in metric] or list(METRICS),
        memory_bytes=int(memory * 2**30 if memory else total_memory() * MEMORY_SHARE),
        download=not options.pop("no_download"),
        paths=not bundled,
        **options,
    )
    chosen = choose(records, sample, seed)
    folders = {run.name: run for run in run_folders(folder)}
    waiting = "another run is measuring on this machine; waiting for its batch to end"
    verdicts = []
    made = verify(
        chosen,
        folders,
        conditions,
        lambda: machine_to_itself(lambda: click.echo(waiting, err=True)),
    )
    for verdict in made:
        verdicts.append(verdict)
        click.echo(f"{len(verdicts)}/{len(chosen)} {verdict.name}: {verdict.outcome}", err=True)
    if junit is not None:
        from harness.verify.junit import cases_junit  # slow: it brings what draws figures

        _write(junit, cases_junit(verdicts))
    if style == "json":
        click.echo(cases_json(verdicts, seed))
        return exit_code(verdicts)
    print_table(*case_table(verdicts))
    for line in case_lines(verdicts, seed):
        click.echo(line)
    return exit_code(verdicts)


def _finished(frame: pd.DataFrame, codecs: Sequence[str]) -> list[dict[str, Any]]:
    """The cases recorded ``ok``, of the codecs that were named, without numbers that are blank."""
    names = {name.partition("@")[0].lower().replace("_", "-") for name in codecs}
    ok = frame[frame["status"] == Status.OK]
    if unknown := names - set(ok["codec"]):
        raise HarnessError(
            f"no case of {', '.join(sorted(unknown))} is recorded ok",
            f"there are {', '.join(sorted(set(ok['codec']))) or 'none'}",
        )
    ok = ok[ok["codec"].isin(names)] if names else ok
    if ok.empty:
        raise HarnessError("no case is recorded ok: there is nothing to make again")
    plain = ok.astype(object)
    rows = plain.where(plain.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HarnessError(f"cannot write {path}: {error.strerror}") from error
