"""Imports an adapter's class inside the worker, under a private package name."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from harness.codec import Codec, Unavailable

PACKAGE = "_harness_adapter"


def codec_class(folder: Path, entry: str) -> type[Codec]:
    """The class ``file:Class`` in an adapter's folder, or ``harness.module:Class`` in the harness.

    The folder becomes a package with a private name, so that its files import each other with
    ``from .other import ...`` and no folder name can hide an installed library.

    Raises:
        Unavailable: A module that the adapter imports is not installed.
        TypeError: The entry is not a subclass of ``Codec``.
    """
    module_name, _, class_name = entry.partition(":")
    try:
        if module_name.startswith("harness."):
            module = importlib.import_module(module_name)
        else:
            _make_package(folder)
            module = importlib.import_module(f"{PACKAGE}.{module_name}")
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith((PACKAGE, "harness")):
            raise
        problem = f"module '{error.name}' is not installed for {sys.executable}"
        remedy = "install it there, or choose another --environment ('harness env list')"
        raise Unavailable(problem, remedy) from error
    found = getattr(module, class_name)
    if not (isinstance(found, type) and issubclass(found, Codec)):
        raise TypeError(f"{entry} in {folder} is not a subclass of harness.codec.Codec")
    return found


def _make_package(folder: Path) -> ModuleType:
    init = folder / "__init__.py"
    if init.is_file():
        spec = importlib.util.spec_from_file_location(
            PACKAGE, init, submodule_search_locations=[str(folder)]
        )
    else:
        spec = ModuleSpec(PACKAGE, None, is_package=True)
        spec.submodule_search_locations = [str(folder)]
    assert spec is not None  # noqa: S101 - both branches make one
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    if spec.loader is not None:
        spec.loader.exec_module(module)
    return module
