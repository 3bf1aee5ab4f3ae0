"""AVIF: libavif with libaom as encoder and dav1d as decoder, through Pillow."""

from __future__ import annotations

import io

import numpy as np
from PIL import AvifImagePlugin
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

MAX_SIDE = 32768  # what libavif decodes by default


class Avif(Codec, WithHeader):
    """One AVIF file an image: a single AV1 tile at full range, without metadata.

    libaom codes rows in parallel where it may use two threads or more, which changes the bytes by
    some 0.1 %; how many more does not.
    """

    def load(self, rate: RatePoint) -> None:
        """Keep the rate point, and tell Pillow how many threads to decode with."""
        super().load(rate)
        AvifImagePlugin.DEFAULT_MAX_THREADS = thread_count()

    def encode(self, image: Image) -> bytes:
        """An image of any size up to 32768 a side."""
        height, width, _ = image.shape
        if max(height, width) > MAX_SIDE:
            raise UnsupportedImage(f"libavif decodes at most {MAX_SIDE} pixels a side")
        file = io.BytesIO()
        Pillow.fromarray(image).save(
            file,
            "AVIF",
            codec="aom",
            quality=self.rate.options["quality"],
            subsampling=self.options["chroma"],
            speed=self.options["speed"],
            max_threads=thread_count(),
            autotiling=False,
            advanced={"tune": self.options["tune"]},
        )
        return file.getvalue()

    def decode(self, bitstream: bytes) -> Image:
        """The image of a whole AVIF file; one that is cut short is refused."""
        damaged = (OSError, SyntaxError, ValueError, RuntimeError, Pillow.DecompressionBombError)
        try:
            with Pillow.open(io.BytesIO(bitstream), formats=["AVIF"]) as picture:
                return np.array(picture.convert("RGB"))
        except damaged as error:
            raise BitstreamError(f"not a whole AVIF file: {error}") from error

    def header_bytes(self, bitstream: bytes) -> int:
        """All but the AV1 data in ``mdat``."""
        return isobmff_header(bitstream)
