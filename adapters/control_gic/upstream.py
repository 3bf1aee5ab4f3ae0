"""Upstream's network, and what has to be different while it is imported and built."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import yaml
from torch import Tensor, nn

from harness.codec.checkpoint import read, reading

from .bitstream import Codebook

NETWORK = "CGIC.models.model"
BLOCKS = "CGIC.modules.vqvae.vqvae_blocks"
CODING = "CGIC.tools.indices_coding"
DRAWING = "CGIC.modules.draw"
"""Draws a map of the cells with torchvision, which coding does not need."""
ROUTER = "CGIC.modules.vqvae.RouterTriple.TripleGrainFixedEntropyRouter"
CONFIG = Path("configs", "config_inference.yaml")
TITLE = "Control-GIC"
TRAINING = ("loss.", "ema_")
"""What a checkpoint holds of training alone."""

StateDict = dict[str, Tensor]


def load(folder: Path) -> None:
    """Import upstream's network and its Huffman code from the package ``CGIC``."""
    drawing = ModuleType(DRAWING)
    drawing.__dict__.update(draw_triple_grain_256res=None, draw_triple_grain_256res_color=None)
    sys.modules[DRAWING] = drawing
    sys.path.insert(0, str(folder))
    try:
        for name in (NETWORK, CODING):
            importlib.import_module(name)
    finally:
        sys.path.remove(str(folder))
        del sys.modules[DRAWING]


def build(folder: Path) -> Any:
    """The network with untrained weights, drawn from torch's generator, on the default device."""
    parameters = yaml.safe_load((folder / CONFIG).read_text())["model"]["params"]
    parameters |= {"ckpt_path": None, "lossconfig": None, "ema_decay": None}
    load(folder)
    with patch.object(nn.Module, "cuda", lambda module, *_: module):
        model = sys.modules[NETWORK].CGIC(**parameters)
    return model.eval().requires_grad_(requires_grad=False)


def random_weights(network: Any) -> None:
    """Count each word of the codebook once: all zeros would make codes of 200 bits."""
    for counter in network.quantize.embedding_counter.values():
        counter.fill_(1)


def read_checkpoint(path: Path) -> StateDict:
    """The tensors of a checkpoint, without those that training alone needs.

    Raises:
        Unavailable: It cannot be read.
    """
    checkpoint = read(path, TITLE)
    with reading(path, TITLE):
        state = checkpoint.get("state_dict", checkpoint)
        return {name: one for name, one in state.items() if not name.startswith(TRAINING)}


def fill(network: nn.Module, state: StateDict, path: Path) -> None:
    """Put the tensors, read from ``path``, into ``network``.

    Raises:
        Unavailable: They are of another network.
    """
    with reading(path, TITLE):
        network.load_state_dict(state)


@contextmanager
def lasting_router(network: Any) -> Iterator[None]:
    """The router is made once. Upstream makes one in each call, which no counter expects."""
    blocks = sys.modules[BLOCKS]
    encoder = network.encoder
    encoder.router = blocks.instantiate_from_config(encoder.router_config)
    with patch.object(blocks, "instantiate_from_config", lambda _: encoder.router):
        yield


def codebook(network: Any) -> Codebook:
    """Upstream's Huffman code, of how often each word was chosen in training."""
    coding = sys.modules[CODING].HuffmanCoding(network.quantize.embedding_counter)
    return Codebook(coding.codes, coding.reverse_mapping)
