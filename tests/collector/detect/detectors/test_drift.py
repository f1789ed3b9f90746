"""Courses that turn are found; those that do as they should are not."""

from __future__ import annotations

import numpy as np
import pytest

from collector.detect.detectors.courses import F64, course, delays, flagged, noise, scored
from crucible_collector.detect.detectors.drift import DRIFT, WARM_UP

CLEAN = ("exponential", "power", "rate in steps", "bumps at epochs", "flat")


@pytest.mark.parametrize("kind", CLEAN)
def test_clean_courses_never_alarm(kind: str) -> None:
    rng = np.random.default_rng(1)
    for sd in (0.01, 0.1, 0.4, 1.0):
        for count in (200, 2000):
            curves = [course(kind, count, rng) + sd * rng.normal(size=count) for _ in range(10)]
            assert [flagged(scored(DRIFT, np.exp(curve))) for curve in curves] == [[]] * 10


def test_a_loss_that_is_reported_smoothed_wanders_without_alarm() -> None:
    rng = np.random.default_rng(2)
    curves = [0.3 * noise(rng, 2000, 0.8) for _ in range(40)]
    assert sum(bool(flagged(scored(DRIFT, np.exp(curve)))) for curve in curves) <= 6


def test_a_million_values_of_a_level_do_not_alarm() -> None:
    rng = np.random.default_rng(3)
    assert flagged(scored(DRIFT, np.exp(0.3 * rng.standard_t(3, 1_000_000)))) == []
    level = 0.9 + 0.03 * rng.normal(size=1_000_000)
    assert flagged(scored(DRIFT, level, is_log=False, direction=-1)) == []


def test_warm_restarts_are_told_once() -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        y = course("restarts", 3000, rng) + 0.03 * rng.normal(size=3000)
        at = flagged(scored(DRIFT, np.exp(y)))
        assert at
        assert 600 <= min(at) <= max(at) < 1200


@pytest.mark.parametrize(("sd", "within"), [(0.03, 40), (0.1, 60), (0.3, 120)])
def test_a_loss_that_grows_by_a_hundredth_a_step_is_found(sd: float, within: int) -> None:
    def grown(seed: int) -> list[int]:
        rng = np.random.default_rng(seed)
        y = np.concatenate([course("exponential", 600, rng), np.zeros(400)])
        y[600:] = y[599] + 0.01 * np.arange(400)
        return flagged(scored(DRIFT, np.exp(y + sd * rng.normal(size=1000))))

    assert np.percentile(delays(grown, 600, 40), 95) <= within


@pytest.mark.parametrize(
    ("to", "sd", "within"), [(0.1, 0.05, 20), (0.7, 0.02, 20), (0.7, 0.05, 35)]
)
def test_an_accuracy_that_falls_is_found(to: float, sd: float, within: int) -> None:
    def fallen(seed: int) -> list[int]:
        rng = np.random.default_rng(seed)
        x = np.repeat([0.9, to], 500) + sd * rng.normal(size=1000)
        return flagged(scored(DRIFT, x, is_log=False, direction=-1))

    assert np.percentile(delays(fallen, 500, 40), 95) <= within


def falling(count: int, sd: float = 0.05) -> F64:
    return np.exp(-np.arange(count) / 200 + sd * np.random.default_rng(5).normal(size=count))


def test_a_single_spike_of_any_height_is_no_drift() -> None:
    loss = falling(600)
    loss[300] = 1e30
    assert flagged(scored(DRIFT, loss)) == []


def test_the_ratios_of_a_loss_near_zero_are_no_rise() -> None:
    loss = falling(600)
    loss[300:] = 1e-9
    loss[400:] = 1e-6
    assert flagged(scored(DRIFT, loss)) == []


def test_a_resumed_run_starts_from_where_it_goes_on() -> None:
    loss, step = falling(1000), np.arange(1000)
    again = np.concatenate([np.arange(600), np.arange(100, 500)])
    assert flagged(scored(DRIFT, loss[again], step=again)) == []
    assert flagged(scored(DRIFT, loss[again], step=step))  # the same without its steps is a rise


def test_steps_that_begin_anew_with_an_epoch_are_no_resumed_run() -> None:
    loss = falling(600)
    loss[300:] = loss[299] * np.exp(0.01 * np.arange(300))
    epoch = np.arange(600) // 50
    found = flagged(scored(DRIFT, loss, step=np.arange(600) % 50, epoch=epoch))
    assert 300 < min(found) < 340


def test_a_loss_below_zero_is_compared_as_it_is() -> None:
    loss = -3.0 + np.repeat([0.0, 1.0], 200)
    assert min(flagged(scored(DRIFT, loss))) - 200 < 25


def test_a_rule_that_turns_the_direction_starts_anew() -> None:
    loss = np.repeat([1.0, 0.5], 200)
    records = np.zeros(1, DRIFT.record)
    scored(DRIFT, loss[:200], direction=-1, is_log=False, records=records)
    found = scored(DRIFT, loss[200:], direction=1, is_log=False, records=records)
    assert np.isnan(found.score[:WARM_UP]).all()
    assert flagged(found) == []
    assert flagged(scored(DRIFT, loss, direction=-1, is_log=False))


def test_what_is_told_is_the_mean_and_not_a_batch_that_happens_to_be_good() -> None:
    """Or a person would read "accuracy is 0.83, expected at least 0.78"."""
    rng = np.random.default_rng(6)
    x = np.repeat([0.9, 0.6], 500) + 0.1 * rng.normal(size=1000)
    found = scored(DRIFT, x, is_log=False, direction=-1)
    at = flagged(found)
    assert at
    assert found.value is not None
    assert (x[at] > found.lower[at]).any()
    assert (found.value[at] < found.lower[at]).all()
