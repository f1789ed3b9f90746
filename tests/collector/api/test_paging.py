"""Cursors and trees by themselves, on inputs nobody thought of."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible_collector.api.paging import Cursor, CursorError, cut, decode_cursor, fields
from crucible_collector.api.tree import in_tree_order

_STORABLE = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(st.lists(_STORABLE, max_size=4), st.integers(0, (1 << 31) - 1))
def test_a_cursor_reads_back_as_it_was_written(key: list[str], skip: int) -> None:
    cursor = Cursor(tuple(key), skip)
    assert decode_cursor(cursor.encode(), *key) == cursor


@given(st.text())
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    try:
        cursor = decode_cursor(text, "time")
    except CursorError:
        return
    assert isinstance(cursor, Cursor)
    assert len(cursor.key) == 1


@given(st.lists(st.integers(0, 3)), st.integers(1, 5))
def test_pages_cut_with_any_ties_are_all_rows_once(times: list[int], limit: int) -> None:
    rows = [json.dumps({"time": str(time), "n": n}) for n, time in enumerate(sorted(times))]
    given_rows: list[str] = []
    cursor = None
    while True:
        after = [row for row in rows if cursor is None or json.loads(row)["time"] >= cursor.key[0]]
        after = after[cursor.skip if cursor else 0 :][: limit + 1]
        page = cut(after, limit, fields("time"), cursor)
        given_rows += page.rows
        if page.next_cursor is None:
            break
        assert len(page.rows) == limit
        cursor = decode_cursor(page.next_cursor, "time")
    assert given_rows == rows


_SPANS = st.lists(
    st.tuples(st.integers(0, 6), st.none() | st.integers(0, 8)).map(
        lambda ids: {
            "span_id": str(ids[0]),
            "parent_span_id": None if ids[1] is None else str(ids[1]),
        }
    ),
    max_size=12,
)


@given(_SPANS)
def test_a_tree_has_every_span_once_and_children_behind_their_parents(
    spans: list[dict[str, Any]],
) -> None:
    ordered = in_tree_order([{**span, "n": n} for n, span in enumerate(spans)])
    assert sorted(span["n"] for span in ordered) == list(range(len(spans)))
    for place, span in enumerate(ordered):
        above = [each for each in ordered[:place] if each["depth"] == span["depth"] - 1]
        assert span["depth"] == 0 or above[-1]["span_id"] == span["parent_span_id"]


def test_a_ring_of_parents_is_told_from_its_earliest_span() -> None:
    ring = [
        {"span_id": "b", "parent_span_id": "a"},
        {"span_id": "a", "parent_span_id": "c"},
        {"span_id": "c", "parent_span_id": "b"},
    ]
    assert [(s["span_id"], s["depth"]) for s in in_tree_order(ring)] == [
        ("b", 0),
        ("c", 1),
        ("a", 2),
    ]


def test_a_tree_may_be_deeper_than_python_recurses() -> None:
    chain = [{"span_id": str(n), "parent_span_id": str(n - 1) if n else None} for n in range(5000)]
    assert in_tree_order(chain)[-1]["depth"] == 4999


@pytest.mark.parametrize("text", ["", "AA", "!!!"])
def test_texts_that_are_no_cursor_are_refused(text: str) -> None:
    with pytest.raises(CursorError):
        decode_cursor(text, "time")
