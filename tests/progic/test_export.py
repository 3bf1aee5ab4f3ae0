"""The exported forms compute what PyTorch computes, and know where they came from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from progic import bitstream
from progic.codec import ProGIC
from progic.exported import Form, read_origin
from progic.network import random_network
from progic.presets import PRESETS
from progic.tools.export import export

from harness.codec import Unavailable

Maker = Callable[..., ProGIC]
FORMS: list[Form] = ["torchscript", "onnx"]


@pytest.fixture(scope="module", params=FORMS)
def encoder_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if request.param == "onnx":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnxscript")
    network = random_network(PRESETS["progic-tiny"])
    folder = tmp_path_factory.mktemp(request.param)
    return export(network, request.param, folder, "tiny", "random")[0]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (16, 40), (200, 272)])
def test_the_exported_form_equals_eager_at_every_size_and_stage(
    make_codec: Maker, photograph: np.ndarray, encoder_file: Path, height: int, width: int
) -> None:
    image = photograph[:height, :width]
    eager, exported = make_codec(), make_codec(checkpoint=encoder_file)
    stream = eager.encode(image)
    assert exported.encode(image) == stream
    for end in bitstream.stage_ends(stream, eager.model.settings, eager.coder)[1:]:
        expected, found = eager.decode(stream[:end]), exported.decode(stream[:end])
        assert np.abs(expected.astype(int) - found.astype(int)).max() <= 1


def test_random_weights_stay_random_when_they_are_exported(
    make_codec: Maker, encoder_file: Path
) -> None:
    with pytest.raises(Unavailable, match="has random weights; use --weights random"):
        make_codec(checkpoint=encoder_file, weights="pretrained")


def test_a_file_states_its_origin(encoder_file: Path) -> None:
    origin = read_origin(encoder_file)
    assert origin.settings == PRESETS["progic-tiny"]
    assert origin.weights == "random"


def test_halves_of_different_weights_are_refused(
    make_codec: Maker, encoder_file: Path, tmp_path: Path
) -> None:
    form: Form = "onnx" if encoder_file.suffix == ".onnx" else "torchscript"
    if form == "onnx":
        pytest.skip("the check is the same for both forms; exporting to ONNX is slow")
    encoder, decoder = export(
        random_network(PRESETS["progic-tiny"], 5), form, tmp_path, "x", "random"
    )
    encoder.write_bytes(encoder_file.read_bytes())
    with pytest.raises(Unavailable, match="exported from different weights"):
        make_codec(checkpoint=decoder)


def test_a_missing_half_is_named(make_codec: Maker, encoder_file: Path, tmp_path: Path) -> None:
    lonely = tmp_path / encoder_file.name
    lonely.write_bytes(encoder_file.read_bytes())
    with pytest.raises(Unavailable, match=r"tiny\.decoder"):
        make_codec(checkpoint=lonely)


def test_range_coding_with_an_exported_form_is_refused(
    make_codec: Maker, encoder_file: Path
) -> None:
    with pytest.raises(Unavailable, match="range coding needs the words' frequencies"):
        make_codec(checkpoint=encoder_file, range_coding=True)
