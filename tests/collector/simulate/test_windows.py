"""Stored records come in windows as they may have come: by their end, both signals, none lost."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.simulate.columns import SECOND_NS, Row, row, table
from crucible_collector.simulate.records import END, column
from crucible_collector.simulate.windows import WINDOW_NS, by_end, windows

TIMES = st.lists(st.tuples(st.integers(0, 40), st.sampled_from([0, 0, 1, 3, 50])), max_size=60)


def rows(times: list[tuple[int, int]]) -> list[Row]:
    """Spans in the order of their start: quarters of seconds at which they begin, and how many long."""
    return [
        row(number, at_s=begun / 4, duration_ns=long * SECOND_NS // 4)
        for number, (begun, long) in enumerate(sorted(times))
    ]


def batches(found: list[Row], size: int) -> Iterator[pa.Table]:
    return (table(found[at : at + size]) for at in range(0, len(found), size))


def ids(tables: list[pa.Table]) -> list[bytes]:
    return [each for one in tables for each in one.column("trace_id").to_pylist()]


def ends(one: pa.Table) -> list[int]:
    found: list[int] = column(one, END).tolist()
    return found


@given(times=TIMES, size=st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_every_row_comes_once_in_the_order_of_its_end(
    times: list[tuple[int, int]], size: int
) -> None:
    given_rows = rows(times)
    found = list(by_end(batches(given_rows, size)))
    assert sorted(ids(found)) == sorted(each["trace_id"] for each in given_rows)
    together = [end for one in found for end in ends(one)]
    assert together == sorted(together)


@given(spans=TIMES, logs=TIMES, size=st.integers(1, 9), most=st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_windows_are_short_and_small_and_hold_every_record_once_in_order(
    spans: list[tuple[int, int]], logs: list[tuple[int, int]], size: int, most: int
) -> None:
    of_spans, of_logs = rows(spans), rows([(at, 0) for at, _ in logs])
    found = list(windows(batches(of_spans, size), batches(of_logs, size), most))
    assert sorted(ids([each.spans for each in found])) == sorted(r["trace_id"] for r in of_spans)
    assert sorted(ids([each.logs for each in found])) == sorted(r["trace_id"] for r in of_logs)
    last = 0
    for each in found:
        together = sorted(ends(each.spans) + ends(each.logs))
        assert 1 <= len(together) == len(each) <= most
        assert last <= together[0]
        assert together[-1] - together[0] < WINDOW_NS
        assert each.until_ns == together[-1]
        last = together[-1]


def test_a_full_window_takes_of_both_signals_what_ended_first() -> None:
    spans = [row(each, at_s=0.001 * each) for each in range(20)]
    logs = [row(each, at_s=0.001 * each + 0.0005) for each in range(20)]
    first = next(windows([table(spans)], [table(logs)], 10))
    assert (len(first.spans), len(first.logs)) == (5, 5)


def test_a_long_span_waits_for_its_end_and_no_more_wait_than_may() -> None:
    long = [row(each, at_s=0, duration_ns=1000 * SECOND_NS) for each in range(30)]
    short = [row(100 + each, at_s=each) for each in range(20)]
    in_time = list(by_end([table(long), *batches(short, 5)]))
    assert ids(in_time)[:20] == [each["trace_id"] for each in short]
    crowded = list(by_end([table(long), *batches(short, 5)], 10))
    assert len(ids(crowded)) == 50
    assert ids(crowded)[:20] == [each["trace_id"] for each in long[:20]]


@pytest.mark.parametrize("long_s", [0, 5])
def test_what_waits_does_not_grow_with_the_period(long_s: int) -> None:
    """Of ten times as many rows, the largest table that is held is as large."""

    def largest(count: int) -> int:
        times = np.arange(count) / 50
        stream = (
            table(
                [row(n, at_s=times[n], duration_ns=long_s * SECOND_NS) for n in range(at, at + 100)]
            )
            for at in range(0, count, 100)
        )
        return max(len(one) for one in by_end(stream))

    assert largest(5000) <= largest(500) + 100 <= 100 + 50 * long_s + 200
