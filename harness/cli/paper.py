"""``harness paper``: a paper's tables and figures from results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.names import complete_codec_or_all, complete_protocol
from harness.cli.options import (
    anchor_option,
    device_memory_option,
    out_option,
    pareto_option,
    read_results_option,
    split,
)
from harness.cli.types import AtLeast, Positive

if TYPE_CHECKING:
    from harness.paper.crops import Box
    from harness.paper.pictures import Picture
    from harness.paper.results import PaperResults

Wanted = tuple[str, str | None, "Box | None"]


class PictureOption(click.ParamType[Wanted]):
    """``dataset/image``, or ``dataset/image@left,top,width,height`` for a part of it."""

    name = "dataset/image[@left,top,width,height]"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> Wanted:
        """The data set, the image and the part, each ``None`` where it is left to choose."""
        from harness.paper.crops import Box

        place, at, numbers = value.partition("@")
        dataset, _, image = place.partition("/")
        if not at:
            return dataset, image or None, None
        try:
            left, top, width, height = (int(number) for number in numbers.split(","))
        except ValueError:
            self.fail(f"{value!r} is not of the form {self.name}", param, ctx)
        if min(left, top) < 0 or min(width, height) < 1 or not image:
            self.fail(f"{value!r} names no part of an image", param, ctx)
        return dataset, image, Box(left, top, width, height)


@click.command("paper")
@click.argument("protocol", shell_complete=complete_protocol)
@read_results_option
@out_option.but(default=Path("reports/paper"))
@click.option(
    "--also",
    multiple=True,
    default=("all",),
    show_default=True,
    callback=split,
    metavar="NAME,...",
    shell_complete=complete_codec_or_all,
    help="Measured codecs to show beside the protocol's; 'all' or 'none'.",
)
@anchor_option.but(help="Codec that BD-rates compare with; the protocol's when not given.")
@pareto_option
@device_memory_option
@click.option(
    "--picture",
    "pictures",
    multiple=True,
    type=PictureOption(),
    help="Photograph to show, and which part of it; where codecs differ most when not given.",
    metavar=PictureOption.name.upper(),
)
@click.option("--bpp", type=Positive(), metavar="BPP", help="Bitrate of the pictures.")
@click.option("--crop", type=AtLeast(8), metavar="PX", help="Side of the part shown, in pixels.")
def command(
    protocol: str,
    results: Path,
    out: Path,
    also: tuple[str, ...],
    anchor: str | None,
    *,
    pareto: bool,
    device_memory: float | None,
    pictures: tuple[Wanted, ...],
    bpp: float | None,
    crop: int | None,
) -> None:
    """Write the tables and figures of PROTOCOL, measured values beside published ones.

    PROTOCOL is a .toml file, or the name of one that comes with the harness, such as progic.
    """
    from dataclasses import replace

    from harness import load_results
    from harness.analysis import BDOptions
    from harness.paper.protocol import find_protocol
    from harness.paper.reference import load_reference
    from harness.paper.results import select_results
    from harness.paper.write import PaperOptions, write_paper
    from harness.paths import data_folder

    asked = find_protocol(protocol, data_folder("protocols"))
    shown = replace(asked.pictures, bpp=bpp or asked.pictures.bpp, crop=crop or asked.pictures.crop)
    asked = replace(asked, pictures=shown)
    chosen = select_results(load_results(results), asked, also)
    found, not_shown = _pictures(chosen, results, pictures)
    options = PaperOptions(anchor, BDOptions(pareto=pareto), device_memory)
    paths = write_paper(
        chosen, load_reference(), out, pictures=found, not_shown=not_shown, options=options
    )
    for path in paths:
        click.echo(path)


def _pictures(
    chosen: PaperResults, folder: Path, wanted: tuple[Wanted, ...]
) -> tuple[list[Picture], dict[str, str]]:
    """The panels, and by data set why there is none; what was asked for by name must be there."""
    from dataclasses import replace

    from harness.errors import HarnessError, UnknownName
    from harness.paper.photographs import load_picture

    shown = chosen.protocol.pictures
    codecs = chosen.rows(shown.codecs)
    found, not_shown = [], {}
    for dataset, image, box in wanted or [(name, None, None) for name in chosen.protocol.datasets]:
        if dataset not in chosen.protocol.datasets:
            raise UnknownName("data set of the protocol", dataset, chosen.protocol.datasets)
        records = chosen.quality[chosen.quality["dataset"] == dataset]
        if records.empty and not wanted:
            not_shown[dataset] = "not measured"
            continue
        try:
            picture = load_picture(
                folder, records, codecs, shown.metric, shown.bpp, shown.crop, image, box
            )
        except HarnessError as error:
            if wanted:
                raise
            not_shown[dataset] = str(error)
            continue
        found.append(replace(picture, title=chosen.protocol.datasets[dataset]))
    return found, not_shown
