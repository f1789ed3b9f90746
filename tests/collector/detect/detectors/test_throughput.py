"""Rates that have become worse for good, levels that have: what `throughput` and `shift` find and do not."""

from __future__ import annotations

import numpy as np
import pytest

from collector.detect.detectors.courses import F64, delays, flagged, noise, scored
from crucible_collector.detect.detector import Detector
from crucible_collector.detect.detectors.shift import SHIFT
from crucible_collector.detect.detectors.throughput import THROUGHPUT

BOTH = pytest.mark.parametrize("detector", [THROUGHPUT, SHIFT], ids=lambda each: each.name)


def scattered(count: int, deviation: float, correlation: float, seed: int) -> F64:
    return np.exp(deviation * noise(np.random.default_rng(seed), count, correlation))


@BOTH
@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.8])
def test_a_level_hardly_ever_alarms(detector: Detector, correlation: float) -> None:
    for deviation in (0.05, 0.5, 1.2):
        x = scattered(40_000, deviation, correlation, 1)
        at = np.array(flagged(scored(detector, x)))
        assert len(at) == 0 or 1 + (np.diff(at) > 20).sum() <= 1


@BOTH
@pytest.mark.parametrize(("deviation", "within"), [(0.05, 30), (0.2, 33)])
@pytest.mark.parametrize("direction", [1, -1])
def test_a_factor_of_two_for_the_worse_is_found(
    detector: Detector, deviation: float, within: int, direction: int
) -> None:
    def worse(seed: int) -> list[int]:
        x = scattered(800, deviation, 0.0, seed)
        x[500:] *= 2.0**direction
        return flagged(scored(detector, x, direction=direction))

    assert np.percentile(delays(worse, 500, 40), 95) <= within


@BOTH
def test_a_factor_of_two_for_the_better_is_not(detector: Detector) -> None:
    for direction in (1, -1):
        x = scattered(800, 0.1, 0.0, 3)
        x[500:] /= 2.0**direction
        assert flagged(scored(detector, x, direction=direction)) == []


@BOTH
def test_what_stays_becomes_the_level(detector: Detector) -> None:
    x = scattered(4000, 0.1, 0.0, 4)
    x[1000:] *= 3.0
    at = flagged(scored(detector, x))
    assert 1020 <= min(at) <= 1030
    assert 1300 < max(at) < 1800


@BOTH
def test_a_pause_is_no_change_of_level(detector: Detector) -> None:
    x = scattered(600, 0.1, 0.0, 5)
    x[300:304] = 1e9
    assert flagged(scored(detector, x)) == []


def test_a_rate_of_zero_is_as_slow_as_one_value_counts() -> None:
    rate = np.full(400, 1000.0)
    rate[200] = 0.0
    assert flagged(scored(THROUGHPUT, rate, direction=-1)) == []
    rate[200:] = 0.0
    assert min(flagged(scored(THROUGHPUT, rate, direction=-1))) - 200 <= 25


def test_costs_that_differ_by_factors_show_a_burst() -> None:
    def burst(seed: int) -> list[int]:
        x = scattered(800, 0.6, 0.0, seed)
        x[500:] *= 8.0
        return flagged(scored(SHIFT, x))

    assert np.percentile(delays(burst, 500, 40), 95) <= 25


@BOTH
def test_what_is_told_is_the_mean_that_is_beyond_its_bound(detector: Detector) -> None:
    x = scattered(800, 0.6, 0.0, 5)
    x[500:] *= 4.0
    found = scored(detector, x, direction=1)
    at = flagged(found)
    assert at
    assert found.value is not None
    assert (x[at] < found.upper[at]).any()
    assert (found.value[at] > found.upper[at]).all()
