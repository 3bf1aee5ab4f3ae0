"""Imports the adapter as the worker does, and under a name that tests can write."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch

from harness.catalog.codec_manifest import read_codec
from harness.codec import Codec, RatePoint, WeightsMode

FOLDER = Path(__file__).parents[2] / "adapters" / "progic"


def _import_adapter() -> None:
    spec = importlib.util.spec_from_file_location(
        "progic", FOLDER / "__init__.py", submodule_search_locations=[str(FOLDER)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["progic"] = package
    spec.loader.exec_module(package)


_import_adapter()

CodecMaker = Callable[..., Codec]


@pytest.fixture
def make_codec() -> CodecMaker:
    """Makes a loaded codec of the manifest, by default with random weights and all stages."""
    from progic.codec import ProGIC

    manifest = {spec.name: spec for spec in read_codec(FOLDER / "codec.toml")}

    def make(
        name: str = "progic-tiny",
        *,
        checkpoint: Path | None = None,
        weights: WeightsMode = "random",
        device: str = "cpu",
        **options: object,
    ) -> Codec:
        spec = manifest[name]
        codec = ProGIC({**spec.options, **options}, device)
        last = spec.rates[-1]
        files = {} if checkpoint is None else {"checkpoint": checkpoint}
        codec.load(RatePoint(last.id, last.options, weights, files))
        return codec

    return make


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def photograph() -> np.ndarray:
    """A photograph of 200 x 272 pixels: multiples of 8, not of 16."""
    return np.ascontiguousarray(skimage.data.chelsea()[40:240, 90:362])
