"""Any pair of command lines as a codec, by a manifest alone.

The manifest's ``[external]`` table holds the command lines of the encoder and the decoder::

    [external]
    encode = ["cjxl", "{input}", "{output}", "-q", "{quality}"]
    decode = ["djxl", "{input}", "{output}"]
    image_format = "png"                     # of encode's input and decode's output; or "ppm"
    extension = ".jxl"                       # of the bitstream's file
    encode_ms = '(?P<ms>[0-9.]+) ms'         # optional: the program's own time in its output

``{input}`` and ``{output}`` are files in an empty temporary folder, in which the programs run;
``{threads}`` is how many threads the user allows and ``{folder}`` the adapter's folder. Any other
placeholder is an option of the manifest or of the rate point. A literal brace is written twice.
"""

from __future__ import annotations

import os
import re
import string
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.codec import (
    CallReport,
    Codec,
    CodecError,
    Image,
    RatePoint,
    SelfTimed,
    program,
    thread_count,
)

VERSION = 1
"""Raised when the files that the programs are given, or how theirs are read, change.

Part of the identity of every case of a codec that is two command lines.
"""

PPM_HEADER = re.compile(rb"P6(?:\s+|\s*#[^\n]*\n\s*)(\d+)\s+(\d+)\s+255\s")


@dataclass(frozen=True)
class Program:
    """One of the two command lines: its arguments, and where its own time stands in its output."""

    name: str
    arguments: tuple[str, ...]
    own_time: re.Pattern[str] | None

    @classmethod
    def of(cls, table: Mapping[str, Any], name: str, known: Mapping[str, Any]) -> Program:
        """The program ``encode`` or ``decode`` of the ``[external]`` table.

        Raises:
            CodecError: A placeholder is not in ``known``, ``{input}`` or ``{output}`` is missing,
                or the pattern is wrong.
        """
        arguments = tuple(table[name])
        used = {field for argument in arguments for field in placeholders(argument)}
        for field in sorted(used - {"input", "output", *known}):
            names = ", ".join(sorted(known))
            raise CodecError(
                f"[external] {name}: unknown placeholder '{{{field}}}'", f"known: {names}"
            )
        for field in ("input", "output"):
            if field not in used:
                raise CodecError(f"[external] {name}: the placeholder '{{{field}}}' is missing")
        return cls(name, arguments, own_time_pattern(table, f"{name}_ms"))

    def run(self, folder: Path, values: Mapping[str, Any]) -> tuple[bytes, CallReport]:
        """Run the program in ``folder`` with the placeholders' ``values``.

        Returns:
            What it wrote to ``{output}``, and its time and memory.

        Raises:
            Unavailable: It could not be started.
            ProgramKilled: A signal ended it.
            CodecError: It failed, wrote nothing or did not print its time; with the last lines
                that it printed.
        """
        command = [argument.format_map(values) for argument in self.arguments]
        ended = program.run(command, folder)
        ended.check_alive()
        if ended.exit_code != 0:
            raise CodecError(f"{command[0]} {ended}")
        written = Path(values["output"])
        if not (written.is_file() and written.stat().st_size):
            raise CodecError(f"{command[0]} ended well but wrote nothing to {written.name}")
        report = CallReport(self.time_of(ended.output, ended.ms), ended.peak_rss_bytes)
        return written.read_bytes(), report

    def time_of(self, output: str, process_ms: float) -> float:
        """The program's own time in ms, if the manifest says where it stands, else its wall time.

        Raises:
            CodecError: The pattern is nowhere in the output.
        """
        if self.own_time is None:
            return process_ms
        found = self.own_time.search(output)
        if found is None:
            printed = program.last_lines(output)
            raise CodecError(f"[external] {self.name}_ms matches nothing in: {printed}")
        groups = found.groupdict()
        return float(groups["ms"]) if "ms" in groups else float(groups["s"]) * 1e3


