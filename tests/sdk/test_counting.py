"""Steps are counted once each, by however many threads, with the caller's own count between."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from crucible_telemetry.counting import Count


@given(st.integers(-10, 2**40), st.lists(st.one_of(st.none(), st.integers(-5, 2**40))))
def test_it_goes_on_from_the_number_taken_last(first: int, taken: list[int | None]) -> None:
    count = Count(first)
    expected_next, last = first, None
    for number in taken:
        got = count.take() if number is None else count.set(number)
        assert got == (expected_next if number is None else number)
        expected_next, last = got + 1, got
        assert (count.next, count.last) == (expected_next, last)
    assert (count.next, count.last) == (expected_next, last)


def test_looking_takes_nothing() -> None:
    count = Count(5)
    assert (count.last, count.next, count.next, count.take(), count.last) == (None, 5, 5, 5, 5)


def test_threads_take_each_number_once() -> None:
    count = Count()
    taken: list[int] = []

    def work() -> None:
        own = [count.take() for _ in range(5_000)]
        taken.extend(own)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(20_000))
