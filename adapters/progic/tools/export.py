"""Export to TorchScript and ONNX: encoder and decoder in a file each.

``NAME.encoder.pt`` and ``NAME.decoder.pt``, or ``.onnx``, take and give what
:class:`..network.Encoder` and :class:`..network.Decoder` do. Any image size and any number of
stages goes through one file; the ONNX form takes one image a call. Each file says in its
metadata which network it came from.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from harness.codec import WeightsMode

from ..checkpoint import weights_sha256
from ..exported import METADATA_KEY, PARTS, SUFFIXES, Form, Origin
from ..network import CPU_BAND, Network


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
        torch.jit.save(scripted, path, _extra_files={METADATA_KEY: origin.to_json()})


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
        program.model.metadata_props[METADATA_KEY] = origin.to_json()
        program.save(path, external_data=False)
