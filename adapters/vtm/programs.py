"""VTM's two programs and its configuration: where they are, their version, how to call them.

The programs are in the folder that ``HARNESS_VTM`` names, in its ``bin`` or, where it names none,
on the PATH. Building VTM leaves them in ``bin`` of its source, where ``cfg`` holds the
configurations.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.codec import Unavailable, find_program

VARIABLE = "HARNESS_VTM"
NAMES = {
    "Encoder": ("EncoderApp", "EncoderAppStatic"),
    "Decoder": ("DecoderApp", "DecoderAppStatic"),
}
BANNER = re.compile(r"VVCSoftware: VTM (Encoder|Decoder) Version (\S+)(.*)")
BANNER_SECONDS = 30


@dataclass(frozen=True)
class Vtm:
    """VTM as it was found.

    Attributes:
        encoder: The program.
        decoder: The program.
        configurations: The files for ``-c``, in the order given.
        version: Of both programs, as they state it, such as ``23.10``.
        build: How the encoder says it was built, and which SIMD instructions it uses.
    """

    encoder: Path
    decoder: Path
    configurations: tuple[Path, ...]
    version: str
    build: str

    @classmethod
    def find(cls, upstream: Path | None, version: str, configurations: Sequence[str]) -> Vtm:
        """VTM of that version.

        Args:
            upstream: Upstream's checkout, for its configurations, where there is one.
            version: Which version both programs must be.
            configurations: Names of files in VTM's ``cfg``, or absolute paths.

        Raises:
            Unavailable: A program or a configuration is missing, or of another version.
        """
        programs, builds = {}, {}
        for name, names in NAMES.items():
            path = find_program(names, VARIABLE)
            if path is None:
                raise Unavailable(
                    f"VTM's {names[0]} not found",
                    f"build VTM {version}, and name the folder that holds it in {VARIABLE}",
                )
            stated, builds[name] = read_banner(path)
            if stated != version:
                raise Unavailable(
                    f"{path} is VTM {stated}, not {version}",
                    f"name the folder of a VTM {version} in {VARIABLE}",
                )
            programs[name] = path
        found = tuple(find_configuration(n, programs["Encoder"], upstream) for n in configurations)
        return cls(programs["Encoder"], programs["Decoder"], found, version, builds["Encoder"])

    @property
    def configuration_digest(self) -> str:
        """The sha256 of the configurations' bytes, one after another."""
        return hashlib.sha256(b"".join(p.read_bytes() for p in self.configurations)).hexdigest()

    def encode(self, options: Mapping[str, Any], qp: int, height: int, width: int) -> list[str]:
        """The encoder's command line, from ``source.yuv`` to ``coded.bin``.

        It is that of the field's papers: one picture, all of it intra, at a fixed QP. What VTM
        would reconstruct is not written.

        Args:
            options: The codec's; see its manifest.
            qp: 0 to 63.
            height: Of the luma plane, even in 4:2:0.
            width: Likewise.
        """
        return [
            str(self.encoder),
            *(part for path in self.configurations for part in ("-c", str(path))),
            "-i", "source.yuv", "-b", "coded.bin", "-o", os.devnull,
            "-wdt", str(width), "-hgt", str(height), "-q", str(qp), "-fr", "1", "-f", "1",
            f"--InputBitDepth={options['depth']}",
            f"--InputChromaFormat={options['chroma'].replace(':', '')}",
            *options["arguments"],
        ]  # fmt: skip

    def decode(self, options: Mapping[str, Any]) -> list[str]:
        """The decoder's command line, from ``coded.bin`` to ``decoded.y4m``."""
        depth = str(options["output_depth"])
        return [str(self.decoder), "-b", "coded.bin", "-o", "decoded.y4m", "-d", depth]


def read_banner(path: Path) -> tuple[str, str]:
    """The version that a program states when it is started without arguments, and its build.

    Raises:
        Unavailable: It cannot be started, or states none.
    """
    try:
        printed = subprocess.run(
            [str(path)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=BANNER_SECONDS,
        ).stdout.decode(errors="replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{path} does not run: {error}", "build VTM on this machine") from error
    found = BANNER.search(printed)
    if found is None:
        raise Unavailable(f"{path} does not state a version of VTM", f"check {VARIABLE} and PATH")
    return found[2], " ".join(found[3].replace("][", "] [").split())


def find_configuration(name: str, encoder: Path, upstream: Path | None) -> Path:
    """Where a configuration is: as named, beside the encoder, or in VTM's ``cfg``.

    Raises:
        Unavailable: It is nowhere.
    """
    chosen = os.environ.get(VARIABLE)
    roots = [Path(chosen).expanduser()] if chosen else []
    roots += [encoder.resolve().parent, encoder.resolve().parent.parent]
    roots += [upstream] if upstream else []
    places = [Path(name), *(root / folder / name for root in roots for folder in ("", "cfg"))]
    for place in places:
        if place.is_absolute() and place.is_file():
            return place
    raise Unavailable(
        f"VTM's configuration {name} not found",
        f"put its cfg folder into the folder that {VARIABLE} names, "
        "or run 'harness upstream fetch vtm'",
    )
