"""Derives the measured resolutions from the source photographs, by one stated policy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.codec import Image

POLICY = (
    "cover-crop-lanczos-1: a target of H x W follows the source's orientation (a portrait source "
    "becomes W x H); the source is scaled until it just covers the target, by Pillow's "
    "antialiased Lanczos filter on 8-bit sRGB samples, and cropped to its centre; a source of "
    "exactly the target's size is taken as it is; nothing is enlarged unless asked for"
)
"""How a resolution is derived; part of the records. Its first word changes when pixels change."""

_SIZE = re.compile(r"(\d{1,6})\s*[x×]\s*(\d{1,6})")  # noqa: RUF001


@dataclass(frozen=True, order=True)
class Resolution:
    """A size to measure at, in pixels, written height x width; :data:`NATIVE` is the source's."""

    height: int
    width: int

    def __str__(self) -> str:
        return "native" if self == NATIVE else f"{self.height}x{self.width}"


NATIVE = Resolution(0, 0)


def parse(text: str) -> tuple[Resolution, ...]:
    """Read ``512x768,1080x1920`` (height x width) or ``native``; duplicates are dropped.

    Raises:
        HarnessError: A part is neither; the message names it.
    """
    return tuple(dict.fromkeys(_parse_one(part.strip().lower()) for part in text.split(",")))


def _parse_one(text: str) -> Resolution:
    if text == "native":
        return NATIVE
    match = _SIZE.fullmatch(text)
    height, width = (int(match[1]), int(match[2])) if match else (0, 0)
    if not height or not width:
        raise HarnessError(
            f"resolution {text!r} is not a size",
            "write height x width, such as 512x768, or 'native'; commas between several",
        )
    return Resolution(height, width)


def target_size(size: tuple[int, int], resolution: Resolution) -> tuple[int, int]:
    """The height and width of a source of ``size`` (height, width) at ``resolution``."""
    if resolution == NATIVE:
        return size
    short, long = sorted((resolution.height, resolution.width))
    height, width = size
    if height == width:
        return resolution.height, resolution.width
    return (long, short) if height > width else (short, long)


def fits(size: tuple[int, int], resolution: Resolution, *, upsample: bool = False) -> str | None:
    """Why a source of ``size`` (height, width) is skipped at ``resolution``, or ``None``."""
    height, width = target_size(size, resolution)
    if upsample or (size[0] >= height and size[1] >= width):
        return None
    return (
        f"the source, {size[0]}x{size[1]}, is smaller than {height}x{width}, "
        "and enlarging was not requested"
    )


def derive(image: Image, resolution: Resolution, *, upsample: bool = False) -> Image:
    """The image at a resolution, by :data:`POLICY`. The same input gives the same pixels.

    Args:
        image: uint8, H x W x 3, RGB, sRGB.
        resolution: The target size.
        upsample: Whether a source that is too small is enlarged.

    Returns:
        uint8, of the height and width that :func:`target_size` states; ``image`` itself when it
        has them already.

    Raises:
        HarnessError: The source is too small and ``upsample`` is off.
    """
    size = image.shape[0], image.shape[1]
    if reason := fits(size, resolution, upsample=upsample):
        raise HarnessError(f"an image cannot be derived at {resolution}: {reason}")
    height, width = target_size(size, resolution)
    if size == (height, width):
        return image

    import numpy as np
    import PIL.Image
    from PIL import ImageOps

    lanczos = PIL.Image.Resampling.LANCZOS
    return np.array(ImageOps.fit(PIL.Image.fromarray(image), (width, height), method=lanczos))
