"""Reads photographs as 8-bit sRGB arrays, or refuses them by name; writes PNG.

What is measured must be what the file shows, so no conversion silently loses anything:

- EXIF orientation is applied.
- An ICC profile other than sRGB is converted to sRGB (relative colorimetric, black point
  compensation). A profile that moves no colour by more than one of 255 levels counts as sRGB,
  and the pixels are kept. PNG's gAMA and cHRM chunks are not applied.
- Palettes are expanded, grayscale is replicated, fully opaque alpha is dropped.
- Refused: transparency, more than 8 bits a channel, float, CMYK and other colour models, several
  frames, damaged files, more than :data:`MAX_PIXELS`, what is not a regular file (a named pipe, a
  device), and any format that is not in :data:`FORMATS`.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import stat
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image
from PIL import ImageCms, ImageOps
from PIL.ExifTags import Base as Tag
from PIL.TiffImagePlugin import TiffImageFile

from harness.codec import Image
from harness.errors import HarnessError, ImageError
from harness.paths import whole
from harness.text import shown

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "PPM")
"""What is read, by Pillow's names. Others would silently lose depth or frames."""

MAX_PIXELS = 178_956_970
"""The largest image: where Pillow too takes a file for a decompression bomb. Photographs of 150
megapixels are smaller. Reading takes up to :data:`BYTES_PER_PIXEL` for each pixel."""
BYTES_PER_PIXEL = 8
"""Pillow's 4, the array's 3 and some room: 1.4 GB for the largest image of plain RGB. Alpha, a
palette or an ICC profile add a copy, of 4 bytes a pixel."""
BITS = 8
WHITE = 2**BITS - 1
SIDEWAYS = (5, 6, 7, 8)
"""The EXIF orientations that exchange height and width."""

COMPRESS_LEVEL = 1
"""zlib's level in the PNGs that are written. Measured on a 4K and two Kodak photographs: 25 to 45 %
of the time of the default, 6, for files from 7 % smaller to 10 % larger."""

_STRIP = 256

_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX"}
_MODE_NAMES = {
    "CMYK": "is CMYK",
    "F": "has floating-point samples",
    "I": "has more than 8 bits a channel",
    "LAB": "is in the Lab colour space",
    "YCbCr": "is in the YCbCr colour space",
}
_KINDS = {
    stat.S_IFDIR: os.strerror(errno.EISDIR),
    stat.S_IFIFO: "it is a named pipe",
    stat.S_IFSOCK: "it is a socket",
}
_CONVERT = "convert it to an 8-bit RGB PNG"
_REPLACE = "download or export it again"

_pillow_limit = threading.Lock()


def read_image(path: str | os.PathLike[str]) -> Image:
    """Read an image file by the rules at the top of this module.

    Returns:
        uint8, H x W x 3, RGB, sRGB, C-contiguous, writable.

    Raises:
        ImageError: The file cannot be measured as it is; the message says why and what to do.
    """
    path = Path(path)
    with _opened(path) as image:
        if image.format == "PNG":
            _check_png(path)
        had_exif = "exif" in image.info
        image.load()
        if image.format == "PNG" and "exif" in image.info and not had_exif:
            raise ImageError(f"{shown(path)} has its EXIF data after its pixels", "save it again")
        ImageOps.exif_transpose(image, in_place=True)
        return _as_array(_in_srgb(_opaque(image, path), path))


def image_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """The height and width that :func:`read_image` gives, in pixels, from the file's header alone.

    Raises:
        ImageError: The header shows that the file cannot be measured as it is.
    """
    with _opened(Path(path)) as image:
        width, height = image.size
        if isinstance(image, TiffImageFile):  # whose size is that of the upright image already
            return height, width
        exif = PIL.Image.Image.getexif(image)  # PngImageFile's own would decode the pixels
        return (width, height) if exif.get(Tag.Orientation) in SIDEWAYS else (height, width)


def write_png(path: str | os.PathLike[str], image: Image) -> None:
    """Write an image (uint8, H x W x 3, RGB) losslessly; the file appears complete or not at all.

    Raises:
        HarnessError: The file cannot be written: the disk is full, or the folder is not writable.
    """
    path = Path(path)
    try:
        with whole(path) as part:
            part.write_bytes(png_bytes(image))
    except OSError as error:
        raise HarnessError(
            f"{path} cannot be written: {error.strerror or error}",
            "free space, or name another folder",
        ) from error


def png_bytes(image: Image) -> bytes:
    """An image (uint8, H x W x 3, RGB) as the bytes of a PNG file."""
    buffer = io.BytesIO()
    PIL.Image.fromarray(image).save(buffer, "PNG", compress_level=COMPRESS_LEVEL)
    return buffer.getvalue()


