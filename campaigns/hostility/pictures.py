"""Pictures that are damaged, too large, of other colours or depths, or not what their name says."""

from __future__ import annotations

import io
import re
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
import PIL.Image
from PIL import ImageCms

from campaigns.parsing.parser import ROOT
from campaigns.tally import Effort, Tally

READ = """
import resource, sys, time
from harness.errors import ImageError
from harness.images.files import read_image
start = time.monotonic()
for path in sys.argv[1:]:
    try:
        height, width, _ = read_image(path).shape
        print(f"read {height} x {width}")
    except ImageError as error:
        assert error.remedy, error
        print(f"refused {error}")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10, time.monotonic() - start)
"""
MEGABYTES = 1600
"""The most memory that reading any picture may take: 8 bytes a pixel, see images/files.py."""
SECONDS = 120


def attack(effort: Effort) -> list[Tally]:
    """Read each picture in a process of its own, then many that are cut or changed in one."""
    kinds = Tally(f"pictures of every hostile kind (at most {MEGABYTES} MB each)")
    damaged = Tally("photographs cut, or changed in a few bytes")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "picture.png")
        for name, content, expected in pictures(short=effort.short):
            path.write_bytes(content)
            del content
            lines, megabytes, seconds = _read([path])
            if not re.match(expected, lines[0]):
                kinds.broke(f"{name}: {lines[0][:200]}, not {expected}")
            elif megabytes > MEGABYTES or seconds > SECONDS:
                kinds.broke(f"{name}: {megabytes} MB, {seconds:.0f} s")
            else:
                kinds.held(lines[0].split()[0])
        paths = _damaged(Path(folder), Random(effort.seed), effort.of(2000, 200))
        for path, line in zip(paths, _read(paths)[0], strict=True):
            if line.startswith(("read", "refused")):
                damaged.held(line.split()[0])
            else:
                damaged.broke(f"{path.name}, seed {effort.seed}: {line[:200]}")
    return [kinds, damaged]


