"""The checkpoint that ships: what its card states is what it does, within a tolerance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from lacking import lack_of
from progic.checkpoint import load_checkpoint
from progic.tools.card import RD_FILE, better_stages

from harness.catalog.codec_manifest import read_codec
from harness.catalog.codec_spec import CodecSpec
from harness.codec import RatePoint
from harness.errors import HarnessError
from harness.images.datasets import resolve
from harness.images.files import read_image
from harness.metrics.scorer import Scorer
from harness.readiness.ready import Readiness

FOLDER = Path(__file__).parents[2] / "adapters" / "progic"
PRESET = "progic-tiny"
CARD = FOLDER.parents[1] / "docs" / "cards" / PRESET
WEIGHTS = FOLDER / f"{PRESET}.safetensors"
IMAGES = 2
"""Of each data set."""

TOLERANCE = {"psnr": -0.05, "ms_ssim": -0.002, "lpips": 0.003, "dists": 0.002}
"""By how much a mean may be worse than the card's; an index that falls otherwise costs less."""


@pytest.fixture(scope="module")
def card() -> pd.DataFrame:
    return pd.read_csv(CARD / RD_FILE)


@pytest.fixture(scope="module")
def spec() -> CodecSpec:
    return next(s for s in read_codec(FOLDER / "codec.toml") if s.name == PRESET)


@pytest.mark.metric_weights
@pytest.mark.parametrize("dataset", ["sample", "kodak"])
def test_its_rate_distortion_points_are_the_cards(
    dataset: str, card: pd.DataFrame, spec: CodecSpec
) -> None:
    from progic.codec import ProGIC

    try:
        images = resolve(dataset, download=False, limit=IMAGES).images
    except HarnessError as error:
        pytest.skip(f"NOT CHECKED: {error}")
    codec = ProGIC(spec.options, "cpu")
    scorer = Scorer(tuple(TOLERANCE), "cpu")
    rows = []
    for source in images:
        image = read_image(source.path)
        reference = scorer.reference(image)
        for rate in spec.rates:
            codec.load(RatePoint(rate.id, rate.options, "pretrained", {WEIGHTS.name: WEIGHTS}))
            stream = codec.encode(image)
            scores = scorer.score(reference, codec.decode(stream))
            values = {name: score.value for name, score in scores.items()}
            rows.append({"image": source.name, "rate": rate.id, "bytes": len(stream), **values})
    found = pd.DataFrame(rows)
    known = card[card["dataset"] == dataset].assign(rate="s" + card["stage"].astype(str))
    both = found.merge(known, on=["image", "rate"], suffixes=("", "_card"))
    assert len(both) == len(found)
    assert (both["bytes"] == both["bytes_card"]).all()
    means = both.groupby("rate").mean(numeric_only=True)
    for name, worse in TOLERANCE.items():
        loss = (means[name] - means[f"{name}_card"]) * np.sign(worse)
        assert (loss <= abs(worse)).all(), f"{name} is worse than the card's by {loss.max():.4f}"


def test_each_of_its_stages_makes_nearly_every_image_better(card: pd.DataFrame) -> None:
    kodak = card[card["dataset"] == "kodak"]
    assert kodak["image"].nunique() == 24
    for metric in ("lpips", "dists"):
        assert (kodak.groupby("stage")[metric].mean().diff().dropna() < 0).all()
        assert (better_stages(kodak, metric).mean() >= 0.95).all()


def test_it_is_small_and_says_what_it_is() -> None:
    assert WEIGHTS.stat().st_size < 3_000_000
    checkpoint = load_checkpoint(WEIGHTS)
    assert checkpoint.metadata["preset"] == PRESET
    assert int(checkpoint.metadata["step"]) > 0
    assert all(tensor.isfinite().all() for tensor in checkpoint.network.state_dict().values())
    assert {t.dtype for t in checkpoint.network.state_dict().values()} == {torch.float32}


def test_it_is_found_without_anything_else(spec: CodecSpec, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    monkeypatch.delenv("HARNESS_WEIGHTS", raising=False)
    assert lack_of(spec) is None
    assert all(
        path == WEIGHTS
        for rate in spec.rates
        for path in Readiness().weights(spec, rate).files.values()
    )
