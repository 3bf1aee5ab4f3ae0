"""JPEG 2000 (lossy): OpenJPEG, through Pillow."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image as Pillow

from harness.codec import BitstreamError, Codec, Image, WithHeader
from harness.codec.containers import jpeg2000_header

END_OF_CODESTREAM = b"\xff\xd9"  # nowhere else in a codestream: packets hold nothing over FF 8F


class Jpeg2000(Codec, WithHeader):
    """One bare codestream an image: 9/7 wavelet, irreversible colour transform, one layer."""

    def encode(self, image: Image) -> bytes:
        """An image of any size, at ``24 / bpp`` to one; a few pixels take a header's 100 bytes."""
        file = io.BytesIO()
        Pillow.fromarray(image).save(
            file,
            "JPEG2000",
            no_jp2=True,
            irreversible=True,
            mct=1,
            quality_mode="rates",
            quality_layers=[24 / self.rate.options["bpp"]],
            comment="\0",  # none, where OpenJPEG would write its version
        )
        return file.getvalue()

    def decode(self, bitstream: bytes) -> Image:
        """The image of a whole codestream; one that is cut short is refused."""
        if not bitstream.endswith(END_OF_CODESTREAM):
            raise BitstreamError("not a whole JPEG 2000 codestream: its end is missing")
        try:
            with Pillow.open(io.BytesIO(bitstream), formats=["JPEG2000"]) as picture:
                return np.array(picture.convert("RGB"))
        except (OSError, SyntaxError, ValueError, Pillow.DecompressionBombError) as error:
            raise BitstreamError(f"not a whole JPEG 2000 codestream: {error}") from error

    def header_bytes(self, bitstream: bytes) -> int:
        """The main header, those of tile-parts, and EOC."""
        return jpeg2000_header(bitstream)
