"""Values that a codec must not return, and exceptions that it should not raise."""

from __future__ import annotations

import math
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np

from harness.codec import CallReport, CodecError, Profile


class LyingBytes(bytes):
    def __len__(self) -> int:
        return 1 << 62

    def __bytes__(self) -> bytes:
        raise RuntimeError("no bytes")

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None


class LyingArray(np.ndarray):
    @property
    def shape(self) -> Any:
        return (1 << 40, 3, 3)

    @property
    def dtype(self) -> Any:
        return "uint8"

    def view(self, *_: Any) -> Any:
        return "a view"


class BadText(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


class NoText(Exception):
    def __str__(self) -> Any:
        return 3


class LyingMapping(dict[str, Any]):
    def __len__(self) -> int:
        return -1


def nothing(_: Any) -> None:
    return None


def text(_: Any) -> str:
    return "text"


def empty(_: Any) -> bytes:
    return b""


def true(_: Any) -> bool:
    return True


def negative(_: Any) -> int:
    return -5


def zero(_: Any) -> int:
    return 0


def huge(_: Any) -> int:
    return 10**5000


def billion(_: Any) -> int:
    return 10**9


def not_a_number(_: Any) -> float:
    return math.nan


def lying_bytes(stream: Any) -> Any:
    return LyingBytes(stream)


def floats_as_bytes(_: Any) -> Any:
    return memoryview(np.arange(100.0))


def strided_bytes(stream: Any) -> Any:
    return memoryview(stream * 2)[::2]


def too_many_bytes(_: Any) -> bytes:
    return bytes(64 << 20)


def lying_array(image: Any) -> Any:
    return np.ndarray.view(image, LyingArray)


def masked_array(image: Any) -> Any:
    return np.ma.masked_array(image, mask=True)


def objects(image: Any) -> Any:
    return image.astype(object)


def floats(image: Any) -> Any:
    return image / 255


def signed(image: Any) -> Any:
    return image.astype(np.int8)


def structured(image: Any) -> Any:
    return np.ascontiguousarray(image).view([("r", "u1"), ("g", "u1"), ("b", "u1")])


def endless_array(_: Any) -> Any:
    return np.broadcast_to(np.uint8(0), (1 << 30, 1 << 30, 3))


def no_pixels(_: Any) -> Any:
    return np.zeros((0, 0, 3), np.uint8)


def scalar(_: Any) -> Any:
    return np.array(0, np.uint8)


def large_image(_: Any) -> Any:
    return np.zeros((4000, 4000, 3), np.uint8)


def cropped(image: Any) -> Any:
    return image[:-1]


def turned(image: Any) -> Any:
    return image.transpose(1, 0, 2)


def gray(image: Any) -> Any:
    return image[..., 0]


def with_alpha(image: Any) -> Any:
    return np.dstack([image, image[..., :1]])


def many_dimensions(image: Any) -> Any:
    return image[None, None]


def facts_not_a_number(_: Any) -> Any:
    return {"loss": math.nan}


def facts_nested(_: Any) -> Any:
    return {"a": {"b": [1]}}


def facts_of_surrogates(_: Any) -> Any:
    return {"file\udc80": "\ud800 \x1b[31m \u202e"}


def facts_without_end(_: Any) -> Any:
    return {str(number): number for number in range(1_000_000)}


def facts_of_bytes(_: Any) -> Any:
    return {b"a": b"b"}


def facts_that_lie(_: Any) -> Any:
    return LyingMapping(a=1)


def facts_huge(_: Any) -> Any:
    return {"a": 10**5000}


def report_not_a_number(_: Any) -> Any:
    return CallReport(math.nan)


def report_infinite(_: Any) -> Any:
    return CallReport(math.inf)


def report_negative(_: Any) -> Any:
    return CallReport(-5.0)


def report_text(_: Any) -> Any:
    return CallReport("fast")


def report_true(_: Any) -> Any:
    return CallReport(True)  # noqa: FBT003


def report_huge(_: Any) -> Any:
    return CallReport(10**5000)


def report_a_century(_: Any) -> Any:
    return CallReport(3e12)


def report_negative_memory(_: Any) -> Any:
    return CallReport(1.0, -1)


def report_huge_memory(_: Any) -> Any:
    return CallReport(1.0, 1 << 70)


def report_lookalike(_: Any) -> Any:
    return SimpleNamespace(ms=1.0, peak_rss_bytes=None)


def profile_negative(_: Any) -> Any:
    return Profile(-1)


def profile_huge(_: Any) -> Any:
    return Profile(1 << 70)


def profile_text(_: Any) -> Any:
    return Profile("many")


def raise_base(_: Any) -> None:
    raise BaseException("past every except")  # noqa: TRY002


def raise_exit(_: Any) -> None:
    sys.exit(0)


def raise_exit_with_text(_: Any) -> None:
    sys.exit("\udc80 leave")


def raise_interrupt(_: Any) -> None:
    raise KeyboardInterrupt


def raise_generator_exit(_: Any) -> None:
    raise GeneratorExit


def raise_surrogates(_: Any) -> None:
    raise FileNotFoundError("weights-\udce9\ud800.pt")


def raise_control_characters(_: Any) -> None:
    raise ValueError("\x00\x1b]0;title\x07\x1b[2J\u202e\u2028 <script> =1+1 |")


def raise_megabytes(_: Any) -> None:
    raise ValueError("long " * 2_000_000)


def raise_without_text(_: Any) -> None:
    raise BadText


def raise_with_number(_: Any) -> None:
    raise NoText


def raise_recursion(_: Any) -> None:
    raise_recursion(None)


def raise_memory(_: Any) -> None:
    raise MemoryError


def raise_odd_refusal(_: Any) -> None:
    raise CodecError({"a": 1}, b"\xff")


def raise_chain(_: Any) -> None:
    error: BaseException = ValueError("first")
    for _number in range(5000):
        new = ValueError("next")
        new.__cause__ = error
        error = new
    raise error
