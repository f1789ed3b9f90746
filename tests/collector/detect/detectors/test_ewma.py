"""EWMA: false alarms, what it finds, and what changes nothing about it."""

from __future__ import annotations

import numpy as np
import pytest

from collector.detect.detectors.streams import flags, noise, score
from crucible_collector.detect.detectors.ewma import EWMA, WARM_UP
from crucible_collector.kernels import cache_directory

cache_directory()


@pytest.mark.parametrize(
    ("kind", "most"), [("normal", 0.5), ("autocorrelated", 0.5), ("t3", 8), ("lognormal", 8)]
)
def test_few_values_in_10_000_are_flagged_where_nothing_happens(kind: str, most: float) -> None:
    assert flags(EWMA, noise(kind)).mean() * 10_000 <= most


def test_the_fence_makes_up_for_heavy_tails() -> None:
    found = flags(EWMA, noise("t3", 20_000))
    assert 2 * found[-10_000:].mean() < found[:5_000].mean()
    assert found[-10_000:].mean() < 1 / 4_000


def test_a_step_of_eight_deviations_is_found_at_once() -> None:
    x = noise("normal", 600, 200)
    x[500:] += 8.0
    assert flags(EWMA, x)[500].mean() > 0.97


def test_a_spike_is_flagged_however_high_and_does_not_blind() -> None:
    """The textbook's line moves with the value, and never sees one."""
    x = noise("normal", 3000, 1).ravel()
    x[1000], x[1100] = 1e9, 25.0
    assert np.flatnonzero(score(EWMA, x).score > 1.0).tolist() == [1000, 1100]


def test_a_new_level_is_the_usual_one_after_some_tens_of_values() -> None:
    x = noise("normal", 1000, 50)
    x[500:] += 100.0
    found = flags(EWMA, x)
    assert found[500].all()
    assert not found[600:].any()


def test_shift_and_scale_change_nothing() -> None:
    x = noise("t3", 3000, 1).ravel()
    found = score(EWMA, x)
    for scale, shift in ((1e-3, 0.0), (1e6, 0.0), (1.0, 1e3), (50.0, -7e3)):
        moved = score(EWMA, scale * x + shift)
        np.testing.assert_allclose(moved.score, found.score, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(moved.upper, scale * found.upper + shift, rtol=1e-6, atol=1e-9)


def test_on_the_log_scale_a_unit_changes_nothing() -> None:
    x = noise("lognormal", 3000, 1).ravel()
    found = score(EWMA, x, is_log=True).score
    np.testing.assert_allclose(score(EWMA, 1e6 * x, is_log=True).score, found, rtol=1e-6)


def test_without_a_logarithm_a_value_is_passed_over() -> None:
    x = noise("lognormal", 500, 1).ravel()
    with_zeros = np.insert(x, [10, 300, 300], [0.0, 0.0, -1.0])
    found = score(EWMA, with_zeros, is_log=True).score
    assert np.isnan(found[with_zeros <= 0.0]).all()
    np.testing.assert_array_equal(found[with_zeros > 0.0], score(EWMA, x, is_log=True).score)


def test_only_the_direction_that_counts_is_flagged() -> None:
    x = noise("normal", 500, 1).ravel()
    x[300], x[400] = 50.0, -50.0
    for direction, flagged in ((1, [300]), (-1, [400]), (0, [300, 400])):
        found = score(EWMA, x, direction=direction)
        assert np.flatnonzero(found.score > 1.0).tolist() == flagged
        assert np.isnan(found.lower[-1]) == (direction > 0)
        assert np.isnan(found.upper[-1]) == (direction < 0)


def test_a_sensitivity_is_a_factor_of_the_score() -> None:
    x = noise("normal", 300, 1).ravel()
    once, twice = score(EWMA, x).score, score(EWMA, x, sensitivity=0.5).score
    np.testing.assert_allclose(twice, 0.5 * once, rtol=1e-12)


def test_a_rare_one_among_zeros_is_told_at_most_some_tens_of_times() -> None:
    """Without the mean of distances, v falls to 1e-25 between them and every one alarms for good."""
    x = (np.random.default_rng(2).random(200_000) < 0.001).astype(float)
    found = score(EWMA, x).score > 1.0
    assert found[100_000:].sum() < 0.5 * x[100_000:].sum()


def test_bounds_and_score_say_the_same_of_every_value() -> None:
    x = noise("t3", 5000, 1).ravel()
    for is_log in (False, True):
        y = np.exp(x) if is_log else x
        found = score(EWMA, y, is_log=is_log)
        told = np.arange(len(y)) >= WARM_UP
        outside = (y < found.lower) | (y > found.upper)
        np.testing.assert_array_equal(outside[told], found.score[told] > 1.0)
