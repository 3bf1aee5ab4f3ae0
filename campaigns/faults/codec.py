"""A sound codec that misbehaves in the way it is told to: every way that we could think of.

``options["fault"]`` names a function of this module's ``faults_*`` files, ``options["during"]`` the
moment at which it is called; what it returns takes the place of what a sound codec returns there.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np

from harness.codec import (
    BitstreamError,
    CallReport,
    Codec,
    Image,
    Profile,
    Profiled,
    Progressive,
    RatePoint,
    SelfTimed,
    WithHeader,
)

from . import process, values, wire

HEADER = struct.Struct(">II")
FAULTS = {
    name: fault
    for module in (values, wire, process)
    for name, fault in vars(module).items()
    if callable(fault)
}


class Sound(Codec):
    """Height and width, then zlib of the samples; a fault at its moment."""

    def misbehave(self, moment: str, value: Any = None) -> Any:
        """Commit the fault if this is its moment; what is to be returned in place of ``value``."""
        if self.options["during"] != moment:
            return value
        return FAULTS[self.options["fault"]](value)

    def load(self, rate: RatePoint) -> None:
        """See :class:`Codec`."""
        self.rate = rate
        self.misbehave("load")

    def facts(self) -> Any:
        """See :class:`Codec`."""
        return self.misbehave("facts", {})

    def encode(self, image: Image) -> Any:
        """See :class:`Codec`."""
        self.misbehave("encode")
        height, width, _ = image.shape
        return self.misbehave("bytes", HEADER.pack(height, width) + zlib.compress(image.tobytes()))

    def decode(self, bitstream: bytes) -> Any:
        """See :class:`Codec`."""
        self.misbehave("decode")
        try:
            height, width = HEADER.unpack_from(bitstream)
            samples = zlib.decompress(bitstream[HEADER.size :])
            image = np.frombuffer(samples, np.uint8).reshape(height, width, 3)
        except (struct.error, zlib.error, ValueError) as error:
            raise BitstreamError(str(error)) from error
        return self.misbehave("output", image)


class Prefixed(Sound, Progressive):
    """The same with one rate point after another, each of which is the whole."""

    def prefix_length(self, bitstream: bytes, rate: RatePoint) -> Any:
        """See :class:`Progressive`."""
        return self.misbehave("prefix", len(bitstream))


class Timed(Sound, SelfTimed):
    """The same with times of its own."""

    def last_call(self) -> Any:
        """See :class:`SelfTimed`."""
        return self.misbehave("report", CallReport(1.0))


class Headed(Sound, WithHeader):
    """The same with a header that it tells apart."""

    def header_bytes(self, bitstream: bytes) -> Any:
        """See :class:`WithHeader`."""
        return self.misbehave("header", HEADER.size)


class Counted(Sound, Profiled):
    """The same with counts of its own."""

    def profile(self, height: int, width: int) -> Any:
        """See :class:`Profiled`."""
        return self.misbehave("profile", Profile(1, 2, 3))