def _read(paths: list[Path]) -> tuple[list[str], int, float]:
    """What each picture gave, the process's peak memory in MB, and the time in s."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", READ, *map(str, paths)],
            cwd=ROOT, capture_output=True, text=True, timeout=SECONDS * 2, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return ["hangs"] * len(paths), 0, 0.0
    if done.returncode:
        ended = f"exit code {done.returncode}: {done.stderr.strip()[-200:]}"
        return [ended] * len(paths), 0, 0.0
    *lines, last = done.stdout.splitlines()
    megabytes, seconds = last.split()
    return lines, int(megabytes), float(seconds)


def _damaged(folder: Path, random: Random, count: int) -> list[Path]:
    """Photographs in every format, cut anywhere or with a few bytes changed."""
    samples = _samples(60, 80)
    whole = [_saved(PIL.Image.fromarray(samples), kind) for kind in KINDS]
    paths = []
    for number in range(count):
        content = bytearray(random.choice(whole))
        if random.random() < 0.5:
            content = content[: random.randrange(len(content))]
        for _ in range(random.randrange(4)):
            if content:
                content[random.randrange(len(content))] = random.randrange(256)
        path = folder / f"{number}.png"
        path.write_bytes(content)
        paths.append(path)
    return paths


KINDS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "PPM")


def pictures(*, short: bool) -> Iterator[tuple[str, bytes, str]]:
    """Pictures by name, each with a pattern of what must become of it."""
    photograph = PIL.Image.fromarray(_samples(60, 80))
    yield "16384 x 16384 pixels", flat_png(16384, 16384, rows=0), "refused .*pixels, more than"
    yield "100 megapixels", flat_png(10_000, 10_000), "read 10000 x 10000"
    if not short:
        yield "150 megapixels", flat_png(10_652, 14_204), "read 10652 x 14204"
        yield "the largest", flat_png(13_377, 13_377), "read 13377 x 13377"
    yield "4K", flat_png(2160, 3840), "read 2160 x 3840"
    for height, width in ((1, 2**31 - 1), (2**31 - 1, 2**31 - 1), (0, 5), (2**32 - 1, 1)):
        yield f"a header of {height} x {width}", flat_png(height, width, rows=0), "refused"
    yield "a row of a million pixels", flat_png(1, 1_000_000), "read 1 x 1000000"
    yield "a text chunk that is a bomb", with_chunk(b"zTXt", b"a\0\0" + _bomb(1 << 26)), "r"
    yield "a profile that is a bomb", with_chunk(b"iCCP", b"a\0\0" + _bomb(1 << 26)), "r"
    yield "rows for a picture a thousand times larger", flat_png(10, 10, rows=10_000), "r"
    yield "WebP of 16383 x 16383", webp_header(16383, 16383), "refused"
    yield "BMP of 65535 x 65535", bmp_header(65535, 65535), "refused"
    yield "PPM of a trillion pixels", b"P6 1000000 1000000 255\n", "refused .*pixels, more than"
    yield "PPM of a size with a million digits", b"P6 " + b"9" * 10**6 + b" 1 255\n", "refused"
    yield "TIFF that leads to itself", b"II*\0\x08\0\0\0\0\0\x08\0\0\0", "refused"
    for mode in ("CMYK", "LAB", "YCbCr", "I;16", "F", "I"):
        other = PIL.Image.new(mode, (8, 8))
        yield f"TIFF of mode {mode}", _saved(other, "TIFF"), "refused"
    yield "JPEG in CMYK", _saved(photograph.convert("CMYK"), "JPEG"), "refused .*CMYK"
    deep = PIL.Image.fromarray(np.zeros((8, 8), np.uint16))
    yield "PNG of 16 bits", _saved(deep, "PNG"), "refused .*more than 8 bits"
    yield "a palette", _saved(photograph.quantize(16), "PNG"), "read 60 x 80"
    palette = _saved(photograph.quantize(16), "PNG", transparency=3)
    yield "a palette with a transparent colour", palette, "refused .*transparent"
    clear = photograph.copy()
    clear.putalpha(128)
    yield "transparency", _saved(clear, "PNG"), "refused .*transparent"
    for kind in ("PNG", "WEBP", "TIFF"):
        frames = _saved(photograph, kind, save_all=True, append_images=[photograph.rotate(180)])
        yield f"animated {kind}", frames, "refused .*2 frames"
    yield "GIF by the name of a PNG", _saved(photograph, "GIF"), "refused"
    for orientation in (1, 3, 6, 8, 9, 65535):
        exif = PIL.Image.Exif()
        exif[0x0112] = orientation
        turned = "read 80 x 60" if orientation in (6, 8) else "read 60 x 80"
        yield f"EXIF orientation {orientation}", _saved(photograph, "JPEG", exif=exif), turned
    yield "EXIF that is garbage", _saved(photograph, "JPEG", exif=b"Exif\0\0garbage" * 9), "r"
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    yield "an sRGB profile", _saved(photograph, "PNG", icc_profile=srgb), "read 60 x 80"
    yield "a cut profile", _saved(photograph, "PNG", icc_profile=srgb[:200]), "refused .*ICC"
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    yield "a Lab profile", _saved(photograph, "PNG", icc_profile=lab), "refused .*ICC"
    lying = bytearray(srgb)
    lying[128:132] = b"\xff\xff\xff\xff"  # the number of its tags
    yield "a profile of 4 billion tags", _saved(photograph, "PNG", icc_profile=bytes(lying)), "r"
    yield "nothing", b"", "refused .*empty"
    yield "a script", b"#!/bin/sh\ntouch executed\n", "refused"
    yield "PostScript", b"%!PS-Adobe-3.0 EPSF-3.0\n(x) run\n", "refused"
    yield "SVG", b'<svg xmlns="http://www.w3.org/2000/svg" onload="x()"/>', "refused"
    yield "a zip", b"PK\x03\x04" + bytes(100), "refused"


def _samples(height: int, width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 3, y * 4, x + y], axis=-1).astype(np.uint8)


def _saved(image: PIL.Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def flat_png(height: int, width: int, rows: int | None = None) -> bytes:
    """A black PNG whose data has ``rows`` rows."""
    packer = zlib.compressobj(1)
    data = [packer.compress(bytes(1 + 3 * width)) for _ in range(height if rows is None else rows)]
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = _chunk(b"IHDR", header) + _chunk(b"IDAT", b"".join(data) + packer.flush())
    return b"\x89PNG\r\n\x1a\n" + body + _chunk(b"IEND", b"")


def with_chunk(kind: bytes, content: bytes) -> bytes:
    """A PNG with one more chunk before its pixels."""
    plain = flat_png(4, 4)
    return plain[:33] + _chunk(kind, content) + plain[33:]


def _bomb(size: int) -> bytes:
    packer = zlib.compressobj(9)
    parts = [packer.compress(bytes(1 << 20)) for _ in range(size >> 20)]
    return b"".join(parts) + packer.flush()


def webp_header(height: int, width: int) -> bytes:
    """A lossless WebP that ends after its header."""
    bits = (width - 1) | (height - 1) << 14
    data = b"\x2f" + struct.pack("<I", bits) + bytes(32)
    body = b"WEBPVP8L" + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def bmp_header(height: int, width: int) -> bytes:
    """A BMP that ends after its header."""
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + info
