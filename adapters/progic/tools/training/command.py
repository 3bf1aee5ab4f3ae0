"""``python adapters/progic train``."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from ...presets import PRESETS
from .config import PRECISIONS, Config

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_DEFAULTS = Config()


def _setting(name: str, kind: Any, text: str) -> Any:
    flag = "--" + name.replace("_", "-")
    return click.option(flag, type=kind, default=getattr(_DEFAULTS, name), help=text)


_SETTINGS = [
    _setting("preset", click.Choice(list(PRESETS)), "The size of the network."),
    _setting("steps", click.IntRange(1), "Number of steps."),
    _setting("batch", click.IntRange(1), "Crops a step."),
    _setting("crop", click.IntRange(32), "Side of the crops in pixels."),
    _setting("learning_rate", float, "Adam's."),
    _setting("late_learning_rate", float, "From three quarters of the steps on."),
    _setting("share", float, "p: the part of the loss of all stages but the last."),
    _setting("l1", float, "Weight of the mean absolute error."),
    _setting("lpips", float, "Weight of LPIPS."),
    _setting("adversarial", float, "Weight of the discriminator, besides the adaptive one."),
    _setting("codebook", float, "Weight of the codebooks' loss, with --learned."),
    _setting("commitment", float, "Weight of the commitment loss."),
    _setting("lpips_start", click.IntRange(0), "Step from which LPIPS counts."),
    _setting("adversarial_start", click.IntRange(0), "Step from which the discriminator counts."),
    click.option(
        "--ema/--learned",
        default=_DEFAULTS.ema,
        help="Codebooks follow moving averages, or gradients.",
    ),
    _setting("ema_decay", click.FloatRange(0, 1), "Of the moving averages."),
    _setting("revive_every", click.IntRange(1), "Steps between searches for dead words."),
    _setting("seed", click.IntRange(0), "Of weights, crops and replaced words."),
    _setting("log_every", click.IntRange(1), "Steps a row of the log."),
    _setting("save_every", click.IntRange(1), "Steps between checkpoints with R-D points."),
]


def _with_settings(command: Any) -> Any:
    for option in reversed(_SETTINGS):
        command = option(command)
    return command


@click.command(context_settings={"show_default": True})
@click.option("--images", type=_FOLDER, required=True, help="Photographs to train on.")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--validation", type=_FOLDER, help="Photographs for the R-D points.")
@click.option(
    "--held-out",
    type=click.IntRange(1),
    default=8,
    help="How many images the R-D points are measured on; out of --images without --validation.",
)
@click.option(
    "--weights",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A checkpoint to begin from.",
)
@click.option("--device", default="cpu", help="cpu, cuda or cuda:N.")
@click.option(
    "--precision",
    type=click.Choice(["auto", *PRECISIONS]),
    default="auto",
    help="auto: bfloat16 where the device computes with it, else float16 on a GPU.",
)
@click.option("--workers", type=click.IntRange(0), help="Processes that read images.")
@_with_settings
def train(
    images: Path,
    output: Path,
    validation: Path | None,
    held_out: int,
    weights: Path | None,
    device: str,
    precision: str,
    workers: int | None,
    **settings: Any,
) -> None:
    """Train a network; the same command again continues where it was killed.

    Writes PRESET.safetensors, which 'harness run --codec PRESET@FILE' measures, and three
    tables for pandas: losses.csv, codebooks.csv and rate_distortion.csv.
    """
    from harness.codec import thread_count
    from harness.readiness.devices import require_device

    from .data import find_photographs
    from .loop import train as run
    from .precision import best_precision

    require_device(device)
    settings["precision"] = best_precision(device) if precision == "auto" else precision
    config = Config(**{field.name: settings[field.name] for field in fields(Config)})
    checkpoint = run(
        config,
        find_photographs(images, held_out, validation),
        output,
        device=device,
        weights=weights,
        workers=max(1, thread_count() - 1) if workers is None else workers,
        say=click.echo,
    )
    click.echo(checkpoint)
