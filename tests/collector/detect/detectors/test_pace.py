"""Steps that come more slowly, and steps that are waited for; validation and resumed runs are neither."""

from __future__ import annotations

import numpy as np

from collector.detect.detectors.courses import F64, I64, SECOND_NS, delays, flagged, scored
from crucible_collector.detect.detector import NO_STEP, Scored
from crucible_collector.detect.detectors.pace import PACE


def paced(
    took_s: F64, *, step: I64 | None = None, epoch: I64 | None = None, sensitivity: float = 1.0
) -> Scored:
    time_ns = (np.cumsum(took_s) * SECOND_NS).astype(np.int64)
    ones = np.ones(len(took_s))
    return scored(
        PACE, ones, time_ns=time_ns, step=step, epoch=epoch, direction=-1, sensitivity=sensitivity
    )


def steps(count: int, seed: int = 0, deviation: float = 0.2, mean_s: float = 1.0) -> F64:
    return mean_s * np.random.default_rng(seed).lognormal(0.0, deviation, count)


def test_steady_steps_never_alarm() -> None:
    for deviation in (0.0, 0.05, 0.5):
        assert flagged(paced(steps(20_000, 1, deviation, 0.02))) == []


def test_half_the_pace_is_found() -> None:
    def slower(seed: int) -> list[int]:
        took_s = steps(1000, seed)
        took_s[500:] *= 2.0
        return flagged(paced(took_s))

    assert np.percentile(delays(slower, 500, 40), 95) <= 32


def test_fast_steps_have_to_be_slower_for_a_while() -> None:
    took_s = steps(4000, mean_s=0.01)
    took_s[1000:2000] *= 3.0  # 30 s of 30 ms
    at = flagged(paced(took_s))
    assert 1000 + 15 / 0.03 - 20 < min(at) < 1000 + 15 / 0.03 + 40


def test_a_step_that_is_waited_for_is_found_with_the_step_that_ends_it() -> None:
    took_s = steps(500)
    took_s[300] = 60.0
    found = paced(took_s)
    assert flagged(found) == [300]
    assert found.value is not None
    assert abs(found.value[300] - 1 / 60) < 1e-6
    assert 0.7 < found.expected[300] < 1.3


def test_pauses_of_less_than_a_second_are_none() -> None:
    took_s = steps(500, mean_s=0.01)
    took_s[300] = 0.9
    assert flagged(paced(took_s)) == []


def test_recurring_pauses_are_told_once() -> None:
    took_s = steps(5000)
    took_s[500::500] = np.linspace(30, 40, len(took_s[500::500]))
    assert flagged(paced(took_s)) == [500]


def test_a_pause_of_more_than_twice_the_longest_is_told_again() -> None:
    took_s = steps(2000)
    took_s[[500, 1000, 1500]] = 30.0, 50.0, 110.0
    assert flagged(paced(took_s)) == [500, 1500]


def test_epoch_boundaries_do_not_alarm() -> None:
    took_s, epoch = steps(2000), np.arange(2000) // 100
    took_s[::100] = np.random.default_rng(1).uniform(20.0, 100.0, 20)
    assert flagged(paced(took_s, epoch=epoch)) == []


def test_a_wait_between_epochs_that_is_ten_times_the_longest_is_found() -> None:
    took_s, epoch = steps(2000), np.arange(2000) // 100
    took_s[::100] = 5.0
    took_s[1500] = 120.0
    assert flagged(paced(took_s, epoch=epoch)) == [1500]


def test_a_resumed_run_was_not_slow() -> None:
    took_s = steps(1000)
    took_s[600] = 7200.0
    step = np.concatenate([np.arange(600), np.arange(500, 900)])
    assert flagged(paced(took_s, step=step)) == []


def test_steps_that_are_not_reported_count() -> None:
    every_tenth = np.arange(0, 5000, 10)
    took_s = 10 * steps(500)
    found = paced(took_s, step=every_tenth)
    assert flagged(found) == []
    assert found.value is not None
    assert 0.9 < np.nanmedian(found.value) < 1.1
    thinner = np.concatenate([np.arange(300), 300 + 10 * np.arange(200)])
    assert flagged(paced(np.where(thinner < 300, 1.0, 10.0), step=thinner)) == []


def test_times_that_are_the_same_tell_nothing() -> None:
    took_s = np.zeros(200)
    took_s[::2] = 1.0
    found = paced(took_s, step=np.full(200, NO_STEP))
    assert np.isnan(found.score[1::2]).all()
    assert flagged(found) == []


def test_sensitivity_moves_the_limit() -> None:
    took_s = steps(1000, deviation=0.05)
    took_s[500:] *= 1.4
    assert flagged(paced(took_s)) == []
    assert flagged(paced(took_s, sensitivity=1.5))
