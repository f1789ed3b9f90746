"""What comes too late is left out, and a series whose clock went back is followed."""

from __future__ import annotations

import numpy as np

from crucible_collector.batch import Bool
from crucible_collector.detect import order
from crucible_collector.detect.detector import NO_STEP
from crucible_collector.kernels import cache_directory

cache_directory()


class Series:
    """One series' order, given numbers of it window by window."""

    def __init__(self) -> None:
        self.records = np.zeros(1, order.RECORD)
        self.tick = 0

    def late(
        self, times: list[int], steps: list[int] | None = None, *, ordered: bool = True
    ) -> list[bool]:
        self.tick += 1
        count = len(times)
        is_late: Bool = np.zeros(count, np.bool_)
        order.late(
            self.records,
            np.zeros(count, np.int64),
            np.array(times, np.int64),
            np.array([NO_STEP] * count if steps is None else steps, np.int64),
            np.full(count, ordered),
            self.tick,
            is_late,
        )
        return [bool(each) for each in is_late]


def test_a_number_that_comes_again_is_late() -> None:
    series = Series()
    assert series.late([1, 2, 3]) == [False] * 3
    assert series.late([2, 3, 4]) == [True, True, False]


def test_steps_count_more_than_times() -> None:
    """A clock that stands still or goes back is no matter where steps go on."""
    series = Series()
    assert series.late([10, 10, 5], [0, 1, 2]) == [False] * 3
    assert series.late([20], [1]) == [True]


def test_a_step_that_is_told_again_later_is_new() -> None:
    series = Series()
    assert series.late([10, 11, 11], [4, 4, 4]) == [False, False, True]


def test_series_without_an_order_have_nothing_late() -> None:
    assert Series().late([3, 1, 2, 1], ordered=False) == [False] * 4


def test_a_clock_that_was_set_back_is_followed_after_a_while() -> None:
    series = Series()
    series.late([1_000_000])
    told = [series.late([10 + number])[0] for number in range(order.LATE_MAX + 5)]
    assert told == [True] * (order.LATE_MAX - 1) + [False] * 6


def test_a_training_that_is_taken_up_from_a_checkpoint_is_followed_after_a_while() -> None:
    series = Series()
    series.late([100], [500])
    told = [series.late([101 + number], [200 + number])[0] for number in range(20)]
    assert told == [True] * (order.LATE_MAX - 1) + [False] * (20 - order.LATE_MAX + 1)


def test_one_window_with_a_resent_request_changes_nothing() -> None:
    series = Series()
    series.late(list(range(100)))
    assert series.late(list(range(100))) == [True] * 100
    assert series.late([50]) == [True]
    assert series.late([100]) == [False]


def test_a_jump_ahead_does_not_hide_what_follows_for_ever() -> None:
    """One number of the future, then the clock is right again."""
    series = Series()
    series.late([1, 2, 1_000_000])
    told = [each for number in range(3, 40) for each in series.late([number])]
    assert sum(told) == order.LATE_MAX - 1
    assert not told[-1]
