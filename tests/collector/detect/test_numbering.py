"""Numbers of series: dense, found again, bounded, the oldest let go first."""

from __future__ import annotations

import numpy as np
import pytest

from crucible_collector.detect.numbering import Numbering

PLENTY = 1 << 30


def test_a_series_keeps_its_number_through_growth() -> None:
    numbering = Numbering()
    keys = np.random.default_rng(1).permutation(np.arange(-5_000, 5_000))
    first, fresh = numbering.take(keys, 1, PLENTY)
    assert sorted(fresh.tolist()) == sorted(first.tolist())
    assert len(set(first.tolist())) == len(keys) == len(numbering)
    again, none = numbering.take(keys[::-1].copy(), 2, PLENTY)
    np.testing.assert_array_equal(again, first[::-1])
    assert len(none) == 0
    assert first.max() < numbering.capacity


def test_keys_that_come_twice_have_one_number() -> None:
    number, fresh = Numbering().take(np.array([7, 7, 0, -1, 0]), 1, PLENTY)
    assert number[0] == number[1]
    assert number[2] == number[4]
    assert len(fresh) == len(set(number.tolist())) == 3


def test_what_finds_no_room_is_left_for_later() -> None:
    numbering = Numbering()
    known, _ = numbering.take(np.arange(10), 1, 10)
    number, fresh = numbering.take(np.array([3, 100, 4, 101, 102]), 2, 1)
    assert number[0] == known[3]
    assert number[2] == known[4]
    assert len(number) == 3
    assert fresh.tolist() == [number[1]]


def test_the_oldest_leave_first_and_their_numbers_are_used_again() -> None:
    numbering = Numbering()
    old, _ = numbering.take(np.arange(0, 600), 1, PLENTY)
    young, _ = numbering.take(np.arange(600, 1000), 2, PLENTY)
    numbering.take(np.arange(0, 100), 3, PLENTY)
    assert numbering.forget(500) == 500
    assert len(numbering) == 500
    again, fresh = numbering.take(np.concatenate((np.arange(100), np.arange(600, 1000))), 4, PLENTY)
    np.testing.assert_array_equal(again, np.concatenate((old[:100], young)))
    assert len(fresh) == 0
    back, fresh = numbering.take(np.arange(100, 600), 5, PLENTY)
    assert sorted(back.tolist()) == sorted(fresh.tolist())
    assert numbering.capacity == 1024


def test_more_than_there_are_cannot_be_forgotten() -> None:
    numbering = Numbering()
    numbering.take(np.arange(3), 1, PLENTY)
    assert numbering.forget(10) == 3
    assert len(numbering) == 0
    assert numbering.forget(1) == 0


def test_what_is_live_can_be_restored() -> None:
    numbering = Numbering()
    numbering.take(np.arange(3_000), 1, PLENTY)
    numbering.take(np.arange(1_000), 2, PLENTY)
    numbering.forget(500)
    _, keys, ticks = numbering.live()
    other = Numbering()
    other.restore(keys, ticks)
    number, fresh = other.take(keys, 3, 0)
    np.testing.assert_array_equal(number, np.arange(len(keys)))
    assert len(fresh) == 0
    other.take(np.arange(10_000, 20_000), 4, PLENTY)
    assert len(other) == 2_500 + 10_000


@pytest.mark.parametrize(("keys", "ticks"), [([1, 1], [0, 0]), ([1, 2], [0]), ([[1, 2]], [[0, 0]])])
def test_what_is_no_numbering_is_not_restored(keys: list[int], ticks: list[int]) -> None:
    with pytest.raises(ValueError, match="numbering"):
        Numbering().restore(np.array(keys), np.array(ticks, np.int32))


def test_a_numbering_is_what_a_dictionary_would_be() -> None:
    """Random keys, rooms and forgetting: numbers are one to one with live keys at all times."""
    random = np.random.default_rng(5)
    numbering, known = Numbering(), dict[int, int]()
    for tick in range(1, 120):
        keys = random.integers(-400, 400, random.integers(1, 300))
        number, fresh = numbering.take(keys, tick, int(random.integers(1, 100)))
        for key, each in zip(keys[: len(number)].tolist(), number.tolist(), strict=True):
            assert known.setdefault(key, each) == each
        assert set(fresh.tolist()) <= set(number.tolist())
        if tick % 7 == 0:
            numbering.forget(int(random.integers(1, 200)))
            live, keys_now, _ = numbering.live()
            known = dict(zip(keys_now.tolist(), live.tolist(), strict=True))
        assert len(known) == len(set(known.values())) == len(numbering)


def test_neighbours_come_together_and_those_of_a_series_stay_in_order() -> None:
    numbering = Numbering()
    numbering.take(np.arange(20_000), 1, PLENTY)
    number = np.random.default_rng(7).integers(0, 20_000, 60_000).astype(np.int32)
    order = numbering.by_memory(number)
    assert order is not None
    np.testing.assert_array_equal(np.sort(order), np.arange(len(number)))
    assert (np.diff(number[order] >> 5) >= 0).all()
    np.testing.assert_array_equal(order, np.argsort(number >> 5, kind="stable"))
    assert Numbering().by_memory(number) is None
