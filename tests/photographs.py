"""Photographs for the tests: those in scikit-image's wheel, and Kodak where it can be had."""

import importlib.util
import os
from pathlib import Path

import pytest

_DATA = os.environ.get("HARNESS_DATA", "")  # before any test changes it


def skimage_file(name: str) -> Path:
    """A file of ``skimage/data``."""
    spec = importlib.util.find_spec("skimage")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "data" / name


def kodak_folder() -> Path:
    """The folder of the Kodak photographs; the test is skipped where there is none."""
    for root in _DATA.split(os.pathsep):
        if root and (folder := Path(root).resolve() / "kodak").is_dir():
            return folder
    pytest.skip("HARNESS_DATA names no folder with kodak/")
