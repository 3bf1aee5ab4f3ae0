"""Checkpoints: safetensors files whose metadata says what they are; loading runs no code.

Parameters stand there in single or in half precision; a network is always made of the former.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from harness.codec import Unavailable
from harness.codec.checkpoint import REMEDY, reason

from .network import Network
from .presets import Settings, preset_name

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


def round_to_half(network: Network) -> Network:
    """A copy in single precision whose parameters are those that half precision can hold.

    Raises:
        ValueError: A parameter is out of half precision's range, 65504.
    """
    rounded = copy.deepcopy(network)
    with torch.no_grad():
        for name, parameter in rounded.named_parameters():
            parameter.copy_(parameter.half())
            if not parameter.isfinite().all():
                raise ValueError(f"{name} has values that half precision cannot hold")
    return rounded


def save_checkpoint(
    path: Path, network: Network, metadata: Mapping[str, str], *, half: bool = False
) -> str:
    """Write a network, first under another name, so that a file is always whole.

    Args:
        path: Of the file; conventionally ``<preset>.safetensors``.
        network: Its parameters and buffers are written.
        metadata: What else to tell: ``step``, ``data``, ``revision``.
        half: Write the parameters in half precision.

    Returns:
        The sha256 of the weights as they will be loaded, which also stands in the metadata.
    """
    if half:
        network = round_to_half(network)
    sha256 = weights_sha256(network)
    facts = {
        **metadata,
        "format": FORMAT,
        "preset": preset_name(network.settings),
        "settings": json.dumps(asdict(network.settings)),
        "sha256": sha256,
    }
    tensors = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    if half:
        tensors |= {name: tensors[name].half() for name, _ in network.named_parameters()}
    partial = path.with_name(path.name + ".partial")
    save_file(tensors, partial, metadata=facts)
    partial.replace(path)
    return sha256


def load_checkpoint(path: Path) -> Checkpoint:
    """Read what :func:`save_checkpoint` wrote.

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
