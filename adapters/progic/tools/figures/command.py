"""``python adapters/progic figures``."""

from __future__ import annotations

from pathlib import Path

import click

FIGURES = ("1", "2", "3", "4", "5", "6", "7")


@click.command(context_settings={"show_default": True})
@click.argument("source")
@click.option(
    "--images",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Photographs; the first one is shown, all are counted.",
)
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--limit", type=click.IntRange(1), default=24, help="How many photographs to read.")
@click.option("--only", default=",".join(FIGURES), help="Numbers of the figures to draw.")
@click.option("--against", default="avif", help="The codec that Figure 6 compares with.")
@click.option("--packet-bytes", type=click.IntRange(1), default=360, help="Of Figure 6's link.")
@click.option("--interval", type=click.FloatRange(0), default=60.0, help="Seconds a packet.")
def figures(
    source: str,
    images: Path,
    output: Path,
    limit: int,
    only: str,
    against: str,
    packet_bytes: int,
    interval: float,
) -> None:
    """Draw the supplement's figures from real encodes, as PNG, PDF and CSV.

    SOURCE is a checkpoint, or random:PRESET. What weights a figure was made with stands on it.
    """
    import matplotlib as mpl

    from . import measures, pictures
    from .satellite import Link, satellite
    from .sheet import STYLE, write_sheet
    from .subject import Subject, read_photographs

    wanted = only.split(",")
    if unknown := set(wanted) - set(FIGURES):
        raise click.BadParameter(f"no figure {', '.join(sorted(unknown))}", param_hint="--only")
    subject, photographs = Subject(source), read_photographs(images, limit)
    first, link = photographs[0], Link(packet_bytes, interval)
    draw = {
        "1": lambda: pictures.strip(subject, first),
        "2": lambda: pictures.equal_bytes(subject, first),
        "3": lambda: measures.codebook_entropy(subject, photographs),
        "4": lambda: measures.entropy_coding(subject, photographs),
        "5": lambda: measures.latent_map(subject, photographs),
        "6": lambda: satellite(subject, first, against, link),
        "7": lambda: measures.rate_ranges(subject, first),
    }
    for number in wanted:
        with mpl.rc_context(STYLE):
            paths = write_sheet(draw[number](), subject, output)
        click.echo(f"Figure {number}: {', '.join(map(str, paths))}")
