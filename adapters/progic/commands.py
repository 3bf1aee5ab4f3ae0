"""ProGIC's command line: ``python adapters/progic COMMAND``."""

from __future__ import annotations

from pathlib import Path

import click

from harness.codec import CodecError
from harness.errors import HarnessError

from .export import Form
from .figures.command import figures
from .presets import PRESETS
from .training.command import train

PUBLISHED = {"progic": ("33.11", "333.4"), "progic-s": ("14.44", "108.3")}
"""Million parameters, and GFLOPs at 512 x 768, as the paper prints them."""


class Commands(click.Group):
    """Tells an error of the codec in one line."""

    def invoke(self, ctx: click.Context) -> None:
        """Run the command that was asked for."""
        try:
            super().invoke(ctx)
        except (CodecError, HarnessError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Commands)
def main() -> None:
    """Train ProGIC's network, export it, and draw what it does."""


main.add_command(train)
main.add_command(figures)


@main.command()
@click.argument("source")
@click.option("--random", is_flag=True, help="SOURCE is a preset, to be given random weights.")
@click.option(
    "--form", type=click.Choice(["torchscript", "onnx"]), default="torchscript", show_default=True
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Folder to write to; the current one when not given.",
)
def export(source: str, output: Path, form: Form, *, random: bool) -> None:
    """Write encoder and decoder of SOURCE, a .safetensors file, as TorchScript or ONNX.

    'harness run --codec progic@NAME.encoder.pt' then measures what was written.
    """
    from .checkpoint import load_checkpoint
    from .export import export as write
    from .network import random_network

    if not random:
        network = load_checkpoint(Path(source)).network
        paths = write(network, form, output, Path(source).stem, "pretrained")
    elif source in PRESETS:
        paths = write(random_network(PRESETS[source]), form, output, source, "random")
    else:
        raise click.BadParameter(f"no preset {source!r}; known: {', '.join(PRESETS)}")
    for path in paths:
        click.echo(f"{path}  {path.stat().st_size:,} bytes")


@main.command()
def sizes() -> None:
    """Print parameters and FLOPs of every preset at 512 x 768, beside the paper's."""
    from .codec import profile_of

    click.echo(f"{'preset':16}{'M parameters':>14}{'paper':>8}{'GFLOPs':>10}{'paper':>8}")
    for name, settings in PRESETS.items():
        profile = profile_of(settings, 512, 768)
        parameters, gflops = PUBLISHED.get(name, ("", ""))
        click.echo(
            f"{name:16}{profile.parameters / 1e6:14.2f}{parameters:>8}"
            f"{(profile.flops or 0) / 1e9:10.1f}{gflops:>8}"
        )
