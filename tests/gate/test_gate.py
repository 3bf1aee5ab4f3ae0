"""The gate finds what got worse, and says what it could not compare."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_results import PHOTOGRAPHS, changed, real_results, together

from harness.catalog.metrics import Limit
from harness.errors import HarnessError, UnknownName
from harness.gate.compare import compare
from harness.gate.limits import Limits, read_limits
from harness.gate.pairs import Side
from harness.gate.report import comparison_markdown

QUICK = Limits(samples=1000)


@pytest.fixture(scope="module")
def base():
    frame = real_results()
    return frame[frame["codec"] == "jpeg"].reset_index(drop=True)


@pytest.fixture(scope="module")
def two():
    frame = real_results()
    return frame[frame["codec"].isin(["jpeg", "webp"])].reset_index(drop=True)


def gate(before, after, limits=QUICK, *, base="", candidate=""):
    return compare(
        Side("base", before, base), Side("candidate", after, candidate, "--candidate"), limits
    )


def only(comparison, **where):
    found = [f for f in comparison.findings if all(getattr(f, k) == v for k, v in where.items())]
    assert found
    return found


def verdicts(comparison, **where):
    return {f.verdict for f in only(comparison, **where)}


def worse(comparison):
    return {(f.codec, f.kind, f.rate) for f in comparison.regressions}


def test_a_candidate_that_is_the_base_is_equal_in_everything(base):
    comparison = gate(base, base)
    assert not comparison.regressions
    assert {f.verdict for f in comparison.findings if f.kind != "speed"} == {"equal"}
    assert verdicts(comparison, kind="speed") == {"no change"}
    assert comparison.notes == ()


def test_a_loss_at_one_rate_point_is_found_only_there(two):
    candidate = two.copy()
    rows = (two["codec"] == "jpeg") & (two["rate"] == "q10")
    candidate.loc[rows, "psnr"] -= np.linspace(0.2, 0.4, rows.sum())
    comparison = gate(two, candidate)
    assert worse(comparison) == {("jpeg", "quality", "q10")}
    (finding,) = only(comparison, codec="jpeg", kind="quality", rate="q10")
    assert finding.change == pytest.approx(-0.3)
    assert finding.interval.low < -0.3 < finding.interval.high
    assert finding.images == 8
    assert finding.p == 1 / 256


def test_a_gain_is_not_a_regression(base):
    comparison = gate(base, base.assign(psnr=base["psnr"] + 0.3))
    assert not comparison.regressions
    assert verdicts(comparison, kind="quality") == {"better"}
    assert verdicts(comparison, kind="bd_rate") == {"better"}


def test_a_loss_under_the_limit_passes_however_certain(base):
    comparison = gate(base, base.assign(psnr=base["psnr"] - 0.01))
    assert not comparison.regressions
    assert verdicts(comparison, kind="quality") == {"small"}
    assert gate(
        base, base.assign(psnr=base["psnr"] - 0.01),
        Limits(samples=1000, metrics={"psnr": Limit(absolute=0.005)}),
    ).regressions  # fmt: skip


def test_a_loss_that_is_not_certain_passes_however_large(base):
    signs = np.where(base["image"].str.endswith("left"), -1.0, 0.9)
    comparison = gate(base, base.assign(psnr=base["psnr"] + signs * 2))
    assert verdicts(comparison, kind="quality") == {"no change"}


def test_a_metric_that_is_not_judged_is_shown(base):
    limits = Limits(samples=1000, metrics={"psnr": Limit()})
    comparison = gate(base, base.assign(psnr=base["psnr"] - 5), limits)
    assert not comparison.regressions
    assert verdicts(comparison, kind="quality") == {"not judged"}
    assert only(comparison, kind="quality")[0].change == pytest.approx(-5)


def test_more_bits_at_equal_quality_fail_by_bitrate_and_by_bd_rate(base):
    comparison = gate(base, base.assign(bpp=base["bpp"] * 1.02))
    assert {kind for _, kind, _ in worse(comparison)} == {"bits", "bd_rate"}
    assert only(comparison, kind="bd_rate")[0].change == pytest.approx(2, abs=1e-6)
    assert {f.different for f in only(comparison, kind="bits")} == {8}


def test_bits_for_quality_are_left_to_the_bd_rate(base):
    """What q25 gives for what q25 costs, under the name of q10, is no regression of bits."""
    moved = base[base["rate"] != "q10"].replace({"rate": {"q25": "q10"}})
    comparison = gate(base[base["rate"] != "q25"], moved)
    (bits,) = only(comparison, kind="bits", rate="q10")
    assert bits.verdict == "traded"
    assert "BD-rate" in bits.note
    assert not [f for f in comparison.regressions if f.kind in {"bits", "quality"}]


def test_quality_for_bits_stays_a_loss_where_no_bd_rate_weighs_it(base):
    few = base[base["rate"].isin(["q25", "q45"])]
    lower = base[base["rate"].isin(["q10", "q45"])]
    comparison = gate(few, lower.replace({"rate": {"q10": "q25"}}))
    assert worse(comparison) == {("jpeg", "quality", "q25")}
    (bd,) = only(comparison, kind="bd_rate")
    assert bd.verdict == "not judged"
    assert "4 are needed" in bd.note


def test_what_stopped_running_is_not_taken_for_what_got_slower(two):
    slow = two.assign(encode_ms=two["encode_ms"] * 1.5)
    candidate = changed(slow, {"codec": "webp", "rate": "q5"}, status="crashed", message="boom")
    comparison = gate(two, candidate)
    (gone,) = only(comparison, kind="status")
    assert (gone.verdict, gone.subject, gone.images, gone.note) == (
        "did not run", "crashed", 8, "boom",
    )  # fmt: skip
    assert worse(comparison) >= {("jpeg", "speed", "q10"), ("webp", "status", "q5")}
    assert not [f for f in comparison.findings if f.rate == "q5" and f.kind != "status"]


def test_what_runs_again_is_reported(two):
    broken = changed(two, {"codec": "webp", "rate": "q5"}, status="crashed")
    assert verdicts(gate(broken, two), kind="status") == {"runs now"}
    assert "ok on neither side" in gate(broken, broken).notes[0]


def test_a_slower_candidate_needs_the_rank_test_and_the_ratio(base):
    def times(factor):
        return verdicts(gate(base, base.assign(encode_ms=base["encode_ms"] * factor)),
                        kind="speed", subject="encode_ms")  # fmt: skip

    assert times(1.3) == {"worse"}
    assert times(1.1) == {"small"}
    assert times(0.7) == {"better"}
    signs = np.where(base["image"].str.endswith("left"), 3.0, 1.0)
    assert times(signs) == {"no change"}


def test_a_difference_under_the_floor_is_not_slower(base):
    quick = base.assign(encode_ms=0.1)
    assert verdicts(gate(quick, quick.assign(encode_ms=0.2)), subject="encode_ms") == {"small"}


@pytest.mark.parametrize(
    ("column", "value"),
    [("machine", "m2"), ("threads", 4), ("device", "cuda"), ("environment", "docker:jpeg@1a2b")],
)
def test_times_of_unlike_conditions_are_not_compared(base, column, value):
    comparison = gate(base, base.assign(encode_ms=99.0, **{column: value}))
    assert verdicts(comparison, kind="speed") == {"not judged"}
    assert str(value) in only(comparison, kind="speed")[0].note


@pytest.mark.parametrize(
    ("candidate_machine", "slower", "level", "verdict"),
    [("m1", 1.15, 0.025, "no change"), ("m2", 1.15, 0.05, "worse"), ("m1", None, 0.05, "worse")],
)
def test_quality_has_the_whole_level_where_no_time_is_judged(
    base, candidate_machine, slower, level, verdict
):
    """Of the 64 ways to exchange sides on six images, two give so large a loss: p is 0.031."""
    images = PHOTOGRAPHS[:6]
    point = base[base["image"].isin(images) & (base["rate"] == "q45")].reset_index(drop=True)
    loss = point["image"].map(dict(zip(images, [1, 1, 1, 1, 1, -0.1], strict=True)))
    candidate = point.assign(psnr=point["psnr"] - loss, machine=candidate_machine)
    found = gate(point, candidate, replace(QUICK, slower=slower))
    (quality,) = only(found, kind="quality")
    assert quality.verdict == verdict
    assert quality.p == pytest.approx(2 / 64)
    assert found.quality_level == level
    assert f"p up to {level:g} and" in comparison_markdown(found)


def test_times_with_other_versions_of_the_codecs_libraries_are_not_compared(base):
    old, new = "inline:pillow@12.0.0", "inline:pillow@13.0.0"
    comparison = gate(base.assign(environment=old), base.assign(environment=new))
    assert verdicts(comparison, kind="speed") == {"not judged"}
    note = only(comparison, kind="speed")[0].note
    assert note == f"not the same environment: {old} against {new}"


def test_results_older_than_the_column_of_environments_were_made_inline(base):
    comparison = gate(base, base.assign(environment="inline"))
    assert verdicts(comparison, kind="speed") == {"no change"}


def test_repeated_calls_of_few_images_are_ranked_call_by_call(base):
    one = base[base["image"] == base["image"].iloc[0]]
    calls = np.random.default_rng(0).normal(10, 0.1, (len(one), 12))
    before = one.assign(encode_samples_ms=list(calls))
    slower = one.assign(encode_samples_ms=list(calls[:, ::-1] * 1.4))
    comparison = gate(before, slower)
    assert verdicts(comparison, subject="encode_ms") == {"worse"}
    assert verdicts(comparison, subject="decode_ms") == {"not judged"}
    assert verdicts(comparison, kind="quality") == {"equal"}
    assert not gate(before, before).regressions


def test_six_images_are_enough_to_find_a_codec_much_slower_among_noisy_times(base):
    six = base[base["image"].isin(base["image"].unique()[:6])]
    noise = np.random.default_rng(0)

    def timed(factor):
        jitter = noise.lognormal(0, 0.2, (2, len(six)))
        return six.assign(encode_ms=200 * factor * jitter[0], decode_ms=50 * jitter[1])

    comparison = gate(timed(1), timed(6))
    assert verdicts(comparison, subject="encode_ms") == {"worse"}
    assert verdicts(comparison, subject="decode_ms") <= {"no change", "small"}


def test_a_single_call_of_each_of_few_images_says_nothing_of_speed(base):
    few = base[base["image"].isin(base["image"].unique()[:5])]
    comparison = gate(few, few.assign(encode_ms=few["encode_ms"] * 9))
    assert verdicts(comparison, kind="speed") == {"not judged"}


def test_one_encode_of_a_progressive_codec_is_timed_once(base):
    frame = base.assign(shared_encode=True)
    encodes = only(gate(frame, frame), codec="jpeg", subject="encode_ms")
    assert [f.rate for f in encodes] == [""]


def test_random_weights_are_compared_only_in_speed(base):
    frame = base.assign(weights="random")
    kinds = {f.kind for f in gate(frame, frame.assign(psnr=1.0)).findings}
    assert kinds == {"speed"}


def test_values_of_unlike_cards_are_not_compared(base):
    comparison = gate(base.assign(psnr_card="old"), base.assign(psnr_card="new", psnr=1.0))
    assert not comparison.regressions
    assert verdicts(comparison, kind="quality") == {"not judged"}
    assert "old against new" in only(comparison, kind="quality")[0].note
    assert verdicts(comparison, kind="bd_rate") == {"not judged"}


def test_a_metric_that_the_candidate_lacks_is_reported(base):
    comparison = gate(base, base.drop(columns="psnr"))
    assert "candidate has no values" in only(comparison, kind="quality")[0].note
    comparison = gate(base, base.assign(psnr=np.nan))
    assert "candidate has values of no image" in only(comparison, kind="quality")[0].note


def test_lossless_images_are_left_out_and_counted(base):
    candidate = changed(base, {"image": base["image"].iloc[0]}, psnr=np.inf)
    finding = only(gate(base, candidate), kind="quality")[0]
    assert finding.images == 7
    assert "1 lossless images left out, 1 of one side alone" in finding.note


def test_fewer_than_six_images_judge_only_what_did_not_run(base):
    few = base[base["image"].isin(sorted(set(base["image"]))[:5])]
    comparison = gate(few, few.assign(psnr=few["psnr"] - 3))
    assert not comparison.regressions
    assert "too few to judge" in only(comparison, kind="quality")[0].note


def test_cases_of_one_side_are_listed_and_fail_where_asked(two):
    less = two[(two["codec"] != "webp") | (two["rate"] != "q5")]
    comparison = gate(two, less)
    assert comparison.notes == ("webp on photographs: 8 cases in the base alone (q5)",)
    assert not comparison.regressions
    strict = gate(two, less, Limits(samples=1000, fail_on_missing=True))
    assert worse(strict) == {("webp", "status", "q5")}
    assert "in the candidate alone" in gate(less, two).notes[0]


def test_another_image_of_the_same_name_is_not_compared(base):
    hashes = base.assign(image_sha256="a")
    other = changed(hashes, {"image": base["image"].iloc[0]}, image_sha256="b", psnr=1.0)
    comparison = gate(hashes, other)
    assert "another image file" in comparison.notes[0]
    assert only(comparison, kind="quality")[0].images == 7


def test_nothing_in_common_is_an_error_that_names_both(two):
    with pytest.raises(HarnessError, match=r"no case in common: jpeg .* against webp"):
        gate(two[two["codec"] == "jpeg"], two[two["codec"] == "webp"])


def checkpoints(base, loss=0.0):
    trained = base.assign(weights="pretrained")
    return together(
        trained.assign(checkpoint="step1.pt:aaaa1111"),
        trained.assign(checkpoint="step2.pt:bbbb2222", psnr=base["psnr"] - loss),
    )


def test_two_checkpoints_of_one_run_are_compared(base):
    frame = checkpoints(base, loss=0.5)
    comparison = gate(frame, frame, base="jpeg@step1", candidate="jpeg@step2.pt")
    assert verdicts(comparison, kind="quality") == {"worse"}
    back = gate(frame, frame, base="jpeg@bbbb", candidate="jpeg@step1")
    assert verdicts(back, kind="quality") == {"better"}


def test_two_codecs_may_be_set_against_each_other(two):
    webp = two[two["codec"] == "webp"].replace({"rate": {"q5": "q10", "q90": "q90"}})
    frame = together(two[two["codec"] == "jpeg"], webp)
    comparison = gate(frame, frame, base="jpeg", candidate="webp")
    assert {f.rate for f in only(comparison, kind="quality")} == {"q10", "q80", "q90"}


def test_several_checkpoints_ask_for_a_choice(base):
    frame = checkpoints(base)
    with pytest.raises(HarnessError, match="several checkpoints") as caught:
        gate(frame, frame)
    assert caught.value.remedy == "choose one, as --base jpeg@step1.pt"
    with pytest.raises(HarnessError, match="no checkpoint 'step3' is in base: step1"):
        gate(frame, frame, base="jpeg@step3")
    with pytest.raises(UnknownName, match="did you mean jpeg"):
        gate(frame, frame, base="jpg@step1")


def test_of_several_records_of_a_case_the_newest_counts(base):
    older = base.assign(psnr=1.0, started=pd.Timestamp("2025-01-01", tz="UTC"))
    assert not gate(base, together(base, older)).regressions


def test_a_one_percent_loss_in_dists_is_found_on_24_images():
    """Differences that scatter by 1 % of the value from image to image, at five rate points."""
    random = np.random.default_rng(3)
    rows = [
        {"image": f"i{n}", "rate": f"s{k}", "rate_index": k, "bpp": 0.04 * (k + 1),
         "dists": busy * 0.3 * 0.8**k}
        for n, busy in enumerate(random.lognormal(0, 0.3, 24))
        for k in range(5)
    ]  # fmt: skip
    frame = pd.DataFrame(rows).assign(
        codec="progic", dataset="kodak", resolution="native", status="ok", weights="pretrained"
    )
    noise = 1 + random.normal(0, 0.01, len(frame))
    lost = gate(frame, frame.assign(dists=frame["dists"] * noise * 1.01))
    assert verdicts(lost, kind="quality") == {"worse"}
    assert not gate(frame, frame.assign(dists=frame["dists"] * noise)).regressions


def limits_of(tmp_path, text):
    path = tmp_path / "limits.toml"
    path.write_text(text)
    return read_limits(path)


def test_limits_are_read_and_the_rest_stays_at_its_default(tmp_path):
    limits = limits_of(
        tmp_path,
        "level = 0.01\nfail_on_missing = true\n[bd_rate]\npercent = 2\n[metrics.psnr]\n"
        "percent = 1.5\n[metrics.lpips]\njudged = false\n[speed]\nratio = 1.3\n",
    )
    usual = Limits()
    assert limits.level == 0.01
    assert limits.fail_on_missing
    assert limits.bd_rate == Limit(absolute=2)
    assert limits.of("psnr") == Limit(percent=1.5)
    assert not limits.of("lpips").judged
    assert (limits.slower, limits.floor_ms) == (1.3, usual.floor_ms)
    assert limits.of("dists") == usual.of("dists")
    assert limits_of(tmp_path, "") == usual
    assert limits_of(tmp_path, "[speed]\njudged = false").slower is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("levels = 0.1", "unknown key 'levels'.*did you mean 'level'"),
        ("level = 0", "'level' must be at least"),
        ("[metrics.dist]\npercent = 1", "did you mean dists"),
        ("[metrics.dists]\npercent = 1\nabsolute = 1", "either 'absolute' or 'percent'"),
        ("[metrics.dists]", "either 'absolute' or 'percent'"),
        ("[metrics.dists]\npercent = -1", "cannot be negative"),
        ("[bd_rate]\nabsolute = 1", "give 'percent'"),
        ("[speed]\nratio = 0.5", "'ratio' must be at least 1"),
        ("level = ", "limits.toml"),
    ],
)
def test_limits_are_read_strictly(tmp_path, text, message):
    with pytest.raises(HarnessError, match=message):
        limits_of(tmp_path, text)
