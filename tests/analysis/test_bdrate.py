"""What is claimed of BD-rates."""

from __future__ import annotations

import warnings

import bjontegaard
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_results import PHOTOGRAPHS, changed, curve, real_results, together

from harness.analysis import BDOptions, BDRate, bd_rates, default_anchor
from harness.analysis.bdrate import bd_rate
from harness.analysis.curves import pareto_front
from harness.analysis.intervals import mean_interval, median_interval, percentiles
from harness.analysis.pchip import bd_rates as many_bd_rates
from harness.analysis.pchip import overlap
from harness.catalog.metrics import METRICS
from harness.errors import UnknownName

RATES = [0.1, 0.2, 0.4, 0.8, 1.6]
PSNR = [28.0, 31.0, 34.0, 37.0, 40.0]
FEW = BDOptions(samples=500)

# The test data of the bjontegaard package's README and example_usage.py (FAU-LMS/bjontegaard,
# BSD-3-Clause), measured with libx265.
PUBLISHED = {
    "test 1": (
        ([9487.76, 4593.60, 2486.44, 1358.24], [40.037, 38.615, 36.845, 34.851]),
        ([9787.80, 4469.00, 2451.52, 1356.24], [40.121, 38.651, 36.970, 34.987]),
    ),
    "test 2, high bitrates": (
        ([82472.76, 26875.24, 9487.76, 4593.6], [43.825, 41.404, 40.037, 38.615]),
        ([99896.96, 33952.04, 9787.8, 4469.0], [44.731, 41.875, 40.121, 38.651]),
    ),
    "test 3, more points": (
        (
            [82472.76, 26875.24, 9487.76, 4593.6, 3600, 2900],
            [43.825, 41.404, 40.037, 38.615, 36.5, 35.1],
        ),
        (
            [99896.96, 33952.04, 9787.8, 4469.0, 4040, 3300],
            [44.731, 41.875, 40.121, 38.651, 37, 36.5],
        ),
    ),
}


def cell(
    frame: pd.DataFrame, codec: str = "test", metric: str = "psnr", **options: object
) -> BDRate:
    settings_ = BDOptions(**{"samples": 500, **options})  # type: ignore[arg-type]
    cells = bd_rates(frame, METRICS[metric], "anchor", settings_)
    return next(c for c in cells if c.codec == codec)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_figures_equal_the_packages_own_on_its_published_vectors(name):
    (rate_a, psnr_a), (rate_t, psnr_t) = PUBLISHED[name]
    frame = together(
        curve("anchor", rate_a[::-1], psnr_a[::-1], images=["one"]),
        curve("test", rate_t[::-1], psnr_t[::-1], images=["one"]),
    )
    ours = cell(frame)
    for method, value in (("pchip", ours.percent), ("akima", ours.akima)):
        theirs = bjontegaard.bd_rate(rate_a, psnr_a, rate_t, psnr_t, method=method, min_overlap=0)
        assert value == pytest.approx(theirs, rel=1e-9)
    assert ours.median == pytest.approx(ours.percent, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "pchip", "akima"),
    [
        ("test 1", -4.417485, -4.425245),
        ("test 2, high bitrates", -4.472182, -4.085761),
        ("test 3, more points", -2.952802, -2.526920),
    ],
)
def test_the_figures_of_the_published_vectors_do_not_drift(name, pchip, akima):
    # By bjontegaard 1.3.0, whose PCHIP agrees with the Excel sheet of JVET-T2010 to ten decimals.
    columns = [np.array(column[::-1]) for points in PUBLISHED[name] for column in points]
    assert bd_rate(*columns, method="pchip") == pytest.approx(pchip, abs=1e-6)
    assert bd_rate(*columns, method="akima") == pytest.approx(akima, abs=1e-6)


