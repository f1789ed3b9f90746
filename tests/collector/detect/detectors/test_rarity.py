"""Rarity: false alarms and their severity, what it finds, how its range grows and shrinks."""

from __future__ import annotations

import numpy as np
import pytest

from collector.detect.detectors.streams import flags, noise, score
from crucible_collector.batch import F64
from crucible_collector.detect.detectors.rarity import HOLD, RARITY, WARM_UP
from crucible_collector.kernels import cache_directory

cache_directory()


def level(length: int, seed: int = 4) -> F64:
    return np.random.default_rng(seed).normal(50.0, 5.0, length)


@pytest.mark.parametrize(
    ("kind", "most"), [("normal", 20), ("autocorrelated", 20), ("t3", 30), ("lognormal", 30)]
)
def test_few_values_in_10_000_are_flagged_where_nothing_happens(kind: str, most: float) -> None:
    assert flags(RARITY, noise(kind)).mean() * 10_000 <= most


@pytest.mark.parametrize(
    ("kind", "most"), [("normal", 0), ("autocorrelated", 0), ("t3", 6), ("lognormal", 6)]
)
def test_where_nothing_happens_hardly_a_period_is_more_than_information(
    kind: str, most: int
) -> None:
    """Of 200,000 values."""
    x = noise(kind)
    found = score(RARITY, x.ravel(), series=x.shape[1]).score.reshape(x.shape)
    loud = 0
    for series in found.T:
        at = np.flatnonzero(series > 1.0)
        for period in np.split(at, np.flatnonzero(np.diff(at) > RARITY.quiet_max) + 1):
            peak = float(series[period].max(initial=0.0))
            loud += RARITY.severities.of(peak, len(period)) > RARITY.severities.least
    assert loud <= most


def test_a_step_of_five_deviations_is_found_at_once() -> None:
    x = noise("normal", 600, 200)
    x[500:] += 5.0
    assert flags(RARITY, x)[500:503].any(axis=0).mean() > 0.97


def test_a_value_between_two_levels_is_rare() -> None:
    x = np.where(np.arange(2000) % 100 < 50, 20.0, 80.0) + level(2000) / 10.0
    x[1500] = 55.0
    found = score(RARITY, x)
    assert found.score[1500] > 1.0
    assert not (found.score[1000:1500] > 1.0).any()
    assert found.upper[1500] < 55.0 or found.lower[1500] > 55.0


def test_the_farther_away_the_higher_the_score() -> None:
    scores = []
    for value in (90.0, 150.0, 500.0, 1e6):
        x = level(3000)
        x[2500] = value
        scores.append(float(score(RARITY, x).score[2500]))
    assert scores == sorted(scores)
    assert scores[0] > 1.0
    assert scores[2] > RARITY.severities.warning_score


def test_one_event_is_told_once() -> None:
    x = level(3000)
    x[2500:2600:5] = 200.0
    assert (score(RARITY, x).score[2500 : 2500 + HOLD] > 1.0).sum() <= 2


def test_what_is_much_farther_away_is_told_again() -> None:
    x = level(3000)
    x[2500], x[2510] = 100.0, 5000.0
    found = score(RARITY, x).score
    assert found[2500] > 1.0
    assert found[2510] > found[2500]


def test_a_giant_value_does_not_take_the_sight_for_good() -> None:
    x = level(60_000)
    x[5000] = 1e12
    x[-1] = 90.0
    assert score(RARITY, x).score[-1] > 1.0


def test_a_series_that_moved_for_good_is_seen_as_sharply_as_before() -> None:
    x = level(60_000)
    x[5000:] += 1e5
    x[-1] += 40.0
    found = score(RARITY, x).score
    assert found[5000] > 1.0
    assert found[-1] > 1.0


def test_a_constant_that_changes_is_told() -> None:
    x = np.full(1000, 5.0)
    x[800] = 5.1
    found = score(RARITY, x)
    assert np.flatnonzero(found.score > 1.0).tolist() == [800]
    assert found.expected[800] == 5.0


def test_few_different_whole_numbers_do_not_alarm() -> None:
    x = np.random.default_rng(1).integers(0, 4, (5000, 20)).astype(float)
    assert not flags(RARITY, x).any()


def test_scale_changes_nothing_and_shift_hardly_anything() -> None:
    x = noise("normal", 5000, 1).ravel()
    found = score(RARITY, x).score
    np.testing.assert_array_equal(score(RARITY, 1024.0 * x).score, found)
    moved = score(RARITY, x + 4096.0).score
    assert np.isclose(moved[WARM_UP:], found[WARM_UP:]).mean() > 0.99


def test_on_the_log_scale_ratios_count_and_what_has_none_is_passed_over() -> None:
    x = noise("lognormal", 3000, 1).ravel()
    with_zeros = np.insert(x, [50, 2000], [0.0, -3.0])
    found = score(RARITY, with_zeros, is_log=True).score
    assert np.isnan(found[with_zeros <= 0.0]).all()
    plain = score(RARITY, np.log(x)).score
    assert np.isclose(found[with_zeros > 0.0][WARM_UP:], plain[WARM_UP:]).mean() > 0.99


def test_only_the_direction_that_counts_is_flagged() -> None:
    x = level(2000)
    x[1000], x[1500] = 200.0, -100.0
    for direction, high, low in ((1, True, False), (-1, False, True), (0, True, True)):
        found = score(RARITY, x, direction=direction)
        assert (found.score[1000] > 1.0, found.score[1500] > 1.0) == (high, low)
        assert np.isnan(found.lower[-1]) == (direction > 0)
        assert np.isnan(found.upper[-1]) == (direction < 0)


def test_the_band_holds_nearly_all_values() -> None:
    x = level(5000)
    found = score(RARITY, x)
    inside = (x >= found.lower) & (x <= found.upper) & (found.lower < found.expected)
    assert inside[1000:].mean() > 0.98
    assert 40.0 < found.expected[-1] < 60.0