class External(Codec, SelfTimed):
    """A codec that is two programs; the times and memory reported are those of the programs."""

    def __init__(self, options: Mapping[str, Any], device: str) -> None:
        super().__init__(options, device)
        self.table: Mapping[str, Any] = options["external"]
        self.report = CallReport(0.0)

    def load(self, rate: RatePoint) -> None:
        """Put the options in place of the placeholders.

        Raises:
            CodecError: A command line has a placeholder that no option fills.
        """
        super().load(rate)
        self.values = {
            **{name: value for name, value in self.options.items() if name != "external"},
            **rate.options,
            "threads": thread_count(),
            "folder": os.environ.get("HARNESS_ADAPTER", "."),
        }
        self.encoder = Program.of(self.table, "encode", self.values)
        self.decoder = Program.of(self.table, "decode", self.values)

    def encode(self, image: Image) -> bytes:
        """The bytes of the file that the encoder wrote.

        Raises:
            CodecError: The encoder failed or wrote nothing.
        """
        with tempfile.TemporaryDirectory(prefix="external-") as name:
            source, bitstream = self.paths(Path(name))
            write_image(source, image)
            values = {**self.values, "input": source, "output": bitstream}
            coded, self.report = self.encoder.run(Path(name), values)
        return coded

    def decode(self, bitstream: bytes) -> Image:
        """The image that the decoder wrote: uint8, H x W x 3, RGB.

        Raises:
            CodecError: The decoder failed, or its image cannot be read.
        """
        with tempfile.TemporaryDirectory(prefix="external-") as name:
            target, coded = self.paths(Path(name))
            coded.write_bytes(bitstream)
            values = {**self.values, "input": coded, "output": target}
            decoded, self.report = self.decoder.run(Path(name), values)
        return read_image(decoded, target.suffix)

    def last_call(self) -> CallReport:
        """The time and peak memory of the program that ran last."""
        return self.report

    def paths(self, folder: Path) -> tuple[Path, Path]:
        """Where the image and the bitstream are in ``folder``."""
        image_format, extension = self.table["image_format"], self.table["extension"]
        return folder / f"image.{image_format}", folder / f"bitstream{extension}"


def placeholders(argument: str) -> set[str]:
    """The names in braces in one argument of a command line.

    Raises:
        CodecError: The braces do not pair.
    """
    try:
        return {field for _, field, _, _ in string.Formatter().parse(argument) if field is not None}
    except ValueError as error:
        raise CodecError(f"[external] argument {argument!r}: {error}") from error


def own_time_pattern(table: Mapping[str, Any], key: str) -> re.Pattern[str] | None:
    """The regular expression of ``encode_ms`` or ``decode_ms``, when there is one.

    Raises:
        CodecError: It is not a regular expression, or has no group named ``ms`` or ``s``.
    """
    if not table.get(key):
        return None
    try:
        pattern = re.compile(table[key])
    except re.error as error:
        raise CodecError(f"[external] {key}: {error}") from error
    if not {"ms", "s"} & set(pattern.groupindex):
        raise CodecError(
            f"[external] {key}: needs a group named 'ms' or 's'", "write it as (?P<ms>[0-9.]+)"
        )
    return pattern


def write_image(path: Path, image: Image) -> None:
    """Write ``image`` as PNG or binary PPM, as the file's suffix says."""
    if path.suffix == ".ppm":
        height, width, _ = image.shape
        path.write_bytes(b"P6\n%d %d\n255\n" % (width, height) + image.tobytes())
        return
    from PIL import Image as Pillow

    Pillow.fromarray(image).save(path, "PNG", compress_level=1)


def read_image(data: bytes, suffix: str) -> Image:
    """Read a PNG or a binary PPM of 8 bits a sample; gray becomes RGB.

    Raises:
        CodecError: It is neither, cut short, or of another depth.
    """
    if suffix == ".ppm":
        return read_ppm(data)
    import io

    from PIL import Image as Pillow

    try:
        with Pillow.open(io.BytesIO(data), formats=["PNG"]) as picture:
            if picture.mode not in ("RGB", "L", "P", "1"):
                raise CodecError(f"the decoder wrote a PNG of mode {picture.mode}, not 8-bit RGB")
            return np.array(picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise CodecError(f"the decoder did not write a whole PNG: {error}") from error


def read_ppm(data: bytes) -> Image:
    """Read a binary PPM (``P6``) of 8 bits a sample.

    Raises:
        CodecError: It is another format, or its length is not what its header says.
    """
    header = PPM_HEADER.match(data)
    if header is None:
        raise CodecError("the decoder did not write a binary PPM (P6) of 8 bits a sample")
    width, height = int(header[1]), int(header[2])
    if len(data) - header.end() != height * width * 3:
        raise CodecError(f"the decoder wrote a PPM of {len(data)} bytes for {height} x {width}")
    samples = np.frombuffer(data, np.uint8, offset=header.end())
    return samples.reshape(height, width, 3).copy()
