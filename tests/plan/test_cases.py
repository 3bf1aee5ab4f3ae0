"""A plan holds each case once, and what remains of it is exactly what is not finished."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.catalog.codecs import load_catalog
from harness.images.datasets import Dataset, SourceImage
from harness.images.resolution import NATIVE, Resolution
from harness.plan.cases import BATCH_IMAGES, label, make_plan
from harness.plan.prepare import models_of
from harness.plan.remaining import Wanted, remaining, unscored
from harness.plan.request import Settings
from harness.store.run_store import CaseState

FIXTURES = Path(__file__).parents[1] / "fixtures" / "adapters"
SETTINGS = Settings(metrics=("psnr", "dists"))
WANTED = Wanted(SETTINGS, {"psnr": "card", "dists": "card"})


def images(count, height=512, width=768):
    return tuple(
        SourceImage(f"{n}.png", Path(f"{n}.png"), f"{n:064}", height, width) for n in range(count)
    )


def plan_of(codecs, count=3, settings=SETTINGS, resolutions=(NATIVE,), rates=()):
    catalog = load_catalog()
    data = [Dataset("photographs", "Photographs", "", images(count))]
    models = [model for name in codecs for model in models_of(catalog.get(name), rates, settings)]
    return make_plan(models, data, resolutions, settings)


def ids(plan):
    return [case.id for batch in plan.batches for case in batch.cases]


def state(status="ok", repeats=1, scored=("psnr", "dists"), message=None):
    return CaseState(status, message, repeats, 0, dict.fromkeys(scored, "card"))


def test_every_case_has_its_own_identity():
    plan = plan_of(
        ["well-behaved", "bit-planes", "jpeg"], 30, resolutions=(NATIVE, Resolution(256, 384))
    )
    assert len(set(ids(plan))) == plan.cases == 30 * 2 * (3 + 4 + 8)


@pytest.mark.parametrize(
    "change",
    [{"device": "cuda"}, {"threads": 2}, {"upsample": True}],
)
def test_settings_that_change_numbers_change_the_identity(change):
    changed = plan_of(["well-behaved"], settings=replace(SETTINGS, **change))
    assert not set(ids(plan_of(["well-behaved"]))) & set(ids(changed))


@pytest.mark.parametrize(
    "change", [{"metrics": ()}, {"repeats": 5}, {"timeout": 1.0}, {"keep": "none"}]
)
def test_settings_that_change_no_number_keep_the_identity(change):
    assert ids(plan_of(["jpeg"])) == ids(plan_of(["jpeg"], settings=replace(SETTINGS, **change)))


def test_a_changed_adapter_is_another_codec(tmp_path, monkeypatch):
    folder = tmp_path / "mine"
    folder.mkdir()
    manifest = (FIXTURES / "bit_planes" / "codec.toml").read_text()
    (folder / "codec.toml").write_text(manifest.replace('"bit-planes"', '"mine"'))
    source = (FIXTURES / "bit_planes" / "codec.py").read_text()
    (folder / "codec.py").write_text(source)
    monkeypatch.setenv("HARNESS_ADAPTERS", str(tmp_path))
    before = ids(plan_of(["mine"]))
    assert ids(plan_of(["mine"])) == before
    (folder / "codec.py").write_text(source + "\n# faster now\n")
    assert not set(ids(plan_of(["mine"]))) & set(before)


def test_a_batch_is_one_rate_point_or_one_progressive_codec():
    plan = plan_of(["well-behaved", "bit-planes"], BATCH_IMAGES + 1)
    shapes = [(batch.codec.name, len(batch.rates), len(batch.cases)) for batch in plan.batches]
    assert shapes == [
        *[("well-behaved", 1, n) for _ in range(3) for n in (BATCH_IMAGES, 1)],
        ("bit-planes", 4, 4 * BATCH_IMAGES),
        ("bit-planes", 4, 4),
    ]


def test_rate_points_run_in_the_manifest_s_order():
    plan = plan_of(["well-behaved"], rates=("bits8", "bits2"))
    assert [batch.rates[0].id for batch in plan.batches] == ["bits2", "bits8"]


def test_an_image_that_does_not_fit_is_skipped_with_the_reason():
    plan = plan_of(["jpeg"], resolutions=(NATIVE, Resolution(2160, 3840)))
    assert {batch.resolution for batch in plan.batches} == {NATIVE}
    assert len(plan.skipped) == 3
    assert "512x768" in plan.skipped[0].reason


@given(data=st.data())
def test_what_remains_is_what_is_not_finished(data):
    plan = plan_of(["well-behaved", "bit-planes"], 4)
    kinds = st.sampled_from(
        ["ok", "missing", "failed", "timeout", "unscored", "lost", "blank", "stale"]
    )
    drawn = {case: data.draw(kinds) for case in ids(plan)}
    states = {}
    for case, kind in drawn.items():
        if kind == "missing":
            continue
        scored = ("psnr",) if kind in {"unscored", "lost", "blank"} else ("psnr", "dists")
        states[case] = state(kind if kind in {"failed", "timeout"} else "ok", scored=scored)
        if kind == "blank":
            states[case].blank.add("dists")
        if kind == "stale":
            states[case].cards["dists"] = "the card of an earlier version"
    at_hand = {"unscored", "stale"}
    left = remaining(plan, states, WANTED, lambda _, case: drawn[case.id] in at_hand)
    to_measure = {
        case for case, kind in drawn.items() if kind in {"missing", "failed", "timeout", "lost"}
    }
    assert set(ids(left)) == to_measure
    assert len(ids(left)) == len(to_measure)
    assert all(batch.cases and batch.rates for batch in left.batches)
    to_score = {case.id for _, case in unscored(plan, states, WANTED)}
    assert to_score == {
        case for case, kind in drawn.items() if kind in {"unscored", "lost", "blank", "stale"}
    }


def test_a_codec_that_cannot_run_is_planned_with_the_reason():
    plan = plan_of(["tiny-network"])
    assert "weights tiny_network.pt not found" in plan.unavailable["tiny-network"].problem
    assert plan.cases > 0


def test_random_weights_are_never_scored():
    settings = replace(SETTINGS, weights="random")
    plan = plan_of(["tiny-network"], settings=settings)
    states = {case: state(scored=()) for case in ids(plan)}
    wanted = replace(WANTED, settings=settings)
    assert not unscored(plan, states, wanted)
    assert not remaining(plan, states, wanted, lambda *_: False).batches


def test_a_checkpoint_is_part_of_the_name(tmp_path):
    path = tmp_path / "step9.pt"
    path.write_bytes(b"weights")
    spec = load_catalog().get(f"tiny-network@{path}")
    assert label(spec) == "tiny-network@step9.pt"


def test_a_codec_for_the_cpu_alone_runs_there_in_a_run_on_cuda():
    cuda = replace(SETTINGS, device="cuda")
    assert ids(plan_of(["jpeg"], settings=cuda)) == ids(plan_of(["jpeg"]))
    assert not plan_of(["jpeg"], settings=cuda).unavailable
