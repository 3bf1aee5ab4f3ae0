"""Figures 1 and 2: what one sees of one bitstream, and of equal bytes at two resolutions."""

from __future__ import annotations

from typing import Any

from matplotlib.patches import Rectangle

from harness.codec import Image
from harness.metrics.base import Score
from harness.metrics.scorer import Scorer

from .sheet import Sheet, picture_grid, show
from .subject import Photograph, Subject, bpp, square

METRICS = ("psnr", "lpips", "dists")
STAGES_SHOWN = 5
_DETAIL = 4


def strip(subject: Subject, photograph: Photograph) -> Sheet:
    """Figure 1: the image after more and more stages, whole and in detail."""
    image, scorer = photograph.image, Scorer(METRICS)
    reference = scorer.reference(image)
    shown = subject.shown_stages(STAGES_SHOWN)
    height, width, _ = image.shape
    figure, axes = picture_grid(2, len(shown) + 1, height / width, 1.3)
    top, left, tall, wide = _detail(image)
    show(axes[0, 0], image, above="Original")
    axes[0, 0].add_patch(
        Rectangle((left, top), wide, tall, fill=False, edgecolor="white", linewidth=0.8)
    )
    show(axes[1, 0], image[top : top + tall, left : left + wide], "DISTS / BPP")
    rows: list[dict[str, Any]] = []
    for stage, stream in enumerate(subject.prefixes(image), 1):
        decoded = subject.decode(stream)
        scores = scorer.score(reference, decoded)
        rate = bpp(stream, image)
        rows.append(
            {"image": photograph.name, "stage": stage, "bytes": len(stream), "bpp": rate}
            | {name: score.value for name, score in scores.items()}
        )
        if stage in shown:
            column = shown.index(stage) + 1
            show(axes[0, column], decoded, above=_stages(stage))
            detail = decoded[top : top + tall, left : left + wide]
            show(axes[1, column], detail, f"{_number(scores['dists'])} / {rate:.4f}")
    about = f"{photograph.name}, {width} x {height}; below, its middle. Rates include the header."
    return Sheet("figure-1-stages", figure, rows, about)


def equal_bytes(subject: Subject, photograph: Photograph, bytes_wanted: int = 1280) -> Sheet:
    """Figure 2: one photograph at 512² and at 256², both in about the same number of bytes."""
    scorer = Scorer(METRICS)
    figure, axes = picture_grid(1, 3, 1.0, 3)
    show(axes[0, 0], square(photograph.image, 512), above="Original")
    rows: list[dict[str, Any]] = []
    for ax, side in zip(axes[0, 1:], (512, 256), strict=True):
        image = square(photograph.image, side)
        prefixes = subject.prefixes(image)
        stream = min(prefixes, key=lambda prefix: abs(len(prefix) - bytes_wanted))
        decoded = subject.decode(stream)
        scores = scorer.score(scorer.reference(image), decoded)
        flops = subject.profile(side, side).flops
        row: dict[str, Any] = {
            "image": photograph.name,
            "resolution": f"{side}x{side}",
            "stage": prefixes.index(stream) + 1,
            "bytes": len(stream),
            "bpp": bpp(stream, image),
            "flops": flops,
        }
        rows.append(row | {name: score.value for name, score in scores.items()})
        show(
            ax,
            decoded,
            f"{flops / 1e9:.1f} GFLOPs, DISTS {_number(scores['dists'])}" if flops else "",
            f"{side} x {side}, {row['bpp']:.4f} bpp\n"
            f"{_stages(row['stage'])}, {len(stream):,} bytes",
        )
    about = f"{photograph.name}. FLOPs of encoding and decoding, 1 FLOP = 2 MACs."
    return Sheet("figure-2-equal-bytes", figure, rows, about)


def _detail(image: Image) -> tuple[int, int, int, int]:
    """Top, left, height and width of the middle part that is enlarged."""
    height, width, _ = image.shape
    tall, wide = max(1, height // _DETAIL), max(1, width // _DETAIL)
    return (height - tall) // 2, (width - wide) // 2, tall, wide


def _stages(count: int) -> str:
    return "1 stage" if count == 1 else f"{count} stages"


def _number(score: Score) -> str:
    return "blank" if score.value is None else f"{score.value:.4f}"
