"""VTM, the reference software of H.266/VVC, as two programs."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.codec import (
    BitstreamError,
    CallReport,
    Codec,
    CodecError,
    Image,
    RatePoint,
    SelfTimed,
    UnsupportedImage,
    WithHeader,
    program,
)
from harness.codec.containers import vvc_header

from .bitstream import Header
from .colour import Conversion
from .programs import Vtm
from .yuv import raw, read_y4m

INTERNAL_DEPTH = 10  # of VTM's intra configuration, and the most that its decoder then writes


class VtmIntra(Codec, SelfTimed, WithHeader):
    """One intra picture a bitstream, after a byte that states the conversion and the parity.

    Colour conversion is not timed: times and memory are those of VTM's programs alone.
    """

    def __init__(self, options: Mapping[str, Any], device: str) -> None:
        super().__init__(options, device)
        self.report = CallReport(0.0)

    def load(self, rate: RatePoint) -> None:
        """Find VTM, and see that it is the version that the options name.

        Raises:
            Unavailable: A program or the configuration is missing, or of another version.
            CodecError: An option has a value that it cannot have.
        """
        super().load(rate)
        try:
            self.conversion = Conversion.of(self.options)
        except ValueError as error:
            raise CodecError(f"option {error}") from error
        if not self.conversion.depth <= self.options["output_depth"] <= INTERNAL_DEPTH:
            raise CodecError(
                f"option output_depth = {self.options['output_depth']} is not between depth = "
                f"{self.conversion.depth} and {INTERNAL_DEPTH}"
            )
        self.vtm = Vtm.find(rate.upstream, self.options["version"], self.options["configurations"])

    def facts(self) -> Mapping[str, str | int | float | bool]:
        """VTM's version, build and configuration, and the colour conversion in full."""
        return {
            "version": self.vtm.version,
            "build": self.vtm.build,
            "configuration": " ".join(path.name for path in self.vtm.configurations),
            "configuration_sha256": self.vtm.configuration_digest,
            **vars(self.conversion),
            "output_depth": self.options["output_depth"],
        }

    def encode(self, image: Image) -> bytes:
        """An image of any size; in 4:2:0 the last row or column of an odd side is coded twice.

        Raises:
            UnsupportedImage: VTM refuses it.
            ProgramKilled: A signal ended VTM's encoder.
            CodecError: The encoder ended well and wrote nothing.
        """
        unit = 2 if self.conversion.chroma == "4:2:0" else 1
        header = Header(-image.shape[0] % unit, -image.shape[1] % unit)
        padded = np.pad(image, ((0, header.rows), (0, header.columns), (0, 0)), mode="edge")
        height, width, _ = padded.shape
        planes = self.conversion.from_rgb(padded)
        with tempfile.TemporaryDirectory(prefix="vtm-") as name:
            folder = Path(name)
            (folder / "source.yuv").write_bytes(raw(planes, self.conversion.depth))
            qp = self.rate.options["qp"]
            ended = self._run(self.vtm.encode(self.options, qp, height, width), folder)
            coded = folder / "coded.bin"
            ended.check_alive()
            if ended.exit_code != 0:
                raise UnsupportedImage(f"VTM's encoder {ended}")
            if not (coded.is_file() and coded.stat().st_size):
                raise CodecError(f"VTM's encoder ended well and wrote nothing: {ended}")
            return header.pack(self.conversion) + coded.read_bytes()

    def decode(self, bitstream: bytes) -> Image:
        """The image that :meth:`encode` was given, at its true size.

        Raises:
            BitstreamError: The first byte is of another conversion, or VTM decodes no picture.
            ProgramKilled: SIGKILL ended VTM's decoder. Other signals are its answer to bytes that
                it cannot decode.
        """
        header = Header.read(bitstream, self.conversion)
        with tempfile.TemporaryDirectory(prefix="vtm-") as name:
            folder = Path(name)
            (folder / "coded.bin").write_bytes(bitstream[1:])
            ended = self._run(self.vtm.decode(self.options), folder)
            if ended.signal == "SIGKILL":
                ended.check_alive()
            decoded = folder / "decoded.y4m"
            if ended.exit_code != 0 or not decoded.is_file():
                raise BitstreamError(f"VTM's decoder {ended}")
            depth = self.options["output_depth"]
            planes = read_y4m(decoded.read_bytes(), self.conversion.chroma, depth)
        image = self.conversion.to_rgb(planes, depth)
        height, width, _ = image.shape
        return np.ascontiguousarray(image[: height - header.rows, : width - header.columns])

    def header_bytes(self, bitstream: bytes) -> int:
        """This adapter's byte, and all of VTM's bitstream but the slices."""
        return 1 + vvc_header(bitstream[1:])

    def last_call(self) -> CallReport:
        """The time and peak memory of the program that ran last."""
        return self.report

    def _run(self, command: list[str], folder: Path) -> program.Ended:
        ended = program.run(command, folder)
        self.report = CallReport(ended.ms, ended.peak_rss_bytes)
        return ended
