"""``harness encode``: one image file to one bitstream file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.cli.options import one_codec_options


@click.command("encode")
@click.argument("image", type=click.Path(path_type=Path))
@click.argument("bitstream", type=click.Path(path_type=Path))
@one_codec_options
def command(*, image: Path, bitstream: Path, codec: str, **options: Any) -> None:
    """Encode the file IMAGE into the file BITSTREAM, and print its bits per pixel.

    The bytes are the codec's own: decode them with the same --codec and --rate, and with the same
    --threads where the codec depends on them.
    """
    from harness import load_codec
    from harness.images.files import read_image
    from harness.store.shards import write_bytes

    pixels = read_image(image)
    height, width, _ = pixels.shape
    with load_codec(codec, **options) as loaded:
        data = loaded.encode(pixels)
    write_bytes(bitstream, data)
    bpp = 8 * len(data) / (height * width)
    click.echo(f"{bitstream}: {len(data)} bytes, {bpp:.4f} bpp ({loaded.name} {loaded.rate.id})")
