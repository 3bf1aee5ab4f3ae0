"""``harness env``: the environments that codecs run in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from click.shell_completion import CompletionItem

from harness.cli.options import json_option
from harness.cli.text import counted
from harness.errors import HarnessError, UnknownName

if TYPE_CHECKING:
    from harness.catalog.codec_spec import CodecSpec, EnvironmentSpec
    from harness.environments import Docker

Backend = Literal["venv", "docker"]


@dataclass
class Named:
    """An environment, and the codecs whose manifests name it."""

    spec: EnvironmentSpec
    codecs: list[CodecSpec] = field(default_factory=list)


def environments() -> list[Named]:
    """Every environment that a manifest names, with its codecs."""
    from harness.catalog.codecs import load_catalog

    found: dict[EnvironmentSpec, Named] = {}
    for codec in load_catalog().codecs.values():
        if codec.environment is not None:
            found.setdefault(codec.environment, Named(codec.environment)).codecs.append(codec)
    return list(found.values())


def named(name: str) -> list[Named]:
    """The environments of that name, or the environment of the codec of that name.

    Raises:
        UnknownName: There is none; the message names the nearest.
    """
    all_of_them = environments()
    found = [n for n in all_of_them if n.spec.name == name] or [
        n for n in all_of_them if name in {codec.name for codec in n.codecs}
    ]
    if not found:
        raise UnknownName(
            "environment", name, {n.spec.name for n in all_of_them}, "'harness env list' shows all"
        )
    return found


def _complete(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    names = dict.fromkeys(n.spec.name for n in environments())
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


names_argument = click.argument("names", nargs=-1, required=True, shell_complete=_complete)


@click.group()
def command() -> None:
    """List, build, enter or remove the environments that codecs run in."""


@command.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List the environments that manifests name, and which of them are built."""
    rows = [row for one in environments() for row in _rows(one)]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    from harness.cli.table import print_table

    print_table(
        ("environment", "python", "backend", "built", "tag", "size", "codecs"),
        [
            (
                row["environment"],
                row["python"],
                row["backend"],
                row["state"],
                row["tag"] or "",
                f"{row['bytes'] / 1e9:.1f} GB" if row["bytes"] is not None else "",
                ", ".join(row["codecs"]),
            )
            for row in rows
        ],
    )


def _rows(one: Named) -> list[dict[str, Any]]:
    from harness.environments import Docker, Venv

    venv = Venv(one.spec)
    shared = {
        "environment": one.spec.name,
        "python": one.spec.python,
        "codecs": [codec.name for codec in one.codecs],
    }
    state = "yes" if venv.built else "no"
    size = venv.size if venv.built else None
    row = {**shared, "backend": "venv", "state": state, "tag": venv.tag, "bytes": size}
    return [row, {**shared, "backend": "docker", **_image(Docker(one.spec))}]


def _image(environment: Docker) -> dict[str, Any]:
    try:
        tag, size = environment.tag, environment.size
    except HarnessError as error:
        return {"state": error.problem, "tag": None, "bytes": None}
    return {"state": "no" if tag is None else "yes", "tag": tag, "bytes": size}


@command.command()
@names_argument
@click.option(
    "--backend",
    type=click.Choice(["venv", "docker"]),
    default="venv",
    show_default=True,
    help="A virtual environment, or an image for containers.",
)
@click.option("--base", metavar="IMAGE", help="The image to build on, with --backend docker.")
def build(*, names: tuple[str, ...], backend: Backend, base: str | None) -> None:
    """Build environments: the packages that upstream's code needs, never that code itself.

    What is already built is left as it is; a build that was interrupted continues.
    """
    from harness.environments import Venv, docker_image

    if base is not None and backend != "docker":
        raise HarnessError("--base is for images", "add --backend docker, or leave out --base")
    for one in [found for name in names for found in named(name)]:
        click.secho(f"environment '{one.spec.name}' ({backend})", bold=True)
        if backend == "venv":
            venv = Venv(one.spec)
            venv.build(click.echo)
            click.echo(f"built: {venv.folder}")
        else:
            docker_image.build(one.spec, base, click.echo)
            click.echo(f"built: {docker_image.REPOSITORY}/{one.spec.name}")


@command.command(context_settings={"ignore_unknown_options": True})
@click.argument("name", shell_complete=_complete)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[COMMAND]...")
@click.option(
    "--backend",
    type=click.Choice(["venv", "docker"]),
    help="Which of the two; the one that is built when not given.",
)
def shell(*, name: str, arguments: tuple[str, ...], backend: Backend | None) -> None:
    """Open a shell in an environment, or run COMMAND there.

    It starts in upstream's checkout, which is writable, so that the extension that some codecs
    need can be built. A container has network access, and only the checkout outlives the shell.
    """
    from harness.assets.checkout import upstream_folder
    from harness.environments import Docker, choose

    one = named(name)[0]
    environment = choose(one.codecs[0], backend or "auto")
    if (lack := environment.lack()) is not None:
        raise HarnessError.of(lack)
    checkouts = [path for path in dict.fromkeys(map(_checkout, one.codecs)) if path is not None]
    starts = filter(None, map(upstream_folder, one.codecs))
    start = next((folder for folder in starts if folder.is_dir()), Path.cwd())
    for codec in one.codecs:
        if codec.upstream is not None and _checkout(codec) is None:
            click.echo(f"no checkout yet: run 'harness upstream fetch {codec.name}'", err=True)
    if isinstance(environment, Docker):
        interactive = sys.stdin.isatty()
        done = subprocess.run(
            environment.shell_command(checkouts, start, arguments, interactive=interactive),
            check=False,
        )
    else:
        done = _in_venv(environment, start, arguments)
    sys.exit(done.returncode)


def _checkout(codec: CodecSpec) -> Path | None:
    from harness.paths import find_upstream

    if codec.upstream is None:
        return None
    folder = find_upstream(codec.folder.name)
    return folder if folder.is_dir() else None


def _in_venv(
    environment: Any, start: Path, arguments: Sequence[str]
) -> subprocess.CompletedProcess[bytes]:
    from harness.environments import Venv

    variables = environment.variables() if isinstance(environment, Venv) else dict(os.environ)
    words = list(arguments) or [os.environ.get("SHELL", "/bin/sh")]
    return subprocess.run(words, cwd=start, env=variables, check=False)


@command.command()
@names_argument
@click.option(
    "--backend",
    type=click.Choice(["venv", "docker"]),
    help="Which of the two; both when not given.",
)
def remove(*, names: tuple[str, ...], backend: Backend | None) -> None:
    """Remove environments, including those of older recipes, and containers left by killed runs."""
    for name in dict.fromkeys(one.spec.name for n in names for one in named(n)):
        if backend != "docker":
            _remove_venvs(name)
        if backend != "venv":
            _remove_images(name, required=backend == "docker")


def _remove_venvs(name: str) -> None:
    from harness.environments.venv import remove_all

    for folder in remove_all(name):
        click.echo(f"removed: {folder}")


def _remove_images(name: str, *, required: bool) -> None:
    from harness.environments import docker_image
    from harness.environments.docker_engine import engine, remove_leftovers

    try:
        left = remove_leftovers(engine())
        images = docker_image.remove(name)
    except HarnessError:
        if required:
            raise
        return
    if left:
        click.echo(f"removed: {counted(left, 'container')} of killed runs")
    if images:
        click.echo(f"removed: {counted(images, 'image')} of '{name}'")
