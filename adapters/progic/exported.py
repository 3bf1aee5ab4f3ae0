"""What an exported file says of itself: which network it came from.

``NAME.encoder.pt`` and ``NAME.decoder.pt``, or ``.onnx``, take and give what
:class:`.network.Encoder` and :class:`.network.Decoder` do; ``tools/export.py`` writes them.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from harness.codec import Unavailable, WeightsMode
from harness.codec.checkpoint import reason

from .presets import Settings

Form = Literal["torchscript", "onnx"]
SUFFIXES: dict[Form, str] = {"torchscript": ".pt", "onnx": ".onnx"}
PARTS = ("encoder", "decoder")
METADATA_KEY = "progic.json"
"""Under which a file's metadata holds its origin."""


@dataclass(frozen=True)
class Origin:
    """The network that a file was exported from.

    Attributes:
        settings: Of the network.
        sha256: Of its weights, in hexadecimal.
        weights: ``pretrained``, or ``random`` when the weights are not those of a checkpoint.
    """

    settings: Settings
    sha256: str
    weights: WeightsMode

    def to_json(self) -> str:
        """The metadata from which :func:`read_origin` makes it again."""
        return json.dumps(asdict(self))


def is_exported(path: Path) -> bool:
    """Whether a file's name is that of an exported form."""
    return path.suffix in SUFFIXES.values()


def part_paths(path: Path) -> dict[str, Path]:
    """The files of both parts, given either.

    Raises:
        Unavailable: The name is not as they are exported.
    """
    name, _, part = path.stem.rpartition(".")
    if not name or part not in PARTS:
        raise Unavailable(
            f"{path.name} does not say which half of the network it is",
            f"name it NAME.encoder{path.suffix} or NAME.decoder{path.suffix}",
        )
    return {part: path.with_name(f"{name}.{part}{path.suffix}") for part in PARTS}


def read_origin(path: Path) -> Origin:
    """Which network a file was exported from.

    Raises:
        Unavailable: The file is missing, or is not an exported ProGIC.
    """
    try:
        if path.suffix == SUFFIXES["onnx"]:
            import onnx

            properties = onnx.load(path, load_external_data=False).metadata_props
            text = next(p.value for p in properties if p.key == METADATA_KEY)
        else:
            text = _torchscript_metadata(path)
        fields = json.loads(text)
        return Origin(Settings(**fields["settings"]), fields["sha256"], fields["weights"])
    except Exception as error:
        problem = f"{path} is not an exported ProGIC ({reason(error)})"
        raise Unavailable(problem, "export it again, see docs/progic.md") from error


def _torchscript_metadata(path: Path) -> str:
    import zipfile

    with zipfile.ZipFile(path) as archive:
        name = next(n for n in archive.namelist() if n.endswith(f"/extra/{METADATA_KEY}"))
        return archive.read(name).decode()
