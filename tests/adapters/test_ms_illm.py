"""MS-ILLM's adapter: its sizes. What it shares with HiFiC is in test_hyperprior_baselines.py."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "adapters" / "ms_illm"


def _import_adapter() -> None:
    spec = ModuleSpec("ms_illm", None, is_package=True)
    spec.submodule_search_locations = [str(FOLDER)]
    sys.modules["ms_illm"] = importlib.util.module_from_spec(spec)


_import_adapter()

from ms_illm.geometry import LEAST_SIDE, missing_to_least, padded  # noqa: E402 - the package is made above


def test_small_images_are_padded_until_upstream_can_pad_the_rest():
    assert [missing_to_least(side) for side in (1, 32, 33, 4000)] == [32, 1, 0, 0]
    assert padded(1, LEAST_SIDE) == (64, 64)
    assert padded(64, 65) == (64, 128)
    assert padded(512, 768) == (512, 768)
