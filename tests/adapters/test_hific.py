"""HiFiC's adapter: its bytes and sizes; upstream's code itself where it is at hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from hific.geometry import LEAST_SIDE, hyper_size, missing_to_least
from lacking import lack_of

from harness.assets.checkout import upstream_folder
from harness.catalog.codec_manifest import read_codec
from harness.environments import choose
from harness.environments.client import Limits, WorkerFailure
from tests.patience import HANG_SECONDS

FOLDER = Path(__file__).parents[2] / "adapters" / "hific"
SPECS = {spec.name: spec for spec in read_codec(FOLDER / "codec.toml")}
SPEC = SPECS["hific"]
ABSENT = lack_of(SPEC, weights="random")
needs_upstream = pytest.mark.skipif(
    ABSENT is not None, reason=f"NOT CHECKED: HiFiC itself; {ABSENT}"
)
LIMITS = Limits(call_seconds=HANG_SECONDS, load_seconds=HANG_SECONDS, memory_bytes=12 << 30)


def test_small_images_are_padded_until_upstream_can_pad_the_rest():
    assert [missing_to_least(side) for side in (1, 64, 65, 4000)] == [64, 1, 0, 0]
    assert hyper_size(1, LEAST_SIDE) == (2, 2)
    assert hyper_size(128, 129) == (2, 3)
    assert hyper_size(512, 768) == (8, 12)


def test_the_defective_coder_is_a_variant_that_only_its_name_calls():
    variant = SPECS["hific-vectorized"]
    assert (SPEC.options["coder"], SPEC.in_all) == ("exact", True)
    assert (variant.options["coder"], variant.in_all) == ("vectorized", False)


@needs_upstream
def test_an_unknown_coder_is_refused_with_those_there_are(tmp_path):
    folder = upstream_folder(SPEC)
    started = choose(SPEC).worker(tmp_path / "log", 1, LIMITS, reads=[folder] if folder else [])
    with started as worker, pytest.raises(WorkerFailure, match="give exact or vectorized"):
        worker.open(SPEC.folder, SPEC.entry, {**SPEC.options, "coder": "huffman"}, "cpu")
