"""Traces as trees, and everything under one correlation id."""

from __future__ import annotations

import uuid

from stored import TRACE, Api, Stored, at

OTHER_TRACE = uuid.UUID(int=7)


def test_a_trace_is_told_as_a_tree_whatever_the_order_of_arrival(stored: Stored, api: Api) -> None:
    stored.span(name="grandchild", span_id=3, parent_span_id=2, time=at(2))
    stored.span(name="second child", span_id=4, parent_span_id=1, time=at(3))
    stored.span(name="root", span_id=1, time=at(0))
    stored.span(name="first child", span_id=2, parent_span_id=1, time=at(1))
    stored.span(name="orphan", span_id=5, parent_span_id=77, time=at(4))
    stored.span(name="elsewhere", trace_id=OTHER_TRACE)

    spans = api.ask(f"/traces/{TRACE.hex}")
    assert [(s["name"], s["depth"], s["child_count"], s["parent_is_missing"]) for s in spans] == [
        ("root", 0, 2, False),
        ("first child", 1, 1, False),
        ("grandchild", 2, 0, False),
        ("second child", 1, 0, False),
        ("orphan", 0, 0, True),
    ]


def test_a_trace_may_be_asked_for_as_hex_or_uuid(stored: Stored, api: Api) -> None:
    stored.span()
    assert api.ask(f"/traces/{TRACE}") == api.ask(f"/traces/{TRACE.hex.upper()}")


def test_a_trace_page_by_page_is_every_span_once(stored: Stored, api: Api) -> None:
    ids = {stored.span(time=at(number // 3), parent_span_id=1) for number in range(10)}
    pages = list(api.pages(f"/traces/{TRACE.hex}", limit=4))
    given = [span["span_id"] for page in pages for span in page]
    assert len(given) == 10
    assert set(given) == ids


def test_a_trace_that_is_not_there_is_not_an_empty_one(stored: Stored, api: Api) -> None:
    stored.span()
    assert api.get(f"/api/v1/traces/{OTHER_TRACE}").status_code == 404
    assert api.get(f"/api/v1/traces/{TRACE}", to="2026-11-23T10:00:00Z").status_code == 404


def test_under_a_correlation_id_lie_events_and_logs_in_order_of_time(
    stored: Stored, api: Api
) -> None:
    stored.span(name="first", time=at(0), correlation_id="order")
    stored.log(time=at(1), body='"second"', correlation_id="order")
    stored.span(name="third", time=at(2), correlation_id="order", trace_id=OTHER_TRACE)
    stored.log(time=at(2), body='"fourth"', correlation_id="order")
    stored.span(name="another's", time=at(1), correlation_id="other")

    timeline = api.ask("/correlations/order")
    assert [entry["type"] for entry in timeline] == ["event", "log", "event", "log"]
    assert [(e["event"] or {}).get("name") or e["log"]["body"] for e in timeline] == [
        "first",
        "second",
        "third",
        "fourth",
    ]


def test_a_trace_id_is_the_correlation_id_of_what_has_none(stored: Stored, api: Api) -> None:
    stored.span(name="without", time=at(0))
    stored.span(name="with another", time=at(1), correlation_id="order")
    stored.span(name="with it", time=at(2), correlation_id=TRACE.hex, trace_id=OTHER_TRACE)
    stored.log(time=at(3), trace_id=TRACE)
    timeline = api.ask(f"/correlations/{TRACE.hex}")
    assert [(entry["event"] or {}).get("name") for entry in timeline] == [
        "without",
        "with it",
        None,
    ]


def test_a_timeline_page_by_page_is_everything_once_while_more_arrives(
    stored: Stored, api: Api
) -> None:
    spans = {
        stored.span(time=at(number // 4), correlation_id="order", span_id=number - 4)
        for number in range(9)
    }
    for number in range(9):
        stored.log(time=at(number // 4), correlation_id="order", body=str(number))
    events, logs = [], []
    for number, page in enumerate(api.pages("/correlations/order", limit=3)):
        events += [entry["event"]["span_id"] for entry in page if entry["event"]]
        logs += [entry["log"]["body"] for entry in page if entry["log"]]
        # A span sent at its end, behind the place that the cursor names.
        stored.span(time=at(0), correlation_id="order", span_id=-100 - number)
    assert len(events) == len(set(events))
    assert spans <= set(events)
    assert sorted(logs) == list(range(9))


def test_a_correlation_id_that_nothing_has_is_not_found(stored: Stored, api: Api) -> None:
    stored.span(correlation_id="order")
    assert api.get("/api/v1/correlations/another").status_code == 404