def picture_sha256(image: Image) -> str:
    """sha256 of the pixels of an image (uint8, H x W x 3, RGB) in C order, in hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(image).data).hexdigest()


def round_to_uint8(values: npt.NDArray[np.floating[Any]]) -> Image:
    """Round samples on the scale 0 to 255 to the nearest level (ties to even), and clip.

    Raises:
        ValueError: A sample is NaN.
    """
    if np.isnan(values).any():
        raise ValueError("the image has samples that are NaN")
    rounded: Image = np.clip(np.rint(values), 0, WHITE).astype(np.uint8)
    return rounded


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[PIL.Image.Image]:
    """Open a file and check what its header shows; any failure inside is an ImageError."""
    try:
        size = _regular_size(path)
        with _open(path) as image:
            _check_header(image, path)
            yield image
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError(
            f"{shown(path)} needs more memory than there is", "crop or scale it, or free memory"
        ) from error
    except PermissionError as error:
        reason = f"cannot be read: {error.strerror}"
        raise ImageError(f"{shown(path)} {reason}", "check the path") from error
    except PIL.UnidentifiedImageError as error:
        if size == 0:
            raise ImageError(f"{shown(path)} is empty (0 bytes)", _REPLACE) from error
        raise ImageError(
            f"{shown(path)} is damaged, or in none of the formats {', '.join(FORMATS)}",
            _CONVERT,
        ) from error
    except Exception as error:  # Pillow's parsers raise errors of every kind on damaged bytes
        raise ImageError(f"{shown(path)} is damaged: {shown(str(error))}", _REPLACE) from error


def _regular_size(path: Path) -> int:
    """The size of a file in bytes; refused if it is none, for opening a named pipe never ends."""
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise ImageError(f"{shown(path)} does not exist", "check the path") from error
    except (OSError, ValueError) as error:  # the latter of a name with a zero byte
        reason = error.strerror if isinstance(error, OSError) else error
        raise ImageError(f"{shown(path)} cannot be read: {reason}", "check the path") from error
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        reason = _KINDS.get(kind, "it is a device")
        raise ImageError(f"{shown(path)} cannot be read: {reason}", "name an image file")
    return status.st_size


def _open(path: Path) -> PIL.Image.Image:
    # Pillow's limit is lower than ours, and a module's global that others may rely on.
    with _pillow_limit, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about metadata; pixels that are missing are an error
        limit = PIL.Image.MAX_IMAGE_PIXELS
        PIL.Image.MAX_IMAGE_PIXELS = None
        try:
            return PIL.Image.open(path, formats=FORMATS)
        finally:
            PIL.Image.MAX_IMAGE_PIXELS = limit


def _check_header(image: PIL.Image.Image, path: Path) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(
            f"{shown(path)} has {image.width} x {image.height} pixels, more than {MAX_PIXELS}",
            "crop or scale it",
        )
    if (frames := getattr(image, "n_frames", 1)) > 1:
        raise ImageError(f"{shown(path)} has {frames} frames", "save the one to measure as a PNG")
    if image.mode not in _MODES:
        what = _MODE_NAMES.get(image.mode.partition(";")[0], f"is of mode {image.mode}")
        raise ImageError(f"{shown(path)} {what}", _CONVERT)
    if _has_deep_samples(image):
        raise ImageError(f"{shown(path)} {_MODE_NAMES['I']}", _CONVERT)


def _has_deep_samples(image: PIL.Image.Image) -> bool:
    """Whether samples have more than 8 bits; Pillow silently drops the rest in colour images."""
    if isinstance(image, TiffImageFile):
        return any(bits > BITS for bits in image.tag_v2.get(Tag.BitsPerSample, ()))
    for tile in getattr(image, "tile", ()):
        arguments = tile[3] if isinstance(tile[3], tuple) else (tile[3],)
        if any(isinstance(a, str) and a.endswith(";16B") for a in arguments):
            return True
        if tile[0].startswith("ppm") and max(a for a in arguments if isinstance(a, int)) > WHITE:
            return True
    return False


def _check_png(path: Path) -> None:
    """Check the CRC of every chunk, which Pillow does not do when it decodes pixels."""
    with _open(path) as image:
        image.verify()


def _opaque(image: PIL.Image.Image, path: Path) -> PIL.Image.Image:
    """The image as L or RGB; refused if a pixel is transparent."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if np.asarray(image.getchannel("A")).min() < WHITE:
            raise ImageError(
                f"{shown(path)} has transparent pixels", "flatten it onto a background"
            )
    return _converted(image, "L" if image.mode in ("1", "L") else "RGB")


def _converted(image: PIL.Image.Image, mode: str) -> PIL.Image.Image:
    """The image in a mode; without a copy, unlike Pillow's own, where it has that already."""
    return image if image.mode == mode else image.convert(mode)


def _as_array(image: PIL.Image.Image) -> Image:
    """An RGB image as an array, row by row of :data:`_STRIP`: Pillow's own way takes two copies."""
    array = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, _STRIP):
        bottom = min(top + _STRIP, image.height)
        array[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))
    return array


def _in_srgb(image: PIL.Image.Image, path: Path) -> PIL.Image.Image:
    """An image of mode L or RGB, converted by its ICC profile to RGB in sRGB."""
    profile = image.info.get("icc_profile")
    if not profile:
        return _converted(image, "RGB")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = "L" if source.profile.xcolor_space.strip() == "GRAY" else "RGB"
        to_srgb = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        matching = _converted(image, mode)
        return (
            _converted(matching, "RGB") if _is_identity(to_srgb, mode) else to_srgb.apply(matching)
        )
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        raise ImageError(
            f"{shown(path)} has an ICC profile that cannot be used: {error}",
            "convert it to sRGB, or remove the profile if it is wrong",
        ) from error


def _is_identity(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether a transform to sRGB moves no colour of a grid by more than one level."""
    levels = np.linspace(0, WHITE, 18 if mode == "RGB" else 256).astype(np.uint8)
    if mode == "RGB":
        grid = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(18, -1, 3)
    else:
        grid = levels[None, :]
    probe = PIL.Image.fromarray(grid)
    before = np.asarray(probe.convert("RGB"), dtype=np.int16)
    after = np.asarray(transform.apply(probe), dtype=np.int16)
    return int(np.abs(after - before).max()) <= 1
