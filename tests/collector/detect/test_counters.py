"""Amounts of cumulative sums, resets included."""

from __future__ import annotations

import numpy as np

from crucible_collector.detect import counters
from crucible_collector.kernels import cache_directory

cache_directory()

INF, NAN = float("inf"), float("nan")


def amounts(
    values: list[float], starts: list[int] | None = None, chunk: int = 100
) -> list[float | None]:
    """What each value is taken for; None where nothing can be told."""
    records = np.zeros(1, counters.RECORD)
    found: list[float | None] = []
    for begin in range(0, len(values), chunk):
        value = np.array(values[begin : begin + chunk], np.float64)
        start = np.array((starts or [5] * len(values))[begin : begin + chunk], np.int64)
        has_amount = np.zeros(len(value), np.bool_)
        counters.amounts(records, np.zeros(len(value), np.int64), start, value, has_amount)
        found += [
            each if there else None
            for each, there in zip(value.tolist(), has_amount.tolist(), strict=True)
        ]
    return found


def test_a_counter_is_watched_by_what_it_grew_by() -> None:
    assert amounts([10, 15, 15, 40]) == [None, 5, 0, 25]


def test_a_counter_that_falls_has_begun_anew() -> None:
    assert amounts([10, 15, 3, 7]) == [None, 5, 3, 4]


def test_a_counter_whose_start_moves_on_has_begun_anew() -> None:
    assert amounts([10, 15, 20, 22], [5, 5, 9, 9]) == [None, 5, 20, 2]


def test_after_a_value_that_is_not_finite_nothing_can_be_told_of_one() -> None:
    assert amounts([10, INF, 12, 13]) == [None, INF, None, 1]
    first, second = amounts([NAN, 12])
    assert first is not None
    assert np.isnan(first)
    assert second is None


def test_how_values_are_cut_into_windows_changes_nothing() -> None:
    values = [float(each) for each in np.random.default_rng(2).integers(0, 50, 200)]
    assert amounts(values, chunk=1) == amounts(values, chunk=7) == amounts(values)
