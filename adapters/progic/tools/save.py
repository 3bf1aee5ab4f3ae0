"""Writing checkpoints, in single or in half precision."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_file

from ..checkpoint import FORMAT, weights_sha256
from ..network import Network
from ..presets import preset_name


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
        metadata: What else to state: ``step``, ``data``, ``revision``.
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
