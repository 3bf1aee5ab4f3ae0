"""HEIC (HEVC intra): libheif with x265 as encoder and libde265 as decoder, by pillow-heif."""

from __future__ import annotations

import io

import numpy as np
import pillow_heif
from PIL import Image as Pillow

from harness.codec import (
    BitstreamError,
    Codec,
    Image,
    RatePoint,
    UnsupportedImage,
    WithHeader,
    thread_count,
)
from harness.codec.containers import isobmff_header


class Heic(Codec, WithHeader):
    """One HEIC file an image: a single HEVC intra picture, without metadata or thumbnail.

    libheif pads what HEVC cannot code (odd sides at 4:2:0, sides under 16 pixels) and states the
    true size in the file.
    """

    def load(self, rate: RatePoint) -> None:
        """Keep the rate point, and make Pillow read HEIC with as many threads as allowed."""
        super().load(rate)
        pillow_heif.register_heif_opener(decode_threads=thread_count(), thumbnails=False)

    def encode(self, image: Image) -> bytes:
        """An image of any size that x265 takes; it refuses strips of a few pixels' width."""
        height, width, _ = image.shape
        encoder = {
            "preset": self.options["preset"],
            "tune": self.options["tune"],
            "x265:pools": str(thread_count()),
        }
        file = io.BytesIO()
        try:
            Pillow.fromarray(image).save(
                file,
                "HEIF",
                quality=self.rate.options["quality"],
                chroma=self.options["chroma"].replace(":", ""),
                tile_size=0,
                enc_params=encoder,
            )
        except RuntimeError as error:
            raise UnsupportedImage(f"x265 refuses {height} x {width} pixels: {error}") from error
        return file.getvalue()

    def decode(self, bitstream: bytes) -> Image:
        """The image of a whole HEIC file; one that is cut short is refused."""
        damaged = (
            OSError, SyntaxError, ValueError, RuntimeError, EOFError, Pillow.DecompressionBombError
        )  # fmt: skip
        try:
            with Pillow.open(io.BytesIO(bitstream), formats=["HEIF"]) as picture:
                return np.array(picture.convert("RGB"))
        except damaged as error:
            raise BitstreamError(f"not a whole HEIC file: {error}") from error

    def header_bytes(self, bitstream: bytes) -> int:
        """All but the HEVC data in ``mdat``."""
        return isobmff_header(bitstream)
