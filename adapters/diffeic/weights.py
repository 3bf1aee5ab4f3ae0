"""The weights of upstream's model: from its published files, or random."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from compressai.models.utils import remap_old_keys
from torch import Tensor, nn

from harness.codec import Unavailable, checkpoint
from harness.codec.checkpoint import reading

TITLE = "DiffEIC"

LATENT_GAIN = 4.0
"""Of random weights; a photograph takes about 1 bit a pixel, most of its symbols being 0."""

StateDict = dict[str, Tensor]

BOTTLENECK = "preprocess_model.entropy_bottleneck"
TABLES = ("._offset", "._quantized_cdf", "._cdf_length", ".scale_table")
"""Ends of the names of the range coder's tables, which are made anew after loading."""


class Ignored:
    """In the place of classes that Lightning writes into checkpoints beside the weights."""


IGNORED = ("pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",)


def load(model: nn.Module, paths: Iterable[Path]) -> None:
    """Load one file after the other; a later one overrules an earlier one.

    Args:
        model: Upstream's model.
        paths: Checkpoints that together hold every parameter.

    Raises:
        Unavailable: A file cannot be read or does not fit, or parameters are in none of them.
    """
    wanted = {name for name, _ in model.named_parameters()}
    paths = list(paths)
    for path in paths:
        state = read(path)
        with reading(path, TITLE):
            model.load_state_dict(state, strict=False)
        wanted -= state.keys()
    if wanted:
        names = " and ".join(str(path) for path in paths)
        raise Unavailable(
            f"{names} lack {len(wanted)} of {TITLE}'s parameters, {min(wanted)} among them",
            checkpoint.REMEDY,
        )


def read(path: Path) -> StateDict:
    """The tensors of a checkpoint, by the names that this version of compressai gives them.

    Raises:
        Unavailable: The file is not a checkpoint, or holds more than tensors.
    """
    stand_ins: list[Any] = [(Ignored, name) for name in IGNORED]
    with torch.serialization.safe_globals(stand_ins):
        content = checkpoint.read(path, TITLE)
    with reading(path, TITLE):
        named = content.get("state_dict", content)
        state = {
            name.removeprefix("module."): value
            for name, value in named.items()
            if isinstance(value, Tensor) and not name.endswith(TABLES)
        }
        renamed: StateDict = remap_old_keys(BOTTLENECK, state)
        return renamed


def enliven(model: Any) -> None:
    """Let freshly initialised weights do what trained ones do, at least a little.

    Weights that begin at zero get small random values: with zeros the network would neither use
    what was decoded nor remove any noise. The latent gets an amplitude that does not round to
    nothing.
    """
    for parameter in model.parameters():
        if parameter.ndim > 1 and not parameter.any():
            nn.init.normal_(parameter, std=0.02)
    model.preprocess_model.encoder.g_a6.weight.mul_(LATENT_GAIN)
