"""``harness decode``: one bitstream file to one PNG file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.cli.options import one_codec_options


@click.command("decode")
@click.argument("bitstream", type=click.Path(path_type=Path))
@click.argument("image", type=click.Path(path_type=Path))
@one_codec_options
def command(*, bitstream: Path, image: Path, codec: str, **options: Any) -> None:
    """Decode the file BITSTREAM into the PNG file IMAGE."""
    from harness import load_codec
    from harness.errors import HarnessError
    from harness.images.files import write_png

    try:
        data = bitstream.read_bytes()
    except OSError as error:
        raise HarnessError(f"{bitstream} cannot be read: {error.strerror}") from error
    with load_codec(codec, **options) as loaded:
        pixels = loaded.decode(data)
    write_png(image, pixels)
    click.echo(f"{image}: {pixels.shape[0]}x{pixels.shape[1]} ({loaded.name} {loaded.rate.id})")
