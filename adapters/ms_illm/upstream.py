"""Upstream's network, imported without what it does not use."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_NAMES = ("torchvision", "torchvision.models", "torchvision.transforms")


def load() -> tuple[type[Any], type[Any]]:
    """Upstream's ``HiFiCAutoencoder``, and the tuple that its coder gives and takes."""
    with _without_torchvision(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old names in its many dependencies
        models = importlib.import_module("neuralcompression.models")
    outputs = importlib.import_module("neuralcompression")
    return models.HiFiCAutoencoder, outputs.HyperpriorCompressedOutput


@contextmanager
def _without_torchvision() -> Iterator[None]:
    """Empty modules in place of torchvision, which only training and metrics need.

    It works with the very build of torch that it was compiled for, and there is none for the
    builds of torch for CPUs on the Python index.
    """
    stand_ins = {name: ModuleType(name) for name in _NAMES if name not in sys.modules}
    sys.modules.update(stand_ins)
    for name, module in stand_ins.items():
        module.__spec__ = ModuleSpec(name, None)  # packages that are there too may look for it
        parent, _, child = name.rpartition(".")
        if parent in stand_ins:
            setattr(stand_ins[parent], child, module)
    try:
        yield
    finally:
        for name in stand_ins:
            del sys.modules[name]
