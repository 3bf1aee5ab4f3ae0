"""Export to TorchScript and ONNX: encoder and decoder in a file each.

``NAME.encoder.pt`` and ``NAME.decoder.pt``, or ``.onnx``, take and give what
:class:`.network.Encoder` and :class:`.network.Decoder` do. Any image size and any number of
stages goes through one file; the ONNX form takes one image a call. Each file says in its
metadata which network it came from.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from harness.codec import Unavailable, WeightsMode
from harness.codec.checkpoint import reason

from .checkpoint import weights_sha256
from .network import CPU_BAND, Network
from .presets import Settings

Form = Literal["torchscript", "onnx"]
SUFFIXES: dict[Form, str] = {"torchscript": ".pt", "onnx": ".onnx"}
PARTS = ("encoder", "decoder")

_KEY = "progic.json"


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
        """What :func:`read_origin` reads."""
        return json.dumps(asdict(self))


def is_exported(path: Path) -> bool:
    """Whether a file's name is that of an exported form."""
    return path.suffix in SUFFIXES.values()


def part_paths(path: Path) -> dict[str, Path]:
    """The files of both parts, given either.

    Raises:
        Unavailable: The name is not as :func:`export` writes it.
    """
    name, _, part = path.stem.rpartition(".")
    if not name or part not in PARTS:
        raise Unavailable(
            f"{path.name} does not say which half of the network it is",
            f"name it NAME.encoder{path.suffix} or NAME.decoder{path.suffix}",
        )
    return {part: path.with_name(f"{name}.{part}{path.suffix}") for part in PARTS}


def export(
    network: Network, form: Form, folder: Path, name: str, weights: WeightsMode
) -> list[Path]:
    """Write the encoder and the decoder of a network.

    Args:
        network: On the CPU, in single precision.
        form: ``torchscript`` or ``onnx``; the latter needs the packages onnx and onnxscript.
        folder: Where to write; made when missing.
        name: What the files' names begin with.
        weights: Whether the weights are trained; a measurement must know.

    Returns:
        The two files.
    """
    origin = Origin(network.settings, weights_sha256(network), weights)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.{part}{SUFFIXES[form]}" for part in PARTS]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore", FutureWarning)  # TorchScript is what phones run
        warnings.simplefilter("ignore", DeprecationWarning)
        if form == "torchscript":
            _write_torchscript(network, paths, origin)
        else:
            _write_onnx(network, paths, origin)
    return paths


def _write_torchscript(network: Network, paths: list[Path], origin: Origin) -> None:
    network.set_band(CPU_BAND)
    for module, path in zip((network.encoder(), network.decoder()), paths, strict=True):
        scripted = torch.jit.freeze(torch.jit.script(module.eval()))
        torch.jit.save(scripted, path, _extra_files={_KEY: origin.to_json()})


def _write_onnx(network: Network, paths: list[Path], origin: Origin) -> None:
    network.set_band(0)
    settings = network.settings
    pixels = torch.zeros(1, 2 * settings.factor, 3 * settings.factor, 3, dtype=torch.uint8)
    indices = torch.zeros(1, settings.stages, 2, 3, dtype=torch.int64)
    parts: list[tuple[nn.Module, Tensor, list[int]]] = [
        (network.encoder(), pixels, [1, 2]),
        (network.decoder(), indices, [1, 2, 3]),
    ]
    for (module, example, free_axes), path in zip(parts, paths, strict=True):
        sizes = dict.fromkeys(free_axes, torch.export.Dim.AUTO)
        program = torch.onnx.export(
            module.eval(), (example,), dynamo=True, dynamic_shapes=(sizes,), verbose=False
        )
        assert program is not None  # noqa: S101 - with dynamo it always returns one
        program.model.metadata_props[_KEY] = origin.to_json()
        program.save(path, external_data=False)


def read_origin(path: Path) -> Origin:
    """Which network a file was exported from.

    Raises:
        Unavailable: The file is missing, or no export of ProGIC.
    """
    try:
        if path.suffix == SUFFIXES["onnx"]:
            import onnx

            properties = onnx.load(path, load_external_data=False).metadata_props
            text = next(p.value for p in properties if p.key == _KEY)
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
        name = next(n for n in archive.namelist() if n.endswith(f"/extra/{_KEY}"))
        return archive.read(name).decode()
