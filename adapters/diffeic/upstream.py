"""Upstream's model, made from its checkout as it stands, for inference alone.

Its modules are named ``ldm``, ``model`` and ``utils``, and import packages that only its training
and its measurements use. While they are imported, small stand-ins take those packages' places;
afterwards ``sys.path`` and ``sys.modules`` are as they were.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import compressai.models  # noqa: F401 - before the stand-ins, as all that upstream truly needs
import open_clip
import pytorch_lightning.utilities.types
import torch
from omegaconf import OmegaConf
from pytorch_lightning.utilities.rank_zero import rank_zero_only
from torch import Tensor, nn
from torch.nn import functional

from harness.codec import Unavailable

CONFIG = "configs/model/diffeic.yaml"
PACKAGES = ("ldm", "model", "utils")
"""The names under which upstream's modules are imported."""
UNUSED = {
    "cv2": {},
    "kornia": {},
    "pyiqa": {},
    "thop": {"profile": None},
    "transformers": dict.fromkeys(
        ("T5Tokenizer", "T5EncoderModel", "CLIPTokenizer", "CLIPTextModel")
    ),
    "pytorch_lightning.utilities.distributed": {"rank_zero_only": rank_zero_only},
}
"""Modules that upstream imports and its inference does not use, with what it takes from each.

The last was renamed in Lightning.
"""


class TextOnly(nn.Module):
    """In the place of CLIP's vision tower (632 M parameters), which upstream deletes at once."""

    image_size = 224


def build(folder: Path, *, efficient_attention: bool) -> tuple[nn.Module, type]:
    """The whole model with freshly initialised weights, on the CPU, and upstream's sampler.

    Args:
        folder: Upstream's checkout.
        efficient_attention: Use the attention that upstream takes from xformers, from torch.

    Returns:
        The model, and the class of its sampler.

    Raises:
        Unavailable: The folder holds no such model.
    """
    if not (folder / CONFIG).is_file():
        raise Unavailable(f"{folder / CONFIG} not found", "run 'harness upstream fetch diffeic'")
    config = OmegaConf.load(folder / CONFIG)
    config.params.sync_path = None  # a copy of Stable Diffusion's weights, to begin training from
    config.params.calculate_metrics = {}
    config.params.cond_stage_config.params.version = None  # CLIP's weights, else downloaded
    with importable(folder, efficient_attention=efficient_attention):
        sampler = importlib.import_module("model.spaced_sampler").SpacedSampler
        make = importlib.import_module("utils.common").instantiate_from_config
        network = importlib.import_module("model.diffeic")
        with (
            replaced(open_clip.model, "_build_vision_tower", lambda *_: TextOnly()),
            replaced(network, "UNetModel", partial(on_meta, network.UNetModel)),
        ):
            model: nn.Module = make(config)
    return model.eval().requires_grad_(requires_grad=False), sampler


def on_meta(make: type, **arguments: Any) -> nn.Module:
    """A network without memory: upstream makes a second U-Net (866 M parameters) to read shapes."""
    with torch.device("meta"):
        module: nn.Module = make(**arguments)
    return module


@contextmanager
def importable(folder: Path, *, efficient_attention: bool) -> Iterator[None]:
    """Make upstream's modules importable; all is undone at the end."""
    stand_ins = {name: _module(name, content) for name, content in UNUSED.items()}
    stand_ins |= _xformers(efficient=efficient_attention)
    types = pytorch_lightning.utilities.types
    with (
        replaced(sys, "path", [str(folder), *sys.path]),
        replaced(types, "EPOCH_OUTPUT", list),
        _in_place_of_modules(stand_ins),
    ):
        yield


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Give an attribute another value for a while, or one that it had not."""
    absent = object()
    before = getattr(owner, name, absent)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if before is absent:
            delattr(owner, name)
        else:
            setattr(owner, name, before)


@contextmanager
def _in_place_of_modules(stand_ins: Mapping[str, Any]) -> Iterator[None]:
    """Put the stand-ins into ``sys.modules``, and take upstream's packages out at the end."""

    def concerned() -> list[str]:
        ours = [name for name in sys.modules if name.partition(".")[0] in PACKAGES]
        return [*ours, *(name for name in stand_ins if name in sys.modules)]

    before = {name: sys.modules.pop(name) for name in concerned()}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name in concerned():
            del sys.modules[name]
        sys.modules.update(before)


def _module(name: str, content: dict[str, Any]) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(content)
    return module


def _xformers(*, efficient: bool) -> dict[str, Any]:
    """What upstream finds as xformers: torch's attention, or nothing (``None`` is not importable).

    With nothing, it uses an attention of its own, which holds all pairs of positions in memory.
    """
    if not efficient:
        return {"xformers": None}
    ops = _module("xformers.ops", {"memory_efficient_attention": attention})
    return {"xformers": _module("xformers", {"ops": ops}), "xformers.ops": ops}


def attention(q: Tensor, k: Tensor, v: Tensor, attn_bias: None = None, op: None = None) -> Tensor:  # noqa: ARG001
    """The attention of xformers that upstream calls: batch and heads x positions x channels."""
    return functional.scaled_dot_product_attention(q, k, v)
