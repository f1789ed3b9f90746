"""Detectors over a window of a series' last values: as NumPy has them, value by value, whatever passes through."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible_collector.batch import F64
from crucible_collector.detect.detector import NO_STEP, Detector, Scored, Values
from crucible_collector.detect.detectors.iqr import IQR
from crucible_collector.detect.detectors.modified_z import MODIFIED_Z
from crucible_collector.detect.detectors.window import WARM_UP, WINDOW
from crucible_collector.detect.detectors.zscore import ZSCORE

WINDOWED: tuple[Detector, ...] = (ZSCORE, MODIFIED_Z, IQR)
EACH = pytest.mark.parametrize("detector", WINDOWED, ids=lambda each: each.name)


def values(
    value: Any, *, number: Any = 0, is_log: bool = False, direction: int = 0, sensitivity: float = 1
) -> Values:
    found = np.array(value, np.float64)
    whole = np.zeros(len(found), np.int64)
    return Values(
        whole + number,
        np.arange(len(found)),
        found,
        whole + NO_STEP,
        whole + NO_STEP,
        whole + is_log > 0,
        (whole + direction).astype(np.int8),
        np.full(len(found), float(sensitivity)),
    )


def score(detector: Detector, value: Any, **tuned: Any) -> Scored:
    return detector.score(np.zeros(1, detector.record), values(value, **tuned))


def naive(detector: Detector, value: F64) -> F64:
    """Rows of score, expected, lower and upper, each from a window sorted and summed anew."""
    found = np.full((4, len(value)), np.nan)
    for row in range(WARM_UP, len(value)):
        before, x = value[max(row - WINDOW, 0) : row], value[row]
        deviation, centre = float(np.std(before, ddof=1)), float(np.median(before))
        low = high = centre
        if detector is ZSCORE:
            low = high = centre = float(np.mean(before))
            scale, times = deviation, 3.0
        elif detector is MODIFIED_Z:
            scale = max(float(np.median(np.abs(before - centre))) / 0.6745, deviation)
            times = 3.5
        else:
            low, high = np.quantile(before, [0.25, 0.75])
            scale, times = max(high - low, 1.349 * deviation), 1.5
        fence = times * max(scale, 1e-12, 1e-6 * abs(centre))
        beyond = max(x - high, low - x, 0.0) / fence
        found[:, row] = beyond, centre, low - fence, high + fence
    return found


def is_close(scored: Scored, wanted: F64) -> None:
    told = np.array([scored.score, scored.expected, scored.lower, scored.upper])
    np.testing.assert_allclose(told, wanted, rtol=1e-9, atol=1e-9)


@EACH
@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(st.integers(-5, 5).map(float), st.floats(-1e6, 1e6)), min_size=0, max_size=60
    )
)
def test_short_series_are_scored_as_numpy_would(detector: Detector, value: list[float]) -> None:
    is_close(score(detector, value), naive(detector, np.array(value, np.float64)))


@EACH
@pytest.mark.parametrize("levels", [0, 4, 60])
def test_full_windows_are_scored_as_numpy_would(detector: Detector, levels: int) -> None:
    """Numbers that differ, and numbers of which many are equal."""
    value = np.random.default_rng(levels).normal(size=1400).cumsum()
    if levels:
        value = np.round(value / np.ptp(value) * levels)
    is_close(score(detector, value), naive(detector, value))


@EACH
def test_what_has_left_the_window_leaves_no_trace(detector: Detector) -> None:
    """Sums that are kept up would be off for ever, once 1e15 has passed through."""
    rng = np.random.default_rng(1)
    quiet = rng.normal(100.0, 1.0, 2 * WINDOW)
    huge = rng.normal(0.0, 1e15, WINDOW)
    found = score(detector, np.concatenate([huge, quiet]))
    is_close(
        Scored(
            *(told[-WINDOW:] for told in (found.score, found.expected, found.lower, found.upper))
        ),
        naive(detector, quiet)[:, -WINDOW:],
    )


@EACH
def test_chunks_and_other_series_in_between_change_nothing(detector: Detector) -> None:
    rng = np.random.default_rng(2)
    value, number = rng.normal(size=3000), rng.integers(0, 3, 3000)
    whole = detector.score(np.zeros(3, detector.record), values(value, number=number))
    records = np.zeros(3, detector.record)
    for begin, end in zip([0, 1, 400, 1777], [1, 400, 1777, 3000], strict=True):
        part = detector.score(records, values(value[begin:end], number=number[begin:end]))
        np.testing.assert_array_equal(part.score, whole.score[begin:end])
        records = np.frombuffer(records.tobytes(), detector.record).copy()
    alone = score(detector, value[number == 1])
    np.testing.assert_array_equal(alone.score, whole.score[number == 1])


@EACH
def test_only_the_direction_that_counts_is_scored_and_bounded(detector: Detector) -> None:
    value = [*np.random.default_rng(3).normal(size=50), 30.0, -30.0]
    both, up, down = (score(detector, value, direction=each) for each in (0, 1, -1))
    assert both.score[-2] > 1
    assert both.score[-1] > 1
    assert up.score[-2] == both.score[-2]
    assert up.score[-1] == 0
    assert down.score[-2] == 0
    assert down.score[-1] == both.score[-1]
    assert np.isnan(up.lower).all()
    assert up.upper[-1] == both.upper[-1]
    assert np.isnan(down.upper).all()
    assert down.lower[-1] == both.lower[-1]


@EACH
def test_sensitivity_multiplies_the_score_and_draws_the_bounds_nearer(detector: Detector) -> None:
    value = np.random.default_rng(4).normal(size=100)
    once, twice = score(detector, value), score(detector, value, sensitivity=2)
    np.testing.assert_allclose(twice.score, 2 * once.score)
    assert ((twice.score > 1) == (value < twice.lower) | (value > twice.upper))[WARM_UP:].all()


@EACH
def test_on_the_log_scale_distances_are_ratios_and_bounds_the_numbers_own(
    detector: Detector,
) -> None:
    value = np.exp(np.random.default_rng(5).normal(size=200))
    found, of_logs = score(detector, value, is_log=True), naive(detector, np.log(value))
    is_close(found, np.array([of_logs[0], *np.exp(of_logs[1:])]))


@EACH
def test_what_has_no_logarithm_is_neither_scored_nor_remembered(detector: Detector) -> None:
    value = np.exp(np.random.default_rng(6).normal(size=100))
    at = np.arange(5, 100, 10)
    with_others = np.insert(value, at, np.resize([0.0, -3.0], len(at)))
    found = score(detector, with_others, is_log=True)
    np.testing.assert_array_equal(
        found.score[with_others > 0], score(detector, value, is_log=True).score
    )
    assert np.isnan(found.score[with_others <= 0]).all()


@EACH
def test_a_constant_series_is_not_flagged_for_rounding_but_for_any_jump(detector: Detector) -> None:
    tenths = np.repeat([0.1 + 0.2, 0.3], 300)
    assert not (score(detector, tenths).score > 1).any()
    assert score(detector, [*tenths, 0.31]).score[-1] > 1


@EACH
def test_the_largest_of_numbers_is_flagged_and_poisons_nothing(detector: Detector) -> None:
    value = np.random.default_rng(7).normal(size=2 * WINDOW + 20)
    value[15] = 1.7e308
    found = score(detector, value)
    assert found.score[15] > 1e300
    assert np.isfinite(found.score[WARM_UP:]).all()
    np.testing.assert_allclose(found.score[-WINDOW:], naive(detector, value[20:])[0][-WINDOW:])


@pytest.mark.parametrize(
    ("detector", "normal", "heavy"),
    [(ZSCORE, 0.0029, 0.016), (MODIFIED_Z, 0.0005, 0.011), (IQR, 0.007, 0.027)],
)
def test_false_alarms_are_as_many_as_is_told(
    detector: Detector, normal: float, heavy: float
) -> None:
    """Of the guarantee of each; 3 degrees of freedom are heavy tails."""
    rng = np.random.default_rng(8)
    for value, told in ((rng.normal(size=100_000), normal), (rng.standard_t(3, 100_000), heavy)):
        share = (score(detector, value).score[WINDOW:] > 1).mean()
        assert 0.7 * told < share < 1.3 * told


@EACH
def test_scale_and_shift_of_a_series_change_no_score(detector: Detector) -> None:
    value = np.random.default_rng(9).normal(size=700)
    found = score(detector, value).score
    np.testing.assert_allclose(score(detector, 1000 * value + 5).score, found, rtol=1e-6)
