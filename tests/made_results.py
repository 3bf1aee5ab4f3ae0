"""Results to analyse: real encodes of a photograph, and curves made to measure."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import pandas as pd
import skimage.data
from PIL import Image

QUALITIES = {
    "jpeg": ("JPEG", [10, 25, 45, 65, 80, 90]),
    "webp": ("WebP", [5, 20, 40, 60, 80, 90]),
    "avif": ("AVIF", [15, 30, 45, 60, 72, 84]),
}
PHOTOGRAPHS = tuple(
    f"{name}-{side}"
    for name in ("astronaut", "coffee", "chelsea", "rocket")
    for side in ("left", "right")
)


@cache
def real_results() -> pd.DataFrame:
    """JPEG, WebP and AVIF on crops of photographs, with real bytes and real PSNR."""
    rows = []
    for name in PHOTOGRAPHS:
        image = _crop(name)
        pixels = np.asarray(image, dtype=np.float64)
        for codec, (title, qualities) in QUALITIES.items():
            for place, quality in enumerate(qualities):
                file = io.BytesIO()
                speed = {"speed": 8} if codec == "avif" else {}
                image.save(file, format=title, quality=quality, **speed)
                decoded = np.asarray(Image.open(file).convert("RGB"), dtype=np.float64)
                error = float(((pixels - decoded) ** 2).mean())
                size = len(file.getvalue())
                rows.append(
                    row(
                        codec=codec,
                        title=title,
                        family="classical",
                        rate=f"q{quality}",
                        rate_index=place,
                        image=name,
                        height=image.height,
                        width=image.width,
                        bytes=size,
                        bpp=8 * size / (image.height * image.width),
                        psnr=10 * np.log10(255**2 / error),
                    )
                )
    return pd.DataFrame(rows)


def _crop(name: str) -> Image.Image:
    """192 x 192 pixels of a photograph in scikit-image's wheel, left or right of its middle."""
    photograph, _, side = name.partition("-")
    image = Image.fromarray(getattr(skimage.data, photograph)())
    left = image.width // 2 - (192 if side == "left" else 0)
    top = image.height // 2 - 96
    return image.crop((left, top, left + 192, top + 192))


def row(**values: object) -> dict[str, object]:
    """One record, in the columns that ``harness.load_results`` gives; ``values`` replace."""
    return {
        "run": "test",
        "codec": "jpeg",
        "title": str(values.get("codec", "jpeg")).upper(),
        "family": "classical",
        "rate": "q1",
        "rate_index": 0,
        "checkpoint": "",
        "weights": "none",
        "options": "{}",
        "dataset": "photographs",
        "image": "one",
        "resolution": "native",
        "height": 64,
        "width": 64,
        "bytes": 512,
        "bpp": 1.0,
        "psnr": np.nan,
        "psnr_card": "psnr-1",
        "lpips": np.nan,
        "lpips_card": "lpips-1",
        "clip_iqa": np.nan,
        "clip_iqa_card": "clip_iqa-1",
        "blanks": "{}",
        "load_ms": 1.0,
        "encode_ms": 10.0,
        "decode_ms": 5.0,
        "encode_peak_device_bytes": None,
        "decode_peak_device_bytes": None,
        "encode_peak_rss_bytes": 100_000_000,
        "decode_peak_rss_bytes": 90_000_000,
        "parameters": None,
        "flops": None,
        "device": "cpu",
        "threads": 1,
        "timing_scope": "call",
        "machine": "m1",
        "status": "ok",
        "reason": "",
        "message": "",
        "started": pd.Timestamp("2026-01-01", tz="UTC"),
        **values,
    }


def curve(
    codec: str,
    bpp: Sequence[float],
    quality: Sequence[float],
    metric: str = "psnr",
    images: Sequence[str] = ("one", "two", "three"),
    **values: object,
) -> pd.DataFrame:
    """A codec that reaches the same points on every image, but for a factor on the bitrate."""
    rows = [
        row(
            codec=codec,
            rate=f"r{k}",
            rate_index=k,
            image=image,
            bpp=rate * (1 + 0.1 * n),
            **{metric: value},
            **values,
        )
        for n, image in enumerate(images)
        for k, (rate, value) in enumerate(zip(bpp, quality, strict=True))
    ]
    return pd.DataFrame(rows)


def together(*frames: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(frames, ignore_index=True)


def changed(frame: pd.DataFrame, where: Mapping[str, object], **values: object) -> pd.DataFrame:
    """The frame with ``values`` in the rows whose columns equal ``where``."""
    rows = np.logical_and.reduce([frame[column] == value for column, value in where.items()])
    assert rows.any()
    frame = frame.copy()
    for column, value in values.items():
        frame.loc[rows, column] = value
    return frame
