"""JPEG: libjpeg-turbo, through Pillow."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image as Pillow

from harness.codec import BitstreamError, Codec, Image, UnsupportedImage, WithHeader
from harness.codec.containers import jpeg_header

MAX_SIDE = 65500  # libjpeg's JPEG_MAX_DIMENSION, a little under what the format could state


class Jpeg(Codec, WithHeader):
    """One baseline JPEG file an image, with optimised Huffman tables and no metadata."""

    def encode(self, image: Image) -> bytes:
        """An image of any size up to 65500 a side."""
        height, width, _ = image.shape
        if max(height, width) > MAX_SIDE:
            raise UnsupportedImage(f"libjpeg codes at most {MAX_SIDE} pixels a side")
        file = io.BytesIO()
        Pillow.fromarray(image).save(
            file,
            "JPEG",
            quality=self.rate.options["quality"],
            subsampling=self.options["chroma"],
            optimize=self.options["optimize"],
        )
        return file.getvalue()

    def decode(self, bitstream: bytes) -> Image:
        """The image of a whole JPEG file; one that is cut short is refused."""
        try:
            with Pillow.open(io.BytesIO(bitstream), formats=["JPEG"]) as picture:
                return np.array(picture.convert("RGB"))
        except (OSError, SyntaxError, ValueError, Pillow.DecompressionBombError) as error:
            raise BitstreamError(f"not a whole JPEG file: {error}") from error

    def header_bytes(self, bitstream: bytes) -> int:
        """All but the entropy-coded segments."""
        return jpeg_header(bitstream)
