"""Traces of a window are numbered as a dictionary would number them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.sample.windows import records
from crucible_collector.batch import Signal
from crucible_collector.candidates import Candidates
from crucible_collector.sample.memory import trace_keys
from crucible_collector.sample.traces import dense, number

IDS = [bytes(16), b"a" * 16, b"a" * 15 + b"b", b"b" + b"a" * 15, b"ab" * 8, bytes(15) + b"\1"]
RECORDS = st.lists(
    st.tuples(st.sampled_from(IDS), st.booleans(), st.sampled_from([None, 5, 6])), max_size=20
)


def window_of(lists: list[list[tuple[bytes, bool, int | None]]]) -> list[Candidates]:
    made = []
    for rows in lists:
        trace_id = np.frombuffer(b"".join(each for each, _, _ in rows), np.uint8).reshape(-1, 16)
        one = records(trace_id, wanted=[wanted for _, wanted, _ in rows])
        told = [value for _, _, value in rows]
        for row, value in enumerate(told):
            if value is not None:
                one.randomness[row] = value
        made.append(one)
    return made


@settings(deadline=None, max_examples=200)
@given(st.lists(RECORDS, max_size=3))
def test_numbers_follow_the_first_records(
    lists: list[list[tuple[bytes, bool, int | None]]],
) -> None:
    window, known, count = window_of(lists), dict[bytes, int](), 0
    expected, told = [], dict[int, int]()
    for rows, one in zip(lists, window, strict=True):
        numbers = []
        for row, (trace_id, wanted, value) in enumerate(rows):
            if not wanted:
                numbers.append(-1)
                continue
            place = count if trace_id == bytes(16) else known.setdefault(trace_id, count)
            count += place == count
            numbers.append(place)
            of_id = int.from_bytes(trace_id[9:], "big")
            is_told = value is not None and value != of_id and trace_id != bytes(16)
            if is_told and place not in told:
                told[place] = int(one.randomness[row])
        expected.append(numbers)
    found = number(window)
    assert [each.tolist() for each in found.of] == expected
    assert len(found) == count
    assert np.flatnonzero(found.is_explicit).tolist() == sorted(told)
    assert {place: int(found.randomness[place]) for place in told} == told
    assert int(found.is_trace.sum()) == len(known)
    assert len(np.unique(found.key[found.is_trace])) == len(known)


def test_a_trace_is_remembered_by_one_key_whatever_else_is_in_its_window() -> None:
    ids = np.random.default_rng(1).integers(0, 256, (100, 16), np.uint8)
    alone = [int(number([records(ids[row : row + 1])]).key[0]) for row in range(100)]
    assert number([records(ids)]).key.tolist() == alone
    assert len(np.unique(trace_keys(ids))) == 100


def test_records_are_counted_by_signal() -> None:
    ids = np.frombuffer(b"".join(IDS[1:3]), np.uint8).reshape(-1, 16)
    window = [
        records(ids[[0, 1, 0, 0]], wanted=[True, True, True, False]),
        records(ids[[1, 1]], signal=Signal.LOGS),
    ]
    traces = number(window)
    assert traces.count([0]).tolist() == [2, 1]
    assert traces.count([1]).tolist() == [0, 2]


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.data())
def test_dense_numbers_leave_none_out(trace: list[int], data: st.DataObject) -> None:
    at = data.draw(st.lists(st.sampled_from(range(len(trace))), unique=True))
    numbers, count = dense(np.array(trace), np.array(at, np.int64), 10)
    order = dict[int, int]()
    assert numbers.tolist() == [order.setdefault(trace[row], len(order)) for row in at]
    assert count == len(order)
