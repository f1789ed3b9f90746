"""Proportion: false alarms at any rate, and how soon another rate is found."""

from __future__ import annotations

import numpy as np
import pytest

from collector.detect.detectors.streams import flags, score
from crucible_collector.batch import F64
from crucible_collector.detect.detectors.proportion import PROPORTION
from crucible_collector.kernels import cache_directory

cache_directory()


def failures(rate: float, length: int, series: int = 20, seed: int = 8) -> F64:
    random = np.random.default_rng(seed)
    return (random.random((length, series)) < rate).astype(np.float64)


@pytest.mark.parametrize("rate", [0.0, 1e-4, 1e-3, 0.01, 0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("direction", [-1, 0, 1])
def test_a_rate_that_stays_is_hardly_ever_flagged(rate: float, direction: int) -> None:
    """0.1 of 10,000 values at most."""
    assert flags(PROPORTION, failures(rate, 10_000), direction=direction).sum() <= 2


@pytest.mark.parametrize(
    ("before", "after", "median", "most"),
    [(0.01, 0.2, 40, 150), (1e-4, 0.2, 20, 60), (0.001, 0.05, 120, 600), (0.1, 0.5, 40, 120)],
)
def test_another_rate_is_found(before: float, after: float, median: int, most: int) -> None:
    """Within so many values in half of all series, and in 95 %."""
    x = np.concatenate([failures(before, 2000, 100), failures(after, 2000, 100, seed=9)])
    found = flags(PROPORTION, x, direction=1)[2000:]
    wait = np.where(found.any(axis=0), found.argmax(axis=0), len(found))
    assert np.median(wait) <= median
    assert np.quantile(wait, 0.95) <= most


def test_a_smaller_change_is_found_over_more_values() -> None:
    x = np.concatenate([failures(0.1, 10_000, 50), failures(0.2, 2000, 50, seed=9)])
    assert flags(PROPORTION, x, direction=1)[10_000:].any(axis=0).mean() > 0.95


def test_fewer_are_found_where_that_counts() -> None:
    x = np.concatenate([failures(0.5, 3000, 20), failures(0.1, 500, 20, seed=9)])
    assert flags(PROPORTION, x, direction=-1)[3000:].any(axis=0).all()
    assert not flags(PROPORTION, x, direction=1)[3000:].any()


def test_a_rate_that_lasts_is_the_usual_one_some_day() -> None:
    x = np.concatenate([failures(0.01, 2000), failures(0.2, 20_000, seed=9)])
    found = flags(PROPORTION, x, direction=1)
    assert found[2100:2500].mean() > 0.9
    assert not found[-5000:].any()


def test_what_is_told_is_the_rate_and_not_the_value() -> None:
    x = np.concatenate([failures(0.01, 3000, 1), failures(0.5, 200, 1, seed=9)]).ravel()
    found = score(PROPORTION, x, direction=1)
    assert found.value is not None
    assert 0.1 < found.value[-1] < 0.7
    assert found.expected[-1] < 0.05
    assert found.upper[-1] < found.value[-1]
    told = ~np.isnan(found.score)
    np.testing.assert_array_equal((found.value > found.upper)[told], (found.score > 1.0)[told])


def test_one_error_after_very_long_is_none_too_many() -> None:
    x = np.zeros(100_000)
    x[-1] = 1.0
    assert score(PROPORTION, x, direction=1).score[-1] < 1.0
