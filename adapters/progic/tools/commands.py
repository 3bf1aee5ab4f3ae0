"""ProGIC's command line: ``python adapters/progic COMMAND``."""

from __future__ import annotations

from pathlib import Path

import click

from harness.codec import CodecError
from harness.errors import HarnessError

from ..exported import Form
from ..presets import PRESETS
from .figures.command import figures
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
    from ..checkpoint import load_checkpoint
    from ..network import random_network
    from .export import export as write

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
    from ..codec import profile_of

    click.echo(f"{'preset':16}{'M parameters':>14}{'paper':>8}{'GFLOPs':>10}{'paper':>8}")
    for name, settings in PRESETS.items():
        profile = profile_of(settings, 512, 768)
        parameters, gflops = PUBLISHED.get(name, ("", ""))
        click.echo(
            f"{name:16}{profile.parameters / 1e6:14.2f}{parameters:>8}"
            f"{(profile.flops or 0) / 1e9:10.1f}{gflops:>8}"
        )


@main.command()
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
def halve(source: Path, target: Path) -> None:
    """Write the checkpoint SOURCE to TARGET in half precision, as checkpoints are shipped."""
    from ..checkpoint import load_checkpoint
    from .save import save_checkpoint

    checkpoint = load_checkpoint(source)
    sha256 = save_checkpoint(target, checkpoint.network, checkpoint.metadata, half=True)
    click.echo(f"{target}  {target.stat().st_size:,} bytes  weights {sha256[:8]}")


@main.command(context_settings={"show_default": True})
@click.argument("preset", type=click.Choice(list(PRESETS)))
@click.option("--dataset", default="kodak", help="The data set to report.")
@click.option(
    "--results",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("results"),
    help="The results folder.",
)
@click.option("--name", default="card", help="The run in it; what it holds is not measured again.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="The card's folder; the shipped one when not given.",
)
def card(preset: str, dataset: str, results: Path, name: str, output: Path | None) -> None:
    """Measure the weights of PRESET and write the tables and pictures of their card."""
    from .card import write_card

    out = output or Path(__file__).parents[3] / "docs" / "cards" / preset
    for path in write_card(preset, dataset, results, name, out):
        click.echo(path)


@main.command()
@click.option(
    "--held-out",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    multiple=True,
    required=True,
    help="Photographs that are measured on; may be given more than once.",
)
@click.option(
    "--images",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Photographs to train on.",
)
def duplicates(held_out: tuple[Path, ...], images: Path) -> None:
    """Look for photographs to train on that show what a held-out one shows.

    Prints the closest pair of every held-out image; exit code 1 when one is to be looked at.
    """
    from harness.images.datasets import scan

    from .training.duplicates import SUSPICIOUS, closest

    pairs = closest([path for folder in held_out for path in scan(folder)], scan(images))
    for pair in pairs:
        click.echo(f"{pair.correlation:6.3f}  {pair.held_out.name}  {pair.training.name}")
    alike = sum(pair.correlation >= SUSPICIOUS for pair in pairs)
    click.echo(f"{alike} of {len(pairs)} pairs correlate by {SUSPICIOUS} or more")
    if alike:
        raise SystemExit(1)
