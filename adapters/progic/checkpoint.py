"""Checkpoints: safetensors files whose metadata says what they are; loading runs no code.

Parameters stand there in single or in half precision; a network is always made of the former.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from harness.codec import Unavailable
from harness.codec.checkpoint import REMEDY, reason

from .network import Network
from .presets import Settings

FORMAT = "progic-1"


@dataclass(frozen=True)
class Checkpoint:
    """A network that was read from a file.

    Attributes:
        network: In evaluation mode, on the CPU.
        sha256: Of its weights, see :func:`weights_sha256`.
        metadata: All that the file says of itself, such as ``step``, ``data`` and ``revision``.
    """

    network: Network
    sha256: str
    metadata: Mapping[str, str]


def weights_sha256(network: Network) -> str:
    """sha256, in hexadecimal, over the names, types, shapes and values of all tensors."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
        digest.update(values.numpy().data)
    return digest.hexdigest()


def load_checkpoint(path: Path) -> Checkpoint:
    """Read what ``tools/save.py`` wrote.

    Raises:
        Unavailable: The file is not a ProGIC checkpoint, does not fit its own settings, or its
            weights are not those whose sha256 it states.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
            tensors: dict[str, Tensor] = {
                name: _single(file.get_tensor(name))
                for name in file.keys()  # noqa: SIM118
            }
    except (OSError, SafetensorError) as error:
        raise Unavailable(f"checkpoint {path} cannot be read: {error}", REMEDY) from error
    if metadata.get("format") != FORMAT:
        found = metadata.get("format", "no format")
        raise Unavailable(
            f"{path} states {found}, where a ProGIC checkpoint states {FORMAT}",
            "name a checkpoint of ProGIC",
        )
    try:
        settings = Settings(**json.loads(metadata["settings"]))
        with torch.device("meta"):
            network = Network(settings).eval()
        network.load_state_dict(tensors, assign=True)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        problem = f"checkpoint {path} does not fit its own settings: {reason(error)}"
        raise Unavailable(problem, REMEDY) from error
    sha256 = weights_sha256(network)
    if sha256 != metadata.get("sha256"):
        raise Unavailable(f"checkpoint {path} is damaged: its sha256 does not agree", REMEDY)
    return Checkpoint(network, sha256, metadata)


def _single(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype == torch.float16 else tensor
