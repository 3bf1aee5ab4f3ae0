"""``harness check``: the conformance test that an adapter's author runs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.names import complete_codec
from harness.cli.options import (
    device_option,
    environment_option,
    memory_option,
    threads_option,
    timeout_option,
    weights_option,
)
from harness.conformance.check import Conditions
from harness.errors import HarnessError
from harness.paths import scratch_folder

if TYPE_CHECKING:
    from harness.catalog.codec_spec import CodecSpec, EnvironmentName

COLOURS = {"pass": "green", "fail": "red", "refused": "yellow"}


@click.command("check")
@click.argument("codecs", metavar="CODEC...", nargs=-1, shell_complete=complete_codec)
@click.option("--all-adapters", is_flag=True, help="Check every codec and every manifest.")
@device_option
@weights_option
@threads_option.but(default=Conditions.threads, show_default=True, help="Threads for the codec.")
@environment_option
@timeout_option.but(default=Conditions.call_seconds)
@memory_option.but(
    default=Conditions.memory_bytes / 2**30,
    show_default=True,
    help="The most memory a codec's process may take.",
)
@click.option(
    "--log",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Keep what the codec prints, tracebacks included, in this file.",
)
def command(
    *,
    codecs: tuple[str, ...],
    all_adapters: bool,
    device: str,
    weights: str,
    threads: int,
    environment: EnvironmentName,
    timeout: float,
    memory_limit: float,
    log: Path | None,
) -> None:
    """Test adapters against the codec contract, in real worker processes.

    It covers sizes, contents, rate points and damaged bitstreams, and that the decoder needs
    nothing but the bytes. A codec may refuse an image; it may not crash, hang or return something
    else. The exit code is 1 if a test fails.
    """
    from harness.catalog.codecs import load_catalog
    from harness.readiness.ready import Readiness, summary

    catalog = load_catalog()
    if not codecs and not all_adapters:
        raise HarnessError("no codec to check", "name one, or give --all-adapters")
    specs = {spec.name: spec for spec in map(catalog.get, codecs)}
    required = set(specs)
    failed = 0
    if all_adapters:
        specs |= {spec.name: spec for spec in catalog.all()}
        for error in catalog.broken.values():
            click.echo(f"  {click.style('fail', fg='red')}     manifest: {error}")
            failed += 1
    conditions = Conditions(
        weights="random" if weights == "random" else "pretrained",
        device=device,
        threads=threads,
        call_seconds=timeout,
        memory_bytes=int(memory_limit * 2**30),
        environment=environment,
    )
    with scratch_folder() as folder:
        for spec in specs.values():
            try:
                failed += _check(spec, conditions, log or folder / "log")
            except HarnessError as error:
                if spec.name in required:
                    raise
                click.secho(f"{spec.name} ({spec.title}): not checked", fg="yellow")
                readiness = Readiness(weights=conditions.weights, environment=environment)
                seen = summary(readiness.needs(spec))
                click.echo(f"  {seen or error.problem}\n  -> {error.remedy}")
    if failed:
        raise SystemExit(1)


def _check(spec: CodecSpec, conditions: Conditions, log: Path) -> int:
    """Print the findings on one codec as they are made; returns how many failed."""
    from harness.conformance.check import check_codec

    outcomes: Counter[str] = Counter()
    for finding in check_codec(spec, conditions, log):
        if not outcomes:
            click.secho(f"{spec.name} ({spec.title})", bold=True)
        outcomes[finding.outcome] += 1
        outcome = click.style(f"{finding.outcome:<7}", fg=COLOURS[finding.outcome])
        click.echo(f"  {outcome}  {finding.name:<28}{finding.remark}".rstrip())
    counts = f"{outcomes['pass']} passed, {outcomes['refused']} refused, {outcomes['fail']} failed"
    click.echo(f"  {counts}")
    return outcomes["fail"]
