"""A reservoir keeps k traces of each stratum and window, no more and no fewer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from collector.sample.strategies.streams import (
    SECOND_NS,
    rows_of,
    run,
    single,
    strategy_of,
    stream,
    windows_of,
)
from crucible_collector.sample.strategies import reservoir


def test_a_reservoir_keeps_exactly_k_traces_of_each_stratum_and_window() -> None:
    """Whatever their number of records; all of them where there are no more than k."""
    settings = {"strategy": "reservoir", "k": 10, "window_s": 2, "by": ["run"]}
    given = stream(6, traces=3000, spans=3, seconds=30.0, runs=12, spread_s=0.0)
    outcome = run(strategy_of(settings), given)
    window = given.candidates.received_ns // (2 * SECOND_NS)
    for each in np.unique(window):
        for number in range(12):
            rows = (window == each) & (given.trace % 12 == number)
            traces = np.unique(given.trace[rows])
            kept = np.unique(given.trace[rows & outcome.keep])
            assert len(kept) == min(10, len(traces))
            if len(traces) <= 10:
                assert not outcome.threshold[rows].any()


def test_a_reservoir_that_would_not_fit_takes_less_of_every_stratum(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reservoir, "ENTRIES_MAX", 300)
    monkeypatch.setattr(reservoir, "_ROOM", 200)
    settings = {"strategy": "reservoir", "k": 40, "window_s": 600, "by": ["run"]}
    given = single(7, 4000, 10.0, runs=20)
    for rows_max in (100, 1000):
        windows = windows_of(given, rows_max, length_s=1e3)
        outcome = run(strategy_of(settings), given, windows)
        # 20 strata of 40 + 1 are 820, of 20 + 1 are 420, of 10 + 1 are 220.
        assert outcome.keep.sum() == 20 * 10


def test_what_comes_after_its_window_was_closed_has_a_threshold_of_the_window() -> None:
    settings = {"strategy": "reservoir", "k": 10, "window_s": 1}
    given = single(8, 2000, 10.0, events=1)
    strategy = strategy_of(settings)
    strategy.observe(rows_of(given, 0, len(given)))
    late = rows_of(given, 0, 5)
    strategy.observe(late)
    found = strategy.decide(rows_of(given, 0, 50)).threshold
    assert found.min() > 0
    assert np.array_equal(strategy.decide(late).threshold, found[:5])


@drawn(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), max_size=60),
    st.sampled_from([1, 1 << 12, 1 << 51]),
    st.integers(1, 5),
)
def test_the_largest_distinct_numbers_of_each_stratum_are_found(
    records: list[tuple[int, int]], step: int, k: int
) -> None:
    """However close together they are."""
    strata = np.array([stratum for stratum, _ in records], np.int32)
    numbers = np.array([number * step for _, number in records], np.int64)
    places, is_last = reservoir.largest(strata, numbers, k)
    found = [(int(strata[at]), int(numbers[at])) for at in places]
    distinct = {(int(s), int(n)) for s, n in zip(strata, numbers, strict=True)}
    wanted = [
        each
        for stratum in range(4)
        for each in sorted((d for d in distinct if d[0] == stratum), reverse=True)[: k + 1]
    ]
    assert found == wanted
    counts = np.bincount(strata[places], minlength=4)
    assert np.array_equal(np.bincount(strata[places][is_last], minlength=4), counts > k)
