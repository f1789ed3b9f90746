"""Strata have dense numbers in bounded memory, and what is known of each stays its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.sample.strategies.streams import rows_of, stream
from crucible_collector.candidates import U64
from crucible_collector.sample.strategies.strata import (
    OTHER_NUMBER,
    Names,
    Strata,
    keys_of,
    label_of,
)
from crucible_collector.sample.strategy_settings import OTHER


def hashes(numbers: Any) -> U64:
    """Some hash of each number; many fall into the same place of a small table."""
    return np.asarray(numbers, np.uint64) * np.uint64(0x100000001)


def test_equal_keys_have_one_number_and_different_ones_do_not() -> None:
    strata = Strata()
    keys = hashes(np.random.default_rng(1).integers(0, 5000, 30_000))
    numbers = strata.numbers(keys)
    assert strata.count == len(np.unique(keys)) == len(np.unique(numbers))
    assert len(np.unique(np.stack([keys, numbers.astype(np.uint64)]), axis=1).T) == strata.count
    assert np.array_equal(strata.numbers(keys), numbers)
    assert np.array_equal(strata.find(keys), numbers)
    assert OTHER_NUMBER not in numbers
    assert not strata.find(hashes([6000])).any()


@given(st.lists(st.lists(st.integers(0, 40), max_size=30), max_size=20), st.booleans())
def test_what_is_known_of_a_stratum_stays_with_it_while_it_is_known(
    windows: list[list[int]], restarts: bool
) -> None:
    """Against a dictionary: a stratum that was forgotten begins anew, no other is touched."""
    strata, counts = Strata({"count": (np.int64, 0)}, limit=16), dict[int, int]()
    for window in windows:
        numbers = strata.numbers(hashes(window))
        known = strata.count
        assert known <= 16
        for key, number in zip(window, numbers, strict=True):
            if number == OTHER_NUMBER:
                assert len(set(window)) > 16
                continue
            before = int(strata["count"][number])
            assert before in {0, counts.get(key, 0)}
            counts[key] = before + 1
            strata["count"][number] += 1
        if restarts:
            again = Strata({"count": (np.int64, 0)}, limit=16)
            again.restore({name: each.copy() for name, each in strata.state().items()})
            strata = again


def test_those_that_were_not_seen_for_longest_leave_first_and_are_counted() -> None:
    strata = Strata(limit=1600)
    strata.numbers(hashes(np.arange(1600)))
    strata.numbers(hashes(np.arange(800)))
    strata.numbers(hashes(np.arange(2000, 2050)))
    assert strata.evicted_count == 100  # a sixteenth at once
    assert strata.find(hashes(np.arange(800))).all()
    assert np.count_nonzero(strata.find(hashes(np.arange(800, 1600)))) == 700


def test_what_does_not_fit_into_one_window_shares_a_stratum() -> None:
    strata = Strata(limit=100)
    numbers = strata.numbers(hashes(np.arange(300)))
    assert np.count_nonzero(numbers == OTHER_NUMBER) == 200
    assert strata.count == 100


def test_states_of_other_columns_are_refused() -> None:
    state = Strata({"count": (np.int64, 0)}).state()
    for other in ({"rate": (np.float64, 0.0)}, {"count": (np.int64, 0, 3)}):
        with pytest.raises(ValueError, match="state"):
            Strata(other).restore(state)
    with pytest.raises(ValueError, match="sizes"):
        Strata({"count": (np.int64, 0)}, limit=20).restore(state)


def test_a_stratum_is_named_by_the_labels_of_its_records() -> None:
    rows = rows_of(stream(1, traces=200), 0, 300)
    by = ("event", "status", "model")
    numbers = Strata().numbers(keys_of(rows, by))
    names = Names(by)
    assert names.name(1) == OTHER
    names.remember(rows, numbers)
    for place, number in enumerate(numbers):
        assert names.name(int(number)) == label_of(rows, by, place)
    labels = {label_of(rows, by, place) for place in range(300)}
    assert len(labels) == len(np.unique(numbers))
    assert "app.event_0/unset/small" in labels
