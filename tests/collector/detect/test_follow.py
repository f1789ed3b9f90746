"""Periods of flags."""

from __future__ import annotations

import numpy as np

from crucible_collector.detect import follow
from crucible_collector.detect.detector import Severities, Severity
from crucible_collector.kernels import cache_directory

cache_directory()

NAN = float("nan")
WARNING = Severities(least=Severity.WARNING)
RISING = Severities(warning_count=3, critical_score=5.0)


def followed(
    scores: list[float],
    severities: Severities = WARNING,
    *,
    quiet_max: int = 2,
    least: Severity = Severity.INFO,
    chunk: int = 100,
) -> tuple[list[int], list[int]]:
    """What became of each score, and how severe it is."""
    records = np.zeros(1, follow.RECORD)
    became, severity = np.zeros(len(scores), np.uint8), np.zeros(len(scores), np.uint8)
    for begin in range(0, len(scores), chunk):
        part = slice(begin, begin + chunk)
        count = len(scores[part])
        follow.follow(
            records,
            np.zeros(count, np.int64),
            np.array(scores[part], np.float64),
            follow.thresholds(severities),
            np.full(count, int(least)),
            quiet_max,
            became[part],
            severity[part],
        )
    return became.tolist(), severity.tolist()


def test_flags_that_follow_each_other_are_one_period() -> None:
    became, _ = followed([0, 2, 0.5, 2, 0, 0, 0, 2])
    assert became == [
        follow.NOTHING,
        follow.OPENS,
        follow.NOTHING,
        follow.GOES_ON,
        follow.NOTHING,
        follow.ENDS,
        follow.NOTHING,
        follow.OPENS,
    ]


def test_a_score_of_exactly_one_is_no_flag() -> None:
    assert followed([1.0, 1.0])[0] == [follow.NOTHING] * 2


def test_values_that_were_not_tested_end_nothing() -> None:
    assert followed([2, NAN, NAN, NAN, 2])[0] == [follow.OPENS, 0, 0, 0, follow.GOES_ON]


def test_severity_rises_with_the_number_of_flags_and_with_the_score() -> None:
    assert followed([2, 2, 2, 6], RISING)[1] == [0, 0, 1, 2]


def test_a_period_is_told_from_when_it_is_as_severe_as_is_wanted() -> None:
    became, _ = followed([2, 2, 2, 2, 0, 0], RISING, least=Severity.WARNING)
    assert became == [0, 0, follow.OPENS, follow.GOES_ON, 0, follow.ENDS]


def test_a_period_that_was_never_told_has_no_end() -> None:
    assert followed([2, 2, 0, 0, 2, 2], RISING, least=Severity.WARNING)[0] == [follow.NOTHING] * 6


def test_how_values_are_cut_into_windows_changes_nothing() -> None:
    scores = (np.random.default_rng(3).random(300) * 2).tolist()
    assert (
        followed(scores, RISING, chunk=1)
        == followed(scores, RISING, chunk=11)
        == followed(scores, RISING)
    )


def test_severities_say_the_same_as_the_kernel() -> None:
    """`Severities.of` is for who has one flag, the kernel for all of a window."""
    scores = [1.5, 4.9, 5.0, 1.1]
    assert followed(scores, RISING)[1] == [
        int(RISING.of(score, count)) for count, score in enumerate(scores, 1)
    ]
