"""Everything that a training needs to continue, in one safetensors file.

One file, so that it is whole or not there; tensors and text only, so that reading it runs no
code. The checkpoint for use, without optimizers, is a file of its own: see :mod:`.checkpoint`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer

from harness.errors import HarnessError

from .config import Config
from .trainer import Trainer

FORMAT = "progic-training-1"
_AFRESH = "train into another folder, or delete the file to begin again"


def save_state(path: Path, trainer: Trainer, step: int, config: Config, data: str) -> None:
    """Write the state after ``step`` steps, first under another name.

    Args:
        path: Of the file.
        trainer: Whose state to write.
        step: How many steps were done.
        config: Of the training.
        data: Digest of the images.
    """
    tensors: dict[str, Tensor] = {}
    for name, module in _modules(trainer).items():
        tensors |= {f"{name}/{key}": value for key, value in module.state_dict().items()}
    for name, optimizer in _optimizers(trainer).items():
        for number, values in optimizer.state_dict()["state"].items():
            tensors |= {f"{name}/{number}/{key}": value for key, value in values.items()}
    metadata = {
        "format": FORMAT,
        "step": str(step),
        "data": data,
        "config": json.dumps(config.as_dict()),
        "scaler": json.dumps(trainer.scaler.state_dict()),
    }
    partial = path.with_name(path.name + ".partial")
    save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, partial, metadata)
    partial.replace(path)


def load_state(path: Path, trainer: Trainer, config: Config, data: str) -> int:
    """Put a trainer where :func:`save_state` found it.

    Returns:
        How many steps were done.

    Raises:
        HarnessError: The file is damaged, or of a training with other settings or images.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise HarnessError(f"{path} cannot be read: {error}", _AFRESH) from error
    if metadata.get("format") != FORMAT:
        raise HarnessError(f"{path} is not the state of a ProGIC training", _AFRESH)
    if different := config.differences(json.loads(metadata["config"])):
        raise HarnessError(f"{path} is of a training with {', '.join(different)}", _AFRESH)
    if metadata["data"] != data:
        raise HarnessError(f"{path} is of a training on other images", _AFRESH)
    try:
        for name, module in _modules(trainer).items():
            module.load_state_dict(_under(name, tensors))
        for name, optimizer in _optimizers(trainer).items():
            _fill(optimizer, _under(name, tensors))
        trainer.scaler.load_state_dict(json.loads(metadata["scaler"]))
    except (KeyError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise HarnessError(f"{path} does not fit its own settings: {reason}", _AFRESH) from error
    return int(metadata["step"])


def _modules(trainer: Trainer) -> dict[str, torch.nn.Module]:
    return {
        "network": trainer.network,
        "discriminator": trainer.discriminator,
        "codebooks": trainer.codebooks,
    }


def _optimizers(trainer: Trainer) -> dict[str, Optimizer]:
    return {
        "optimizer": trainer.optimizer,
        "discriminator_optimizer": trainer.discriminator_optimizer,
    }


def _under(name: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(f"{name}/"): v for k, v in tensors.items() if k.startswith(f"{name}/")}


def _fill(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        number, _, key = name.partition("/")
        state.setdefault(int(number), {})[key] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
