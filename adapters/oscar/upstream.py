"""Upstream's network, and what has to be different while it is imported and built."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from harness.codec import Unavailable
from harness.codec.checkpoint import read, reading, reason

from . import stable_diffusion

LORA_RANK = 16
HYPER_DIM = 320
ADAPTERS = ["default_encoder", "default_decoder", "default_others"]
TITLE = "OSCAR"
PARTS = ("state_dict_unet", "hyper_encoders", "embeddings")
"""What upstream takes out of its checkpoint."""
COMMON_NAMES = ("diffusion", "models", "utils")
"""Upstream's top packages, whose names others use too."""


class InPlaceOfCuda(TorchFunctionMode):
    """What asks for CUDA, which upstream's constructor does by name, gets ``device``."""

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device = device

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call ``func`` with the other device."""
        if func is torch.Tensor.cuda:
            return args[0].to(self.device)
        here = [self._here(value) for value in args]
        return func(*here, **{name: self._here(value) for name, value in (kwargs or {}).items()})

    def _here(self, value: Any) -> Any:
        names_cuda = isinstance(value, str | torch.device) and str(value) == "cuda"
        return torch.device(self.device) if names_cuda else value


def load(folder: Path) -> ModuleType:
    """Import upstream's ``diffusion.oscar``; its packages do not stay importable by their names."""
    path = list(sys.path)
    sys.path[:0] = [str(folder), str(folder / "diffusion")]
    try:
        return importlib.import_module("diffusion.oscar")
    finally:
        sys.path[:] = path
        for name in [n for n in sys.modules if n.partition(".")[0] in COMMON_NAMES]:
            del sys.modules[name]


def build(folder: Path, device: str, stable: Path | None) -> nn.Module:
    """The network on ``device``.

    Args:
        folder: Upstream's checkout.
        device: Where to.
        stable: The folder of Stable Diffusion's files; ``None`` for random weights, drawn from
            torch's generator.

    Raises:
        Unavailable: Stable Diffusion's files cannot be read.
    """
    module = load(folder)
    arguments = SimpleNamespace(
        pretrained_model_name_or_path=str(stable), lora_rank=LORA_RANK, hyper_dim=HYPER_DIM
    )
    with InPlaceOfCuda(device):
        if stable is None:
            with stable_diffusion.untrained(module):
                network = module.OSCAR(arguments)
            network.unet.set_adapter(ADAPTERS)
        else:
            try:
                network = module.OSCAR(arguments)
            except (OSError, RuntimeError, ValueError) as error:
                raise Unavailable(
                    f"{stable} holds no Stable Diffusion 2.1 ({reason(error)})",
                    "delete it, and run 'harness weights fetch oscar'",
                ) from error
    network.set_eval()
    return network.eval().requires_grad_(requires_grad=False)  # type: ignore[no-any-return]


def read_checkpoint(path: Path) -> Mapping[str, Any]:
    """OSCAR's own checkpoint: tensors and names alone.

    Raises:
        Unavailable: It cannot be read, or lacks a part.
    """
    content = read(path, TITLE)
    with reading(path, TITLE):
        return {part: content[part] for part in PARTS}


def fill(network: Any, checkpoint: Mapping[str, Any], path: Path) -> None:
    """Put a checkpoint, read from ``path``, into ``network``.

    Raises:
        Unavailable: It is of another network.
    """
    with reading(path, TITLE):
        network.load_ckpt(checkpoint)
