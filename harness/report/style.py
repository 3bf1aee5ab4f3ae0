"""How a codec looks: the same colour and marker in every figure, whatever else is in it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")


@dataclass(frozen=True)
class Style:
    """A codec's look.

    Attributes:
        color: ``#rrggbb``.
        marker: One of :data:`MARKERS`.
        classical: Drawn dashed with open markers; learned codecs are solid with filled ones.
    """

    color: str
    marker: str
    classical: bool = False


# Colours of Okabe and Ito (2008) and of Paul Tol's muted scheme (SRON/EPS/TN/09-002), both made
# for colour-blind readers. With more codecs than such colours exist, the marker and the stroke
# (learned or classical) tell apart those whose colours are near.
STYLES = {
    "progic": Style("#C44E00", "o"),
    "progic-s": Style("#E8792B", "^"),
    "progic-tiny": Style("#F2A36B", "v"),
    "hific": Style("#0072B2", "s"),
    "ms-illm": Style("#56B4E9", "D"),
    "control-gic": Style("#009E73", "P"),
    "diffeic": Style("#CC79A7", "X"),
    "oscar": Style("#882255", "^"),
    "dcvc-rt": Style("#332288", "v"),
    "lic-hpcm": Style("#44AA99", "<"),
    "vqgan": Style("#999933", ">"),
    "vtm": Style("#000000", "D", classical=True),
    "heic": Style("#661100", "X", classical=True),
    "avif": Style("#117733", "^", classical=True),
    "jpeg-xl": Style("#0072B2", "v", classical=True),
    "webp": Style("#E69F00", "s", classical=True),
    "jpeg2000": Style("#AA4499", "P", classical=True),
    "jpeg": Style("#777777", "o", classical=True),
}
"""The codecs that everyone compares with, in the order in which legends name them."""

_OTHER_COLORS = ("#88CCEE", "#DDAA33", "#AA3377", "#228833", "#4477AA", "#BB5566", "#6699CC")

PAPER: Any = {
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8.5,
    "legend.fontsize": 7.5,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "axes.linewidth": 0.6,
    "axes.edgecolor": "#333333",
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.1,
    "lines.markersize": 4,
    "legend.frameon": False,
    "savefig.dpi": 300,
    "pdf.fonttype": 42,  # TrueType: publishers refuse Type 3 fonts
    "ps.fonttype": 42,
    "svg.hashsalt": "harness",
    "text.parse_math": False,  # a "$" in a name is no formula
}
"""Matplotlib's settings for figures that go into a two-column paper as they are."""


def style_of(codec: str, family: str = "") -> Style:
    """The look of a codec, decided by its name alone (and its family, where unknown).

    A variant or checkpoint of a known codec (``jpeg-444``, ``ms-illm@mine.ckpt``) has that
    codec's colour and stroke, and another marker.
    """
    if codec in STYLES:
        return STYLES[codec]
    digest = int.from_bytes(hashlib.sha256(codec.encode()).digest()[:8], "big")
    bases = [name for name in STYLES if codec.startswith((f"{name}-", f"{name}@"))]
    if bases:
        base = STYLES[max(bases, key=len)]
        markers = [marker for marker in MARKERS if marker != base.marker]
        return replace(base, marker=markers[digest % len(markers)])
    color, marker = divmod(digest % (len(_OTHER_COLORS) * len(MARKERS)), len(MARKERS))
    return Style(_OTHER_COLORS[color], MARKERS[marker], classical=family == "classical")


def legend_order(codec: str) -> tuple[int, str]:
    """A sort key: known codecs in the order of :data:`STYLES`, variants after, then the others."""
    names = list(STYLES)
    bases = [name for name in names if codec == name or codec.startswith((f"{name}-", f"{name}@"))]
    return (names.index(max(bases, key=len)) if bases else len(names), codec)
