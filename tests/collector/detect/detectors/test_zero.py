"""A learning rate that has died is told; schedules that begin or end with 0 are not. Also `non_finite`."""

from __future__ import annotations

import numpy as np

from collector.detect.detectors.courses import flagged, scored
from crucible_collector.detect.detector import Severity
from crucible_collector.detect.detectors.non_finite import NON_FINITE
from crucible_collector.detect.detectors.zero import ZERO, ZEROS_MAX


def test_a_rate_that_dies_is_told_with_the_eleventh_zero_and_from_then_on() -> None:
    rate = np.where(np.arange(300) < 200, 1e-3, 0.0)
    found = scored(ZERO, rate)
    assert flagged(found) == list(range(200 + ZEROS_MAX, 300))
    assert found.expected[250] == 1e-3


def test_schedules_that_begin_and_end_with_zero_are_not_told() -> None:
    warm_up = np.concatenate([np.zeros(100), np.linspace(0, 1e-3, 50), np.linspace(1e-3, 0, 200)])
    assert flagged(scored(ZERO, warm_up)) == []
    assert flagged(scored(ZERO, np.concatenate([warm_up, np.zeros(ZEROS_MAX - 1)]))) == []


def test_restarts_that_touch_zero_are_not_told() -> None:
    rate = np.maximum(np.cos(np.pi * (np.arange(2000) % 200) / 199) + 1, 0)
    rate[199::200] = 0.0
    assert flagged(scored(ZERO, rate)) == []


def test_a_rate_that_lives_again_has_to_die_again() -> None:
    rate = np.zeros(60)
    rate[[5, 20, 40]] = 1.0
    dead = [*range(16, 20), *range(31, 40), *range(51, 60)]
    assert flagged(scored(ZERO, rate)) == dead


def test_a_small_rate_or_one_below_zero_is_alive() -> None:
    assert flagged(scored(ZERO, np.repeat([1e-3, 5e-324, -1e-3], 50))) == []


def test_every_value_that_is_not_finite_is_critical_and_no_other() -> None:
    found = scored(NON_FINITE, [1.0, np.nan, 0.0, np.inf, -np.inf, 1e308])
    assert flagged(found) == [1, 3, 4]
    assert NON_FINITE.severities.of(float(found.score[1]), 1) is Severity.CRITICAL
