"""Figure 6: what a receiver sees when, over a satellite link of short messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness import load_codec
from harness.catalog.codecs import load_catalog
from harness.codec import Image
from harness.errors import HarnessError
from harness.metrics.scorer import Scorer

from .sheet import Sheet, picture_grid, show, tell
from .subject import Photograph, Subject, bpp, square

SIDE = 256
MOST_PACKETS = 40
COLUMNS_SHOWN = 7


@dataclass(frozen=True)
class Link:
    """A satellite link.

    Attributes:
        packet_bytes: Payload of one message.
        interval_s: Seconds from one message to the next.
    """

    packet_bytes: int = 360
    interval_s: float = 60.0

    def packets(self, stream: bytes) -> int:
        """How many messages a bitstream takes."""
        return -(-len(stream) // self.packet_bytes)

    def arrival_s(self, packets: int) -> float:
        """When the last of so many messages is there; the first one is sent at once."""
        return (packets - 1) * self.interval_s


@dataclass(frozen=True)
class Transmission:
    """What a receiver sees of one bitstream.

    Attributes:
        title: Of its row.
        stream: All bytes.
        views: What is seen from so many packets on, and the bytes that it is decoded from.
    """

    title: str
    stream: bytes
    views: dict[int, tuple[Image, bytes]]


def satellite(
    subject: Subject, photograph: Photograph, against: str, link: Link | None = None
) -> Sheet:
    """The image over time by ProGIC, and by another codec at its lowest and at a higher rate.

    Args:
        subject: ProGIC.
        photograph: Sent at 256 x 256 pixels.
        against: A codec of the harness, which shows nothing before all its bytes are there.
        link: The satellite link.

    Raises:
        HarnessError: There is no such codec, or it cannot run.
    """
    link = link or Link()
    image = square(photograph.image, SIDE)
    ours = _progressive(subject, image, link)
    rows = [ours, *_waiting(against, image, link, wanted=2 * len(ours.stream))]
    scorer = Scorer(("psnr", "lpips", "dists"))
    reference = scorer.reference(image)
    times = _columns(rows)
    figure, axes = picture_grid(len(rows), len(times) + 1, 1.0, 1.8)
    for column, packets in enumerate(times, 1):
        axes[0, column].set_title(_clock(link.arrival_s(packets)), pad=3)
    table: list[dict[str, Any]] = []
    for number, row in enumerate(rows):
        if number == 0:
            show(axes[number, 0], image, row.title, "Original")
        else:
            tell(axes[number, 0], row.title)
        needed = link.packets(row.stream)
        for packets, (view, stream) in row.views.items():
            scores = scorer.score(reference, view)
            table.append(
                {
                    "image": photograph.name,
                    "codec": row.title.replace("\n", " "),
                    "packets": packets,
                    "seconds": link.arrival_s(packets),
                    "bytes": len(stream),
                    "bpp": bpp(stream, image),
                }
                | {name: score.value for name, score in scores.items()}
            )
        for column, packets in enumerate(times, 1):
            ax = axes[number, column]
            seen = max((p for p in row.views if p <= packets), default=None)
            if seen is None:
                ax.set_facecolor("#eeeeee")
                tell(ax, f"waiting\n{packets} of {needed}\npackets")
                continue
            view, stream = row.views[seen]
            below = f"{bpp(stream, image):.3f} bpp" if seen == packets else "complete"
            show(ax, view, below, ax.get_title())
    about = (
        f"{photograph.name}, {SIDE} x {SIDE}; packets of {link.packet_bytes} bytes, one every "
        f"{link.interval_s:g} s, the first at once."
    )
    return Sheet("figure-6-satellite", figure, table, about)


def _progressive(subject: Subject, image: Image, link: Link) -> Transmission:
    prefixes = subject.prefixes(image)
    views: dict[int, tuple[Image, bytes]] = {}
    for prefix in prefixes:  # of two stages in one packet the later one is seen
        views[link.packets(prefix)] = (subject.decode(prefix), prefix)
    title = f"{subject.preset}\n{len(prefixes[-1]):,} bytes"
    return Transmission(title, prefixes[-1], views)


def _waiting(against: str, image: Image, link: Link, wanted: int) -> list[Transmission]:
    """Another codec at its lowest rate, and at the one nearest to ``wanted`` bytes."""
    spec = load_catalog().get(against)
    streams: dict[str, tuple[bytes, Image]] = {}
    for rate in spec.rates:
        with load_codec(against, rate.id) as codec:
            stream = codec.encode(image)
            streams[rate.id] = stream, codec.decode(stream)
    lowest = min(streams, key=lambda rate: len(streams[rate][0]))
    others = {rate: stream for rate, (stream, _) in streams.items() if rate != lowest}
    if not others:
        raise HarnessError(f"codec '{against}' has one rate point", "name one with more")
    higher = min(others, key=lambda rate: abs(len(others[rate]) - wanted))
    found = []
    for rate_id in (lowest, higher):
        stream, decoded = streams[rate_id]
        if link.packets(stream) > MOST_PACKETS:
            raise HarnessError(
                f"codec '{against}' at {rate_id} needs {link.packets(stream)} packets",
                "name a codec with lower rates",
            )
        title = f"{spec.title} {rate_id}\n{len(stream):,} bytes"
        found.append(Transmission(title, stream, {link.packets(stream): (decoded, stream)}))
    return found


def _columns(rows: list[Transmission]) -> list[int]:
    """Numbers of packets at which some row changes; at most :data:`COLUMNS_SHOWN` of them."""
    changes = sorted({packets for row in rows for packets in row.views})
    if len(changes) <= COLUMNS_SHOWN:
        return changes
    kept = np.linspace(0, len(changes) - 1, COLUMNS_SHOWN).round().astype(int)
    return [changes[place] for place in kept]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return "at once" if not seconds else f"{minutes} min {rest} s" if rest else f"{minutes} min"
