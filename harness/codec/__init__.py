"""The contract between the harness and a codec.

An adapter is a folder with a manifest (``codec.toml``) and a module that defines one
:class:`Codec`. The harness runs it in a child process and never imports it into its own, so
this module, like everything an adapter's process loads from the harness, needs nothing beyond
the standard library and numpy.
"""

from __future__ import annotations

import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:  # listing codecs must not wait for numpy
    import numpy as np
    import numpy.typing as npt

Image: TypeAlias = "npt.NDArray[np.uint8]"
"""An 8-bit RGB image: uint8, H x W x 3, C-contiguous, sRGB."""

WeightsMode = Literal["pretrained", "random", "none"]


@dataclass(frozen=True)
class RatePoint:
    """One operating point of a codec, as its manifest states it.

    Attributes:
        id: The rate point's name, unique within its codec, such as ``q50``.
        options: The manifest's options of this rate point.
        weights: ``pretrained``, ``random`` (seeded, for plumbing and speed) or ``none`` for a
            codec without a network.
        files: Where the weights files that this rate point needs are on this machine, by file
            name. A checkpoint named on the command line stands under ``checkpoint``.
        upstream: The pinned checkout of the authors' repository, for a codec whose manifest has
            ``[upstream]``. It is read-only.
    """

    id: str
    options: Mapping[str, Any] = field(default_factory=dict)
    weights: WeightsMode = "none"
    files: Mapping[str, Path] = field(default_factory=dict)
    upstream: Path | None = None


class CodecError(Exception):
    """A codec refuses its input and says why; the harness records the message.

    Args:
        problem: What is wrong, naming the thing: ``weights model.ckpt not found``.
        remedy: What to do about it: ``run 'harness weights fetch control-gic'``. Empty where
            there is nothing to do.
    """

    def __init__(self, problem: str = "", remedy: str = "") -> None:
        super().__init__(f"{problem}; {remedy}" if remedy else problem)
        self.problem = problem
        self.remedy = remedy


class BitstreamError(CodecError):
    """The bytes are not a bitstream of this codec: truncated, corrupt, or of another version."""


class UnsupportedImage(CodecError):
    """The codec cannot code an image of this size or content."""


class Unavailable(CodecError):
    """Something that the codec needs is missing."""


class ProgramKilled(CodecError):
    """A signal ended a program that the codec runs: it crashed, or somebody killed it.

    Args:
        program: The program, by name or path.
        signal: The signal's name, such as ``SIGSEGV``.
        out_of_memory: Whether the kernel killed it because memory ran out.
        printed: The last that it printed.
    """

    def __init__(
        self, program: str, signal: str, *, out_of_memory: bool = False, printed: str = ""
    ) -> None:
        cause = "the kernel, out of memory" if out_of_memory else signal
        super().__init__(f"{program} was ended by {cause}{': ' if printed else ''}{printed}")
        self.signal = signal
        self.out_of_memory = out_of_memory


class Codec(ABC):
    """Anything with ``encode(image) -> bytes`` and ``decode(bytes) -> image``.

    The encoder and the decoder run in two different processes: whatever the decoder needs
    (size, padding, side information) must be in the bytes, and is paid for.
    """

    def __init__(self, options: Mapping[str, Any], device: str) -> None:
        """Keep ``options`` (the manifest's, with the variant's) and ``device``; load nothing.

        Args:
            options: The codec-wide options of the manifest.
            device: ``cpu``, ``cuda`` or ``cuda:N``.
        """
        self.options = options
        self.device = device

    def load(self, rate: RatePoint) -> None:
        """Get ready for ``rate``. Called before the first image of a batch; may be called again.

        Raises:
            Unavailable: Something that this rate point needs is missing.
        """
        self.rate = rate

    def facts(self) -> Mapping[str, str | int | float | bool]:
        """What else a record should say about the loaded codec, such as its version.

        Called after :meth:`load`. Facts are recorded, not compared: what decides the numbers
        belongs in the manifest's options.
        """
        return {}

    @abstractmethod
    def encode(self, image: Image) -> bytes:
        """Code one image: uint8, H x W x 3, RGB, any H and W of at least 1.

        Raises:
            UnsupportedImage: The codec cannot code such an image.
        """

    @abstractmethod
    def decode(self, bitstream: bytes) -> Image:
        """Decode what :meth:`encode` returned: uint8, H x W x 3, RGB, the same H and W.

        Raises:
            BitstreamError: The bytes are not a bitstream of this codec.
        """


class Progressive(ABC):
    """The capability of coding all rate points into one bitstream, as its prefixes.

    The harness then encodes an image once, at the last rate point of the manifest, and cuts
    the bitstreams of the others out of it.
    """

    @abstractmethod
    def prefix_length(self, bitstream: bytes, rate: RatePoint) -> int:
        """How many of the leading bytes of ``bitstream`` are the bitstream of ``rate``."""


@dataclass(frozen=True)
class Profile:
    """The size and cost of a network at one resolution.

    Attributes:
        parameters: Number of parameters, encoder and decoder together.
        flops: Operations to encode and decode one image, 1 FLOP = 2 MACs, as calflops counts.
        flops_torch: The same by ``torch.utils.flop_counter``.
    """

    parameters: int
    flops: int | None = None
    flops_torch: int | None = None


class Profiled(ABC):
    """The capability of counting one's own parameters and operations."""

    @abstractmethod
    def profile(self, height: int, width: int) -> Profile:
        """The profile for an image of ``height`` x ``width`` pixels, after :meth:`Codec.load`."""


@dataclass(frozen=True)
class CallReport:
    """What a codec that is an external program measured during its last call.

    Attributes:
        ms: Wall time in milliseconds.
        peak_rss_bytes: The program's peak resident memory, when known.
    """

    ms: float
    peak_rss_bytes: int | None = None


class WithHeader(ABC):
    """The capability of telling a bitstream's coded data from what stands around it."""

    @abstractmethod
    def header_bytes(self, bitstream: bytes) -> int:
        """Bytes of ``bitstream`` outside its coded data: signature, header, container, metadata.

        At least 0, at most its length.
        """


class SelfTimed(ABC):
    """The capability of timing one's own work, for a codec that runs other programs."""

    @abstractmethod
    def last_call(self) -> CallReport:
        """The measurement of the last :meth:`Codec.encode` or :meth:`Codec.decode`."""


def thread_count() -> int:
    """How many threads the codec is to use, as the user asked (``--threads``)."""
    return int(os.environ.get("HARNESS_THREADS") or len(os.sched_getaffinity(0)))


def find_program(names: Sequence[str], variable: str = "") -> Path | None:
    """The first of ``names`` that is a program, or ``None``.

    Args:
        names: The names that it may have.
        variable: The environment variable in which users may name its folder. Where it is set, the
            program must be there or in its ``bin``; otherwise on the PATH.
    """
    chosen = Path(os.environ[variable]).expanduser() if os.environ.get(variable) else None
    path = f"{chosen}{os.pathsep}{chosen / 'bin'}" if chosen else None
    found = next(filter(None, (shutil.which(name, path=path) for name in names)), None)
    return Path(found).absolute() if found else None
