"""What is remembered of traces: as a dictionary would, within bounds, the oldest forgotten first."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible_collector.candidates import U64
from crucible_collector.sample import memory as memory_module
from crucible_collector.sample.memory import Generations, packed_keys, trace_keys


def keys(*values: int) -> U64:
    return np.array(values, np.uint64)


def remember(memory: Generations, *values: int) -> None:
    memory.put(keys(*values), np.array(values, np.int64).reshape(-1, 1) * 10)


def known(memory: Generations, *values: int) -> list[bool]:
    return list(memory.get(keys(*values))[1].tolist())


@settings(deadline=None)  # a kernel compiles at its first call
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 300), st.integers(-(2**63), 2**63 - 1)), max_size=40),
        max_size=12,
    )
)
def test_what_fits_is_known_as_a_dictionary_knows_it(
    batches: list[list[tuple[int, int]]],
) -> None:
    memory, model = Generations(512, width=2), dict[int, int]()
    for batch in batches:
        values = np.array([[value, ~value] for _, value in batch], np.int64).reshape(-1, 2)
        memory.put(keys(*[key for key, _ in batch]), values)
        # 0 and 1 are one key: 0 marks an empty slot.
        model.update((max(key, 1), value) for key, value in batch)
        found, is_found = memory.get(keys(*range(1, 302)))
        assert np.flatnonzero(is_found).tolist() == sorted(key - 1 for key in model)
        for key, value in model.items():
            assert found[key - 1].tolist() == [value, ~value]
    assert memory.evicted_count == 0


def test_the_newest_entries_are_known_and_no_more_than_two_generations() -> None:
    memory = Generations(16)
    for value in range(1, 1001):
        remember(memory, value)
        assert all(known(memory, *range(max(1, value - 15), value + 1)))
        assert len(memory) <= 32
    found = known(memory, *range(1, 1001))
    assert sum(found) == len(memory)
    assert memory.evicted_count == 1000 - len(memory)


def test_what_is_put_again_stays_and_is_not_counted_as_evicted() -> None:
    memory = Generations(16)
    for value in range(2, 1000):
        remember(memory, 1, value)
        assert known(memory, 1) == [True]
    assert memory.evicted_count == 999 - sum(known(memory, *range(1, 1000)))


def test_entries_that_are_of_no_use_any_more_are_not_counted_as_evicted() -> None:
    memory = Generations(16)
    memory.live_from = 500 * 10
    remember(memory, *range(1, 1001))
    assert memory.evicted_count == 501 - sum(known(memory, *range(500, 1001)))


def test_a_full_memory_takes_what_was_announced() -> None:
    memory = Generations(1 << 15)
    assert memory.size_bytes < 100_000
    remember(memory, *range(1, 200_000))
    assert memory.size_bytes == 2 * 2 * (1 << 15) * 16


def test_restored_it_knows_the_same_and_forgets_in_the_same_order() -> None:
    one, other = Generations(64), Generations(64)
    remember(one, *range(1, 100))
    other.restore(one.state())
    for more in range(100, 300):
        remember(one, more)
        remember(other, more)
        everything = keys(*range(1, 301))
        assert [each.tolist() for each in one.get(everything)] == [
            each.tolist() for each in other.get(everything)
        ]


def test_the_example_is_true() -> None:
    found = doctest.testmod(memory_module)
    assert found.attempted > 0
    assert not found.failed


@pytest.mark.parametrize("other", [Generations(64, width=2), Generations(128)])
def test_the_state_of_another_memory_is_refused_and_changes_nothing(other: Generations) -> None:
    memory = Generations(64)
    remember(memory, 7)
    other.put(keys(*range(1, 100)), np.ones((99, other.get(keys(1))[0].shape[1]), np.int64))
    with pytest.raises(ValueError, match="not those of this memory"):
        memory.restore(other.state())
    assert known(memory, 7) == [True]


def test_the_bound_is_a_power_of_two() -> None:
    with pytest.raises(ValueError, match="entries_max = 100: expected a power of two"):
        Generations(100)


@settings(deadline=None)  # a kernel compiles at its first call
@given(st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=50, unique=True))
def test_keys_tell_traces_apart(ids: list[bytes]) -> None:
    found = trace_keys(np.frombuffer(b"".join(ids), np.uint8).reshape(-1, 16))
    assert len(np.unique(found)) == len(ids)


def test_keys_depend_on_every_word_and_on_the_order() -> None:
    one, two = keys(1, 1, 2, 0), keys(2, 3, 1, 0)
    found = packed_keys(one, two)
    assert len(np.unique(found)) == 4
    assert (packed_keys(one, two, one) != found).all()
