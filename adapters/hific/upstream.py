"""Upstream's modules, and a network of theirs, without what only training needs."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import torch

from harness.codec.checkpoint import read, reading

TITLE = "HiFiC"
_LOSS = "src.loss.perceptual_similarity.perceptual_loss"
RANDOM_SCALE = 0.6
"""Of the encoder's last layer: random weights then come to some tenths of a bit per pixel."""

_TRAINING_ONLY = ("Discriminator.", "perceptual_loss.")
_BUILT_HERE = ("Hyperprior.hyperprior_entropy_model.", "Hyperprior.prior_entropy_model.")


def load(folder: Path) -> ModuleType:
    """Import upstream's ``src.model``.

    Its perceptual loss, which coding never calls, needs a scikit-image of 2020 and downloads a
    network: an empty class takes its place while the module is imported.
    """
    stand_in = ModuleType(_LOSS)
    stand_in.PerceptualLoss = _NoLoss  # type: ignore[attr-defined]
    sys.modules[_LOSS] = stand_in
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module("src.model")
    finally:
        sys.path.remove(str(folder))
        del sys.modules[_LOSS]


class _NoLoss:
    def __init__(self, **_: object) -> None:
        pass


@contextmanager
def on_device(model: ModuleType, device: str) -> Iterator[None]:
    """Upstream takes any GPU that it sees; here it takes the device that it is given."""
    with patch.object(model.utils, "get_device", lambda **_: torch.device(device)):
        yield


def build(model: ModuleType, settings: Mapping[str, Any]) -> Any:
    """A network for coding, in evaluation mode, on the CPU.

    Args:
        model: From :func:`load`.
        settings: Of the checkpoint, laid over upstream's defaults.
    """
    defaults = model.hific_args
    names = (name for name in dir(defaults) if not name.startswith("_"))
    arguments = {**{name: getattr(defaults, name) for name in names}, **settings}
    network = model.Model(
        model.utils.Struct(**arguments),
        logging.getLogger("hific"),
        model_mode=model.ModelModes.EVALUATION,
        model_type=model.ModelTypes.COMPRESSION_GAN,
    )
    return network.eval()


def read_checkpoint(model: ModuleType, path: Path) -> Any:
    """The network of one of the authors' checkpoints, which hold their settings too.

    Raises:
        Unavailable: The file cannot be read, or is not a checkpoint of HiFiC.
    """
    checkpoint = read(path, TITLE)
    with reading(path, TITLE):
        network = build(model, checkpoint["args"])
        own = network.state_dict().items()
        built_here = {name: tensor for name, tensor in own if name.startswith(_BUILT_HERE)}
        stored = checkpoint["model_state_dict"].items()
        coding = {name: tensor for name, tensor in stored if not name.startswith(_TRAINING_ONLY)}
        network.load_state_dict({**built_here, **coding})
    return network


def random_network(model: ModuleType, seed: int) -> Any:
    """A network of random weights whose latents are as small as those of trained ones.

    As upstream draws them, one latent in five is an outlier to its entropy model, and the coder
    is slow on outliers.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(model, {})
    with torch.no_grad():
        network.Encoder.conv_block_out[-1].weight.mul_(RANDOM_SCALE)
    return network