@given(st.floats(0.05, 20), st.integers(4, 9), st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_rates_times_k_give_a_bd_rate_of_k_minus_one(k, points, random):
    rates = np.cumsum([random.uniform(0.01, 0.5) for _ in range(points)])
    psnr = 20 + np.cumsum([random.uniform(0.2, 4) for _ in range(points)])
    frame = together(curve("anchor", rates, psnr), curve("test", k * rates, psnr))
    result = cell(frame, samples=50)
    assert result.percent == pytest.approx(100 * (k - 1), rel=1e-6, abs=1e-6)
    assert result.akima == pytest.approx(100 * (k - 1), rel=1e-6, abs=1e-6)
    assert result.median == pytest.approx(100 * (k - 1), rel=1e-6, abs=1e-6)
    assert result.overlap == pytest.approx(1)


@given(st.integers(4, 9), st.integers(4, 9), st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_many_curves_at_once_give_what_the_package_gives_one_by_one(k, n, random):
    def rising(start, low, high, points):
        return start + np.cumsum([random.uniform(low, high) for _ in range(points)])

    anchor = rising(0, 0.01, 0.5, k), rising(25, 0.05, 4, k)
    test = rising(0, 0.01, 0.5, n), rising(25, 0.05, 4, n)
    both = [np.stack([column, column], axis=1) for column in (*anchor, *test)]
    with warnings.catch_warnings(action="ignore"):  # the package warns where nothing overlaps
        expected = bd_rate(*anchor, *test, method="pchip")
    found = many_bd_rates(*both)
    assert found == pytest.approx([expected, expected], rel=1e-9, abs=1e-9, nan_ok=True)


def test_on_photographs_newer_codecs_need_fewer_bits_than_jpeg():
    cells = {c.codec: c for c in bd_rates(real_results(), METRICS["psnr"], "jpeg", FEW)}
    assert cells["jpeg"].percent == 0
    for codec in ("webp", "avif"):
        found = cells[codec]
        assert found.reason == ""
        assert found.percent < -15
        assert found.interval.low < found.percent < found.interval.high
        assert found.median_interval.low <= found.median <= found.median_interval.high
        assert found.images == len(PHOTOGRAPHS)
    assert cells["avif"].percent < cells["webp"].percent


def test_where_lower_is_better_the_sign_is_turned():
    lpips = [0.5, 0.4, 0.3, 0.2, 0.1]
    frame = together(
        curve("anchor", RATES, lpips, "lpips"),
        curve("test", [r / 2 for r in RATES], lpips, "lpips"),
    )
    assert cell(frame, metric="lpips").percent == pytest.approx(-50)


def test_rate_points_may_come_in_any_order_and_number():
    test = curve("test", [r / 2 for r in RATES], PSNR).sample(frac=1, random_state=1)
    test["rate_index"] = 0
    frame = together(curve("anchor", [0.1, 0.2, 0.8, 1.6], [28.0, 31, 37, 40]), test)
    found = cell(frame)
    assert found.points == (4, 5)
    assert found.percent == pytest.approx(-50)


def test_three_rate_points_are_refused():
    frame = together(curve("anchor", RATES, PSNR), curve("test", RATES[:3], PSNR[:3]))
    assert cell(frame).percent is None
    assert cell(frame).reason == "fewer than 4 rate points"


def test_a_curve_that_turns_back_is_refused_and_its_pareto_front_is_not():
    turning = together(curve("anchor", RATES, PSNR), curve("test", RATES, [28, 31, 30.9, 37, 40]))
    assert cell(turning).reason == "test is not monotone"
    front = cell(turning, pareto=True)
    assert front.points == (5, 4)
    assert front.percent == pytest.approx(0, abs=5)
    assert "test: Pareto front only, 4 of 5 points" in front.notes


def test_an_anchor_that_is_not_monotone_leaves_no_figure_for_anyone():
    frame = together(curve("anchor", RATES, [28, 31, 30, 37, 40]), curve("test", RATES, PSNR))
    assert cell(frame).reason == "anchor is not monotone"
    assert cell(frame, "anchor").percent is None


def test_too_little_overlap_is_refused_unless_asked_for():
    frame = together(curve("anchor", RATES, PSNR), curve("test", RATES, [p + 9 for p in PSNR]))
    refused = cell(frame)
    assert refused.reason == "overlap under 50%"
    assert refused.overlap == pytest.approx(3 / 12)
    assert cell(frame, min_overlap=0.1).percent < 0


def test_a_narrow_curve_that_the_anchor_covers_wholly_has_a_figure():
    """It covers a fifth of the union, and all of its own range."""
    anchor = curve("anchor", [0.01 * 2**k for k in range(9)], [22.0 + 2.5 * k for k in range(9)])
    test = curve("test", [0.1, 0.12, 0.145, 0.18], [30.5, 31.8, 33.0, 34.5])
    found = cell(together(anchor, test))
    assert found.reason == ""
    assert found.overlap == 1
    assert found.median is not None
    assert cell(together(anchor, test), min_overlap=1.0).percent == found.percent


def test_a_curve_between_two_points_of_the_anchor_is_refused_and_the_reason_says_so():
    test = curve("test", [0.21, 0.24, 0.28, 0.32], [31.5, 32.0, 32.5, 33.9])
    found = cell(together(curve("anchor", RATES, PSNR), test))
    assert found.reason == "too few points in the common range"
    assert found.detail == (
        "anchor has 0 of its 5 rate points in the range of quality that both cover, 2 are needed"
    )
    assert found.overlap == 1
    assert found.percent is None


def test_an_image_needs_two_points_of_each_curve_inside_for_a_bd_rate_of_its_own():
    wide = curve("test", RATES[:4], [28.5, 31.5, 35.0, 39.5], images=["one"])
    between = curve("test", RATES[:4], [31.2, 32.0, 33.0, 33.9], images=["two"])
    anchor = curve("anchor", RATES, PSNR, images=["one", "two"])
    found = cell(together(anchor, wide, between))
    assert found.percent is not None
    assert found.images == 2
    assert found.images_with_bd == 1


@st.composite
def overlapping(draw):
    """Two curves that rise, of four to nine points each, at qualities of about 25 to 40."""
    curves = []
    for _ in range(2):
        size = draw(st.integers(4, 9))
        steps = st.lists(st.floats(0.05, 1), min_size=size, max_size=size)
        bpp, psnr = (np.cumsum(draw(steps)) for _ in range(2))
        curves.append((bpp, 25 + draw(st.floats(0, 3)) + 12 * psnr / psnr[-1]))
    return curves


@given(overlapping())
@settings(max_examples=25)
def test_anchor_and_test_exchanged_undo_each_other_and_are_refused_alike(curves):
    first, second = (curve(name, *points) for name, points in zip(("anchor", "test"), curves,
                                                                  strict=True))  # fmt: skip
    one = cell(together(first, second), samples=20)
    names = {"anchor": "test", "test": "anchor"}
    swapped = together(*(f.assign(codec=f["codec"].map(names)) for f in (first, second)))
    other = cell(swapped, samples=20)
    assert other.reason == one.reason
    assert other.overlap == pytest.approx(one.overlap)
    if one.percent is not None:
        assert (1 + one.percent / 100) * (1 + other.percent / 100) == pytest.approx(1)


@given(overlapping(), st.floats(1, 3))
@settings(max_examples=60)
def test_what_the_union_allowed_the_narrower_range_allows(curves, shift):
    """A third of the union is at least half of the narrower range."""
    good = curves[0][1], curves[1][1] + 3 * shift
    common = min(good[0].max(), good[1].max()) - max(good[0].min(), good[1].min())
    union = max(good[0].max(), good[1].max()) - min(good[0].min(), good[1].min())
    if common >= union / 3:
        assert overlap(*good) >= 0.5 * (1 - 1e-12)


def test_curves_that_share_no_quality_are_refused_whatever_was_asked():
    frame = together(curve("anchor", RATES, PSNR), curve("test", RATES, [p + 20 for p in PSNR]))
    assert cell(frame, min_overlap=0.0).reason == "no overlap"


def test_values_computed_in_different_ways_are_never_compared():
    other = curve("test", RATES, PSNR).assign(psnr_card="psnr-2")
    found = cell(together(curve("anchor", RATES, PSNR), other))
    assert found.percent is None
    assert "psnr-1, psnr-2" in found.detail


def test_one_codec_scored_in_two_ways_is_not_compared_either():
    mixed = changed(curve("test", RATES, PSNR), {"image": "two"}, psnr_card="psnr-2")
    assert cell(together(curve("anchor", RATES, PSNR), mixed)).percent is None


def test_random_weights_never_enter():
    random = curve("test", [r / 9 for r in RATES], PSNR, weights="random")
    cells = bd_rates(together(curve("anchor", RATES, PSNR), random), METRICS["psnr"], "anchor", FEW)
    assert [c.codec for c in cells] == ["anchor"]
    trained = curve("test", RATES, PSNR, weights="pretrained")
    assert cell(together(curve("anchor", RATES, PSNR), random, trained)).percent == 0


def test_codecs_are_compared_on_the_images_that_both_have_and_the_cell_says_so():
    anchor = curve("anchor", RATES, PSNR)
    test = changed(curve("test", RATES, PSNR), {"image": "two", "rate": "r1"}, status="timeout")
    found = cell(together(anchor, test))
    assert found.images == 2
    assert "on 2 of 3 images, the others lack values" in found.notes


def test_a_failed_row_never_enters_even_with_numbers_in_it():
    test = changed(curve("test", RATES, PSNR), {"image": "two"}, status="wrong_output", bpp=1e-9)
    assert cell(together(curve("anchor", RATES, PSNR), test)).percent == pytest.approx(0)


def test_no_image_in_common_is_a_reason():
    frame = together(
        curve("anchor", RATES, PSNR, images=["one"]), curve("test", RATES, PSNR, images=["two"])
    )
    assert cell(frame).reason == "no image in common"


def test_a_codec_that_never_ran_is_a_cell_with_its_status():
    dead = curve("test", RATES, PSNR, status="unavailable")
    assert "unavailable" in cell(together(curve("anchor", RATES, PSNR), dead)).detail


def test_a_lossless_rate_point_is_left_out_and_noted():
    lossless = changed(
        curve("test", [*RATES, 9.0], [*PSNR, 50.0]), {"rate": "r5", "image": "one"}, psnr=np.inf
    )
    found = cell(together(curve("anchor", RATES, PSNR), lossless))
    assert found.percent == pytest.approx(0)
    assert found.images == 3
    assert "test r5 left out: infinite, 1 of 3 images lossless" in found.notes


def test_excluded_rate_points_are_left_out_and_noted():
    test = curve("test", [0.05, *RATES], [5.0, *PSNR])
    frame = together(curve("anchor", RATES, PSNR), test)
    found = cell(frame, exclude={"TEST": 0.1})
    assert found.points == (5, 5)
    assert found.percent == pytest.approx(0)
    assert "test under 0.1 bpp excluded: r0" in found.notes


def test_a_no_reference_metric_is_marked_dubious():
    iqa = [0.4, 0.5, 0.6, 0.7, 0.8]
    frame = together(curve("anchor", RATES, iqa, "clip_iqa"), curve("test", RATES, iqa, "clip_iqa"))
    found = cell(frame, metric="clip_iqa")
    assert found.percent == pytest.approx(0)
    assert "dubious" in found.notes[0]


def test_an_image_without_a_bd_rate_of_its_own_is_counted_not_averaged():
    frame = together(curve("anchor", RATES, PSNR), curve("test", RATES, PSNR))
    odd = changed(frame, {"codec": "test", "image": "two", "rate": "r2"}, psnr=30.5)
    found = cell(odd)
    assert found.images == 3
    assert found.images_with_bd == 2
    assert found.median is not None


def test_a_median_of_the_lesser_half_is_not_shown():
    frame = together(curve("anchor", RATES, PSNR), curve("test", RATES, PSNR))
    for image in ("one", "two"):
        frame = changed(frame, {"codec": "test", "image": image, "rate": "r2"}, psnr=30.9)
    assert cell(frame).images_with_bd == 1
    assert cell(frame).median is None


def test_intervals_are_the_same_in_every_run_and_cover_what_they_should():
    random = np.random.default_rng(7)
    images = [f"i{n}" for n in range(24)]
    anchor = curve("anchor", RATES, PSNR, images=images)
    test = curve("test", [r * 0.8 for r in RATES], PSNR, images=images)
    test["bpp"] *= test["image"].map({i: random.lognormal(0, 0.1) for i in images})
    frame = together(anchor, test)
    first, second = cell(frame, samples=4000), cell(frame, samples=4000)
    assert first == second
    factors = test[test["rate"] == "r0"]["bpp"] / anchor[anchor["rate"] == "r0"]["bpp"]
    drawn = np.random.default_rng(1).choice(100 * (factors - 1), (20_000, 24))
    low, high = np.quantile(np.median(drawn, axis=1), [0.025, 0.975])
    assert first.median_interval.low == pytest.approx(low, abs=0.4)
    assert first.median_interval.high == pytest.approx(high, abs=0.4)


def test_quantiles_of_the_bootstrap_make_up_for_few_images():
    """Phi(-+ sqrt(24/23) * 2.0687), the 97.5 % quantile of Student's t with 23 degrees."""
    assert percentiles(24, 0.95) == pytest.approx((0.01729, 0.98271), abs=1e-5)
    assert percentiles(100_000, 0.95) == pytest.approx((0.025, 0.975), abs=1e-5)


def test_the_interval_of_a_mean_is_about_as_wide_as_students():
    values = np.random.default_rng(3).normal(size=24)
    found = mean_interval(values, 10_000, 0.95)
    width = 2 * 2.0687 * values.std(ddof=1) / np.sqrt(24)
    assert found.high - found.low == pytest.approx(width, rel=0.03)


@pytest.mark.parametrize(
    ("images", "low"),
    [
        # Ranks 1 and 6 cover 96.88 %, ranks 2 and 5 78.13 %; ranks 7 and 18 of 24 cover 97.73 %,
        # ranks 8 and 17 93.61 % (binomial): a share of 0.357 or 0.827 of a step further in.
        (6, 0.3571),
        (24, 6.8268),
    ],
)
def test_the_interval_of_a_median_is_between_order_statistics(images, low):
    values = np.random.default_rng(4).permutation(images).astype(float)
    found = median_interval(values, 0.95)
    assert found.low == pytest.approx(low, abs=1e-3)
    assert found.low + found.high == pytest.approx(images - 1)


def test_an_interval_is_not_given_where_the_images_cannot_cover_it():
    assert median_interval(np.arange(5.0), 0.95) is None
    assert median_interval(np.arange(6.0), 0.99) is None
    assert median_interval(np.arange(8.0), 0.99) is not None
    assert mean_interval(np.arange(5.0), 100, 0.95) is None


def test_names_are_forgiving_and_unknown_ones_are_answered_with_the_nearest():
    frame = together(curve("jpeg-xl", RATES, PSNR), curve("jpeg", RATES, PSNR))
    cells = bd_rates(frame, METRICS["psnr"], "JPEG_XL", FEW)
    assert {c.anchor for c in cells} == {"jpeg-xl"}
    with pytest.raises(UnknownName, match="did you mean jpeg-xl"):
        bd_rates(frame, METRICS["psnr"], "jpg-xl", FEW)


def test_the_default_anchor_is_the_strongest_that_was_measured():
    frame = together(curve("jpeg", RATES, PSNR), curve("avif", RATES, PSNR))
    assert default_anchor(frame) == "avif"
    dead = curve("vtm", RATES, PSNR, status="unavailable")
    assert default_anchor(together(frame, dead)) == "avif"


def test_data_sets_and_resolutions_are_compared_apart():
    small = together(curve("anchor", RATES, PSNR), curve("test", RATES, PSNR))
    large = together(curve("anchor", RATES, PSNR), curve("test", [2 * r for r in RATES], PSNR))
    frame = together(small, large.assign(resolution="1080x1920"))
    found = {
        c.image_set.title: c.percent
        for c in bd_rates(frame, METRICS["psnr"], "anchor", FEW)
        if c.codec == "test"
    }
    assert found == {
        "photographs": pytest.approx(0),
        "photographs 1080x1920": pytest.approx(100),
    }


@given(st.lists(st.tuples(st.floats(0.01, 2), st.floats(20, 45)), min_size=1, max_size=12))
def test_nothing_beats_a_point_of_the_pareto_front(points):
    bpp, psnr = np.array(points).T
    front = pareto_front(bpp, psnr)
    assert (np.diff(bpp[front]) > 0).all()
    assert (np.diff(psnr[front]) > 0).all()
    for k in front:
        better = (bpp <= bpp[k]) & (psnr >= psnr[k]) & ((bpp < bpp[k]) | (psnr > psnr[k]))
        assert not better.any()
