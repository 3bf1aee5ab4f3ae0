"""Upstream's modules, and what has to be different around them."""

from __future__ import annotations

import importlib
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from harness.codec import Unavailable

CODER = Path("src", "cpp")
KERNELS = Path("src", "layers", "extensions", "inference")


@dataclass(frozen=True)
class Upstream:
    """The modules of upstream that the adapter calls."""

    image_model: Any
    transforms: Any
    common: Any
    cuda_inference: Any

    @property
    def has_kernels(self) -> bool:
        """Whether upstream's CUDA kernels were built, and load."""
        found: bool = self.cuda_inference.CUSTOMIZED_CUDA_INFERENCE
        return found


def load(folder: Path) -> Upstream:
    """Import upstream, whose package has the name ``src``; it leaves no path behind.

    Raises:
        Unavailable: Its range coder was not built for this interpreter.
    """
    added = [str(folder), str(folder / CODER), str(folder / KERNELS)]
    sys.path[:0] = added
    try:
        _require_coder(folder / CODER)
        return Upstream(
            image_model=importlib.import_module("src.models.image_model"),
            transforms=importlib.import_module("src.utils.transforms"),
            common=importlib.import_module("src.utils.common"),
            cuda_inference=importlib.import_module("src.layers.cuda_inference"),
        )
    finally:
        sys.path[:] = [path for path in sys.path if path not in added]


def _require_coder(folder: Path) -> None:
    try:
        importlib.import_module("MLCodec_extensions_cpp")
    except ImportError as error:
        raise Unavailable(
            f"upstream's range coder is not built for Python {platform.python_version()} ({error})",
            "in 'harness env shell dcvc_rt' run "
            f"'cd {folder} && python3 setup.py build_ext --inplace'",
        ) from error


class _Event:
    """What upstream asks of a CUDA event, where all work is done in order."""

    def record(self) -> None:
        """Nothing has to be waited for."""

    def wait(self) -> None:
        """Nothing has to be waited for."""


@contextmanager
def without_cuda(network: Any, device: str) -> Iterator[None]:
    """Upstream's encoder asks for CUDA events and streams; on the CPU they are stand-ins."""
    if device != "cpu":
        yield
        return
    with (
        patch.multiple(torch.cuda, Event=_Event, synchronize=lambda **_: None),
        patch.object(network, "get_cuda_stream", lambda **_: None),
    ):
        yield
