"""Upstream's modules, and what has to be different while they are imported and built."""

from __future__ import annotations

import importlib
import importlib.util
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import torch

from harness.codec import Unavailable

CODER = Path("src", "entropy_models", "entropy_coders", "unbounded_rans")
EXTENSIONS = ("_CXX", "unbounded_ans")


def load(folder: Path, model: str) -> ModuleType:
    """Import a model's module, such as ``HPCM_Base``, from a package of the name ``src``.

    Upstream looks for its range coder beside its Python files, where it has one of Python 3.8;
    here it is the one that was built in ``build/``.

    Raises:
        Unavailable: The range coder was not built for this interpreter.
    """
    built = {name: built_extension(folder / CODER, name) for name in EXTENSIONS}
    sys.path.insert(0, str(folder))
    try:
        for name, path in built.items():
            _import_as(f"src.entropy_models.{name}", path)
        return importlib.import_module(f"src.models.{model}")
    finally:
        sys.path.remove(str(folder))


def built_extension(folder: Path, name: str) -> Path:
    """Where ``setup.py build`` has put the extension.

    Raises:
        Unavailable: It is not there.
    """
    suffix = EXTENSION_SUFFIXES[0]
    found = sorted(folder.glob(f"build/lib*/{name}{suffix}"))
    if not found:
        raise Unavailable(
            f"upstream's range coder is not built for Python {platform.python_version()} "
            f"({name}{suffix} not found)",
            f"in 'harness env shell lic_hpcm' run 'cd {folder} && python3 setup.py build'",
        )
    return found[0]


def _import_as(name: str, path: Path) -> None:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # noqa: S101 - an extension's path
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[name] = module


@contextmanager
def without_cuda() -> Iterator[None]:
    """Upstream's constructor asks for a GPU; what it makes there is made on the CPU."""
    ones = torch.ones

    def on_the_cpu(*args: Any, **kwargs: Any) -> torch.Tensor:
        return ones(*args, **{**kwargs, "device": "cpu"})

    with patch.object(torch, "ones", on_the_cpu):
        yield
