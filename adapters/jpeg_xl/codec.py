"""JPEG XL (lossy): libjxl, through pillow-jxl-plugin."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image as Pillow
from pillow_jxl import JpegXLImagePlugin

from harness.codec import BitstreamError, Codec, Image, RatePoint, thread_count


class JpegXl(Codec):
    """One bare JPEG XL codestream an image: VarDCT in XYB, no container, no metadata."""

    def load(self, rate: RatePoint) -> None:
        """Keep the rate point, and count libjxl's threads, which are those beside the caller's."""
        super().load(rate)
        self.helpers = thread_count() if thread_count() > 1 else 0
        JpegXLImagePlugin.DECODE_THREADS = self.helpers

    def encode(self, image: Image) -> bytes:
        """An image of any size."""
        file = io.BytesIO()
        Pillow.fromarray(image).save(
            file,
            "JXL",
            quality=self.rate.options["quality"],
            effort=self.options["effort"],
            use_container=False,
            num_threads=self.helpers,
        )
        return file.getvalue()

    def decode(self, bitstream: bytes) -> Image:
        """The image of a whole codestream; one that is cut short is refused."""
        damaged = (OSError, SyntaxError, ValueError, RuntimeError, Pillow.DecompressionBombError)
        try:
            with Pillow.open(io.BytesIO(bitstream), formats=["JXL"]) as picture:
                return np.array(picture.convert("RGB"))
        except damaged as error:
            raise BitstreamError(f"not a whole JPEG XL codestream: {error}") from error
