"""The tests of an adapter, each a claim that :mod:`harness.codec` makes about every codec.

Everything runs through real workers, as in a measurement: one process encodes, another decodes.
What the codec prints goes to a log; it cannot reach the wire.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from harness.catalog.codec_spec import CodecSpec, RateSpec
from harness.codec import Image, WithHeader
from harness.environments.client import WorkerFailure
from harness.environments.resident import ResidentCodec
from harness.errors import Reason, Status

SIZES = ((1, 1), (1, 97), (97, 1), (2, 3), (37, 53), (131, 67))
SAME_IMAGE = 1.0
"""Largest mean difference, in 8-bit steps, between two decodings that count as the same image."""

Test = Callable[[], str]
"""Returns a remark; raises :class:`Violation` or ``WorkerFailure``."""


class Violation(Exception):
    """The codec violates the contract; the message says how."""


class Conformance:
    """The tests, on a codec in two processes, at its highest rate point unless stated otherwise."""

    def __init__(
        self, spec: CodecSpec, encoder: ResidentCodec, decoder: ResidentCodec, *, trained: bool
    ) -> None:
        self.spec = spec
        self.encoder = encoder
        self.decoder = decoder
        self.trained = trained
        self.photograph = photograph()
        self.bitstream = b""
        self.decoded = self.photograph
        self.has_header = False

    def basics(self) -> Iterator[tuple[str, Test]]:
        """The tests without which the others mean nothing."""
        yield "loads", self.loads
        yield "codes a photograph", self.codes_a_photograph
        yield "decodes in another process", self.decodes_in_another_process

    def details(self) -> Iterator[tuple[str, Test]]:
        """All other tests."""
        if self.trained:
            yield "looks like the photograph", self.looks_like_the_photograph
        for height, width in SIZES:
            image = np.ascontiguousarray(self.photograph[:height, :width])
            yield f"size {height} x {width}", partial(self.round_trip, image)
        for name, image in special_images(self.photograph):
            yield name, partial(self.round_trip, image)
        yield "every rate point", partial(self.every_rate_point, rising=self.trained)
        if self.spec.progressive:
            yield "prefixes", self.prefixes
        yield "no bytes", partial(self.answers_by_an_error, [b""])
        yield "random bytes", partial(self.answers_by_an_error, self.random_bytes())
        yield "cut bitstreams", self.cut_bitstreams
        yield "flipped bits", self.flipped_bits
        yield "same bytes again", self.same_bytes_again
        if self.has_header:
            yield "header", self.header

    def loads(self) -> str:
        """Both processes import the adapter and load the model."""
        with self.decoder.use(), self.encoder.use() as worker:
            self.has_header = WithHeader.__name__ in worker.capabilities
            loaded = self.encoder.loaded
            return f"in {loaded.ms:.0f} ms" if loaded else ""

    def codes_a_photograph(self) -> str:
        """Encode and decode in one process."""
        with self.encoder.use() as worker:
            self.bitstream = worker.encode(self.photograph)[0]
            self.decoded = worker.decode(self.bitstream)[0]
        check_shape(self.decoded, self.photograph)
        return f"{bpp(self.bitstream, self.photograph):.3f} bpp"

    def decodes_in_another_process(self) -> str:
        """Decode in a process that never saw the image: only the bytes may be needed."""
        try:
            elsewhere = self.decode(self.bitstream)
        except WorkerFailure as failure:
            raise Violation(f"decodes only where it was encoded; {failure}") from failure
        check_shape(elsewhere, self.photograph)
        difference = np.abs(elsewhere.astype(np.int16) - self.decoded)
        if difference.mean() > SAME_IMAGE:
            message = f"decodes differently from where it was encoded: by {difference.mean():.1f}"
            raise Violation(f"{message} of 255 on average")
        return f"up to {difference.max()} of 255 apart" if difference.any() else ""

    def looks_like_the_photograph(self) -> str:
        """Closer to the photograph than to its mirror images, swapped channels or its mean."""
        error = mean_square(self.decoded, self.photograph)
        others = {
            "the photograph with red and blue exchanged": self.photograph[..., ::-1],
            "the photograph upside down": self.photograph[::-1],
            "the photograph mirrored": self.photograph[:, ::-1],
            "plain gray": self.photograph.mean(axis=(0, 1), keepdims=True).astype(np.uint8),
        }
        for name, other in others.items():
            if mean_square(self.decoded, other) < error:
                raise Violation(f"the decoded image is closer to {name}")
        return f"{10 * np.log10(255**2 / error):.1f} dB" if error else "lossless"

    def round_trip(self, image: Image) -> str:
        """The same height and width come back."""
        with self.encoder.use() as worker:
            bitstream = worker.encode(image)[0]
        check_shape(self.decode(bitstream), image)
        return f"{len(bitstream)} bytes"

    def every_rate_point(self, *, rising: bool) -> str:
        """Each rate point codes the photograph, with more bits than the one before."""
        rates = []
        for rate in self.spec.rates:
            try:
                with at(self.encoder, rate).use() as worker:
                    bitstream = worker.encode(self.photograph)[0]
                with at(self.decoder, rate).use() as worker:
                    check_shape(worker.decode(bitstream)[0], self.photograph)
            except (WorkerFailure, Violation) as problem:
                raise Violation(f"at {rate.id}: {problem}") from problem
            rates.append(bpp(bitstream, self.photograph))
            if rising and rates[1:] and rates[-1] <= rates[-2]:
                raise Violation(
                    f"bitrate does not rise to {rate.id}: {rates[-2]:.4f}, then {rates[-1]:.4f} bpp"
                )
        return f"{len(rates)}, {rates[0]:.3f} to {rates[-1]:.3f} bpp"

    def prefixes(self) -> str:
        """The prefix of each rate point decodes, and the last is the whole bitstream."""
        with at(self.encoder, self.spec.rates[-1]).use() as worker:
            fields = [self.encoder.ready.fields(rate) for rate in self.spec.rates]
            lengths = worker.prefixes(self.bitstream, fields)
        if lengths != sorted(set(lengths)) or lengths[-1] != len(self.bitstream):
            raise Violation(
                f"the prefixes are {lengths} bytes long, the bitstream {len(self.bitstream)}"
            )
        for rate, length in zip(self.spec.rates, lengths, strict=True):
            with at(self.decoder, rate).use() as worker:
                check_shape(worker.decode(self.bitstream[:length])[0], self.photograph)
        return ", ".join(map(str, lengths)) + " bytes"

    def answers_by_an_error(self, damaged: list[bytes]) -> str:
        """The decoder raises an exception: it gives no image, does not hang, does not crash."""
        remark = ""
        for data in damaged:
            failure = self.answer_to(data, f"{len(data)} bytes")
            if failure is None:
                raise Violation(f"{len(data)} bytes that are not a bitstream decode to an image")
            if failure.reason == Reason.EXCEPTION:
                remark = f"by {failure.lack}; a BitstreamError would say what is wrong"
        return remark

    def cut_bitstreams(self) -> str:
        """A bitstream that is cut short is an error, unless the codec is progressive."""
        whole = len(self.bitstream)
        lengths = {1, 4, 16, whole // 4, whole // 2, whole * 3 // 4, whole - 16, whole - 1}
        accepted = [
            length
            for length in sorted(length for length in lengths if 0 < length < whole)
            if self.answer_to(self.bitstream[:length], f"a bitstream cut to {length} bytes") is None
        ]
        if accepted and not self.spec.progressive:
            cuts = ", ".join(map(str, accepted))
            raise Violation(f"decodes although it is cut to {cuts} of {whole} bytes")
        return f"{len(accepted)} decode, as progressive codecs may" if accepted else ""

    def flipped_bits(self) -> str:
        """A bitstream with wrong bits is an error or an image, never a hang or a crash."""
        random = np.random.default_rng(3)
        decoded = 0
        for _ in range(8):
            data = np.frombuffer(self.bitstream, np.uint8).copy()
            positions = random.integers(0, len(data), 4)
            data[positions] ^= random.integers(1, 256, 4, dtype=np.uint8)
            decoded += self.answer_to(data.tobytes(), "a bitstream with flipped bits") is None
        return f"{decoded} of 8 decode" if decoded else ""

    def same_bytes_again(self) -> str:
        """The photograph gives the same bytes as the first time, in either process."""
        for resident in (self.encoder, self.decoder):
            with at(resident, self.spec.rates[-1]).use() as worker:
                if worker.encode(self.photograph)[0] != self.bitstream:
                    raise Violation("the same photograph encodes to different bytes")
        return ""

    def header(self) -> str:
        """The header is a part of the bitstream; the harness refuses another number."""
        with at(self.encoder, self.spec.rates[-1]).use() as worker:
            return f"{worker.header_bytes(self.bitstream)} of {len(self.bitstream)} bytes"

    def answer_to(self, data: bytes, what: str) -> WorkerFailure | None:
        """The exception with which the decoder answers ``data``; ``None`` if it decodes it.

        Raises:
            Violation: It hangs, ends its process or uses too much memory.
        """
        try:
            self.decode(data)
        except WorkerFailure as failure:
            if not failure.alive or failure.status == Status.OUT_OF_MEMORY:
                raise Violation(f"{what}: {failure}") from failure
            return None if failure.status == Status.WRONG_OUTPUT else failure
        return None

    def decode(self, bitstream: bytes) -> Image:
        """Decode in the decoder's process, at the highest rate point."""
        with at(self.decoder, self.spec.rates[-1]).use() as worker:
            return worker.decode(bitstream)[0]

    def random_bytes(self) -> list[bytes]:
        """Meaningless bytes of several lengths, one that of the photograph's bitstream."""
        random = np.random.default_rng(2)
        return [random.bytes(length) for length in (1, 16, 1000, max(1, len(self.bitstream)))]


