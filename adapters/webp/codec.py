"""WebP (lossy): libwebp, through Pillow."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image as Pillow

from harness.codec import BitstreamError, Codec, Image, UnsupportedImage, WithHeader
from harness.codec.containers import riff_header

MAX_SIDE = 16383  # the format states each side in 14 bits


class WebP(Codec, WithHeader):
    """One WebP file an image: VP8 at 4:2:0, the only chroma that lossy WebP has."""

    def encode(self, image: Image) -> bytes:
        """An image of any size up to 16383 a side."""
        height, width, _ = image.shape
        if max(height, width) > MAX_SIDE:
            raise UnsupportedImage(f"WebP codes at most {MAX_SIDE} pixels a side")
        file = io.BytesIO()
        Pillow.fromarray(image).save(
            file,
            "WEBP",
            quality=self.rate.options["quality"],
            method=self.options["method"],
        )
        return file.getvalue()

    def decode(self, bitstream: bytes) -> Image:
        """The image of a whole WebP file; one that is cut short is refused."""
        try:
            with Pillow.open(io.BytesIO(bitstream), formats=["WEBP"]) as picture:
                return np.array(picture.convert("RGB"))
        except (OSError, SyntaxError, ValueError, Pillow.DecompressionBombError) as error:
            raise BitstreamError(f"not a whole WebP file: {error}") from error

    def header_bytes(self, bitstream: bytes) -> int:
        """All but the VP8 frame: RIFF's headers and padding."""
        return riff_header(bitstream, b"VP8 ")
