"""Whether what a codec returned is what the contract asks for, and in plain types."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from harness.codec import CallReport, Image, Profile
from harness.errors import Reason
from harness.worker import wire

MAX_FACTS = 64
MAX_FACT = 1000
"""The most facts, and the most characters of a fact."""

MAX_INTEGER = 2**63 - 1


class WrongOutput(Exception):
    """The codec returned something that the contract does not allow."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def checked_bytes(result: object, longest: int) -> bytes:
    """What ``encode`` returned, which must be bytes, not empty, and at most ``longest`` of them."""
    if not issubclass(type(result), (bytes, bytearray, memoryview)):
        raise WrongOutput(Reason.TYPE, f"encode returned {_kind(result)}, not bytes")
    stream = b"".join([result])  # type: ignore[list-item] # reads the memory, calls no method
    if not stream:
        raise WrongOutput(Reason.EMPTY, "encode returned no bytes")
    if len(stream) > longest:
        message = f"encode returned {len(stream)} bytes; an image of this size may take {longest}"
        raise WrongOutput(Reason.VALUE, message)
    return stream


def checked_image(result: object) -> Image:
    """What ``decode`` returned, which must be uint8, H x W x 3. The harness checks H and W."""
    if not issubclass(type(result), np.ndarray):
        raise WrongOutput(Reason.TYPE, f"decode returned {_kind(result)}, not a numpy array")
    image: Image = np.ndarray.view(cast("Image", result), np.ndarray)  # a subclass may lie
    if image.dtype != np.uint8:
        raise WrongOutput(Reason.DTYPE, f"decode returned {image.dtype}, not uint8")
    height, width, *channels = (*image.shape, 0, 0)[: max(2, image.ndim)]
    if channels != [3] or not 0 < height * width <= wire.MAX_PIXELS:
        raise WrongOutput(Reason.SHAPE, f"decode returned shape {image.shape}, not H x W x 3")
    return image


def checked_length(result: object, stream: bytes, *, least: int, what: str) -> int:
    """A number of the leading bytes of ``stream``, from ``least`` to all."""
    length = checked_count(result, what)
    if not least <= length <= len(stream):
        message = f"{what} returned {length} for a bitstream of {len(stream)} bytes"
        raise WrongOutput(Reason.VALUE, message)
    return length


def checked_count(result: object, what: str) -> int:
    """A whole number of at least 0 that fits in 64 bits; numpy's integers are such, too."""
    if not isinstance(result, (bool, np.bool_)):
        try:
            count = operator.index(result)  # type: ignore[arg-type]
        except TypeError:
            pass
        else:
            if type(count) is int and 0 <= count <= MAX_INTEGER:
                return count
    raise WrongOutput(Reason.VALUE, f"{what} returned {_shown(result)}, not a number of 0 or more")


def checked_ms(result: object, what: str) -> float:
    """A finite time in ms of at least 0."""
    if not isinstance(result, (bool, np.bool_)) and isinstance(
        result, (int, float, np.integer, np.floating)
    ):
        try:
            ms = float(result)
        except OverflowError:
            ms = math.inf
        if type(ms) is float and math.isfinite(ms) and ms >= 0:
            return ms
    raise WrongOutput(Reason.VALUE, f"{what} gave {_shown(result)}, not a time in ms of 0 or more")


def checked_report(result: object) -> tuple[float, int | None]:
    """Time in ms and peak memory in bytes of a ``SelfTimed`` codec's last call."""
    if not isinstance(result, CallReport):
        raise WrongOutput(Reason.TYPE, f"last_call returned {_kind(result)}, not a CallReport")
    peak = result.peak_rss_bytes
    return checked_ms(result.ms, "last_call"), (
        None if peak is None else checked_count(peak, "last_call")
    )


def checked_profile(result: object) -> wire.Header:
    """Parameters and operations of a ``Profiled`` codec."""
    if not isinstance(result, Profile):
        raise WrongOutput(Reason.TYPE, f"profile returned {_kind(result)}, not a Profile")
    flops = {"flops": result.flops, "flops_torch": result.flops_torch}
    counts = {k: None if v is None else checked_count(v, "profile") for k, v in flops.items()}
    return {"parameters": checked_count(result.parameters, "profile"), **counts}


def checked_facts(result: object) -> dict[str, Any]:
    """What ``facts`` returned: at most 64 names with a text, a number or a truth value each."""
    if not isinstance(result, Mapping) or len(result) > MAX_FACTS:
        raise WrongOutput(Reason.TYPE, f"facts returned {_kind(result)}, not at most 64 names")
    facts = {}
    for name, value in dict(result).items():
        plain = value.item() if isinstance(value, np.generic) else value
        fits = isinstance(plain, bool) or (
            (isinstance(plain, str) and len(plain) <= MAX_FACT)
            or (isinstance(plain, int) and abs(plain) <= MAX_INTEGER)
            or (isinstance(plain, float) and math.isfinite(plain))
        )
        if not (isinstance(name, str) and len(name) <= MAX_FACT and fits):
            message = f"facts returned {_shown(value)} for {_shown(name)}, not a text or a number"
            raise WrongOutput(Reason.VALUE, message)
        facts[name] = plain
    return facts


def _kind(value: object) -> str:
    return type(value).__name__


def _shown(value: object) -> str:
    """A value in a few characters."""
    if type(value) is int and abs(value) > MAX_INTEGER:
        return "a huge number"
    text = repr(value)
    return text if len(text) < MAX_FACT else f"{text[:MAX_FACT]}..."