def at(resident: ResidentCodec, rate: RateSpec) -> ResidentCodec:
    """The codec, set to load ``rate`` when it is next used."""
    resident.rate = rate
    return resident


def photograph() -> Image:
    """A colour photograph without symmetry, from scikit-image's wheel: 256 x 384."""
    import skimage.data

    whole: Image = skimage.data.astronaut()  # type: ignore[no-untyped-call]
    return np.ascontiguousarray(whole[:256, 64:448])


def special_images(image: Image) -> Iterator[tuple[str, Image]]:
    """Images that break codecs where photographs do not: 128 x 192."""
    part = np.ascontiguousarray(image[64:192, 64:256])
    gray = part.mean(axis=2, keepdims=True).astype(np.uint8)
    yield "gray photograph", np.repeat(gray, 3, axis=2)
    yield "all black", np.zeros_like(part)
    yield "all white", np.full_like(part, 255)
    yield "noise", np.random.default_rng(1).integers(0, 256, part.shape, np.uint8)


def check_shape(decoded: Image, image: Image) -> None:
    """Check height and width; the worker has checked dtype and channels.

    Raises:
        Violation: They differ.
    """
    if decoded.shape != image.shape:
        (h, w, _), (height, width, _) = decoded.shape, image.shape
        raise Violation(f"an image of {height} x {width} came back as {h} x {w}")


def mean_square(image: Image, other: Image) -> float:
    """Mean squared difference, in squares of 8-bit steps."""
    difference = image.astype(np.float32) - other
    return float(np.mean(difference**2))


def bpp(bitstream: bytes, image: Image) -> float:
    """Bits per pixel."""
    height, width, _ = image.shape
    return 8 * len(bitstream) / int(height * width)
