"""The tests of differences: they find what is there, and seldom what is not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.gate.flips import (
    FlipFamily,
    change_points,
    holm,
    sign_flips,
    standardised,
)


@pytest.fixture
def random():
    return np.random.default_rng(1)


def p_of(differences):
    family = FlipFamily(len(differences), 10_000)
    return family.p_above(family.add(family.means(differences)))


def test_few_images_are_flipped_in_every_way_there_is():
    signs = sign_flips(6, 10_000)
    assert len(np.unique(signs, axis=0)) == 64
    assert (signs[0] == 1).all()
    assert sign_flips(24, 1000).shape == (1000, 24)


def test_six_images_that_all_got_worse_are_one_flip_of_sixty_four():
    assert p_of(np.array([1.0, 2.0, 0.5, 3.0, 1.5, 0.7])) == 1 / 64


def test_one_comparison_alone_agrees_with_scipys_permutation_test(random):
    differences = random.normal(0.4, 1, 12)
    expected = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", alternative="greater", n_resamples=5000
    )
    assert p_of(differences) == pytest.approx(expected.pvalue, abs=1e-12)


def test_an_image_without_a_difference_counts_for_nothing(random):
    differences = random.normal(1, 1, 10)
    with_blank = np.append(differences, np.nan)
    assert p_of(with_blank) == pytest.approx(p_of(differences))


def test_no_difference_is_not_a_finding():
    assert p_of(np.zeros(8)) == 1


def test_the_family_calls_a_change_where_there_is_none_in_five_of_a_hundred_at_most(random):
    """1,000 pairs, 25 comparisons each, skewed by image and alike among the comparisons."""
    signs = sign_flips(24, 500)
    alarms = 0
    for _ in range(1000):
        shared = random.standard_t(3, (24, 1))
        differences = shared + random.normal(0, 1, (24, 25))
        differences *= random.lognormal(0, 1, (24, 1))
        z = signs @ (differences / np.sqrt((differences**2).sum(axis=0)))
        alarms += np.mean(z.max(axis=1) >= z[0].max() - 1e-9) <= 0.05
    assert alarms <= 65  # 50 expected, three standard deviations are 21


def test_the_family_has_the_chances_of_all_its_comparisons(random):
    columns = random.normal(0.3, 1, (10, 5))
    family = FlipFamily(10, 10_000)
    found = [family.add(family.means(column)) for column in columns.T]
    alone = [p_of(column) for column in columns.T]
    together = [family.p_above(one) for one in found]
    assert all(a <= b <= min(1, 5 * max(alone)) for a, b in zip(alone, together, strict=True))


def test_a_statistic_that_a_flip_cannot_have_counts_as_far_out():
    values = standardised(np.array([2.0, -2.0, np.nan, 1.0]))
    assert values[2] == np.inf
    assert values[0] == -values[1]


def test_holm_multiplies_the_smallest_by_all_and_keeps_the_order():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def series(random, means, images=24, noise=0.01):
    busy = random.normal(1, 0.3, images)
    return np.array(means)[:, None] + busy + random.normal(0, noise, (len(means), images))


def places(values, least=0.0):
    return [c.place for c in change_points(values, least, 0.05, 2000)]


def test_the_step_of_a_series_is_found_where_it_is(random):
    (change,) = change_points(series(random, [0.2] * 5 + [0.23] * 4), 0.01, 0.05, 2000)
    assert change.place == 5
    assert change.difference == pytest.approx(0.03, abs=0.005)
    assert change.p <= 0.05


def test_two_steps_are_both_found(random):
    assert places(series(random, [0.2] * 4 + [0.3] * 3 + [0.25] * 5), 0.01) == [4, 7]


def test_a_series_of_two_may_have_a_step(random):
    assert places(series(random, [0.2, 0.25])) == [1]
    assert places(series(random, [0.2])) == []


def test_a_step_under_the_limit_does_not_count(random):
    assert places(series(random, [0.2] * 5 + [0.23] * 4), 0.05) == []


def test_a_series_without_a_step_seldom_shows_one(random):
    alarms = sum(bool(places(series(random, [0.2] * 8))) for _ in range(200))
    assert alarms <= 20  # 10 expected


def test_equal_values_have_no_step():
    assert places(np.ones((4, 8))) == []
