"""Events, their counts, and log records."""

from __future__ import annotations

import math
import uuid
from typing import Any, get_args

import pytest

from crucible_collector.api.parameters import Reason
from crucible_collector.candidates import KeepReason
from stored import TRACE, Api, Stored, at

OTHER_TRACE = uuid.UUID(int=7)


def test_an_event_is_told_in_full(stored: Stored, api: Api) -> None:
    span_id = stored.span(
        time=at(1.5),
        time_ns_rest=7,
        duration_ns=1_234_567,
        span_id=-2,
        parent_span_id=10,
        name="crucible_train.epoch",
        event_name="crucible_train.epoch.exception",
        kind=3,
        status_code=2,
        status_message="out of memory",
        model="tiny",
        input_tokens=5,
        cost_usd=0.25,
        events=[{"name": "exception"}],
        trace_state="ot=th:8",
        sample_probability=0.5,
        sample_threshold=1 << 55,
        upstream_threshold=1 << 54,
        keep_reason="error",
    )
    [event] = api.ask("/events")
    assert span_id == "fffffffffffffffe"
    expected: dict[str, Any] = {
        "time": "2026-11-23T10:00:01.500000007Z",
        "duration_ms": 1.234567,
        "trace_id": TRACE.hex,
        "span_id": span_id,
        "parent_span_id": "000000000000000a",
        "name": "crucible_train.epoch",
        "event_name": "crucible_train.epoch.exception",
        "kind": "client",
        "status": "error",
        "status_message": "out of memory",
        "correlation_id": TRACE.hex,
        "model": "tiny",
        "input_tokens": 5,
        "cost_usd": 0.25,
        "service_name": "trainer",
        "scope_name": "crucible",
        "events": [{"name": "exception"}],
        "links": [],
        "trace_state": "ot=th:8",
        "sample_probability": 0.5,
        "sample_threshold": "8",
        "upstream_probability": 0.75,
        "keep_reason": "error",
    }
    assert {name: event[name] for name in expected} == expected


def test_identity_that_was_lifted_into_columns_is_among_the_attributes_again(
    stored: Stored, api: Api
) -> None:
    stored.span(
        name="crucible_train.batch",
        experiment_id="sweep",
        run_id="run-1",
        condition="warm",
        correlation_id="order-4711",
        step=40,
        epoch=0,
        attributes={"crucible.rank": 3, "empty": None},
    )
    [event] = api.ask("/events")
    assert event["attributes"] == {
        "crucible.experiment.id": "sweep",
        "crucible.run.id": "run-1",
        "crucible.condition": "warm",
        "crucible.correlation.id": "order-4711",
        "crucible.step": 40,
        "crucible.epoch": 0,
        "crucible.rank": 3,
        "empty": None,
    }


def test_no_attribute_is_told_that_the_span_did_not_have(stored: Stored, api: Api) -> None:
    stored.resource(99, attributes={"crucible.run.id": "run-1", "host.name": "box"})
    stored.span(resource_id=99, run_id="run-1", name="epoch", event_name="epoch.stop")
    [event] = api.ask("/events")
    assert event["run_id"] == "run-1"
    assert event["attributes"] == {}
    assert event["resource_attributes"] == {"crucible.run.id": "run-1", "host.name": "box"}


def test_marks_of_what_json_cannot_say_are_told_as_stored(stored: Stored, api: Api) -> None:
    attributes = {
        "nan": {"$double": "NaN"},
        "raw": {"$bytes": "AAE="},
        "map": {"$kvlist": {"$x": 1}},
        "whole": 3.0,
        "large": 9223372036854775807,
    }
    stored.span(attributes=attributes, cost_usd=math.nan)
    [event] = api.ask("/events")
    assert event["attributes"] == attributes
    assert event["cost_usd"] == "NaN"
    assert '"whole": 3.0' in api.get("/api/v1/events").text


@pytest.mark.parametrize(
    ("threshold", "text"),
    [(None, None), (0, "0"), (1, "00000000000001"), ((1 << 56) - 1, "f" * 14), (0xC << 52, "c")],
)
def test_a_threshold_is_told_as_a_tracestate_has_it(
    stored: Stored, api: Api, threshold: int | None, text: str | None
) -> None:
    stored.span(sample_threshold=threshold)
    stored.log(sample_threshold=threshold, trace_id=TRACE)
    for path in ("/events", "/logs", f"/traces/{TRACE.hex}"):
        [row] = api.ask(path)
        assert row["sample_threshold"] == text
        assert row["upstream_probability"] is None


@pytest.mark.parametrize("of", ["events", "logs"])
def test_what_was_kept_for_a_reason_is_found_by_it(stored: Stored, api: Api, of: str) -> None:
    write = {"events": stored.span, "logs": stored.log}[of]
    for step, reason in enumerate(["random", "error", "slow", "error", None]):
        write(time=at(step), step=step, keep_reason=reason, experiment_id="sweep", trace_id=TRACE)
    for asked, steps in (
        ({"keep_reason": "error"}, [3, 1]),
        ({"keep_reason": "error,slow"}, [3, 2, 1]),
        ({"keep_reason": ["slow", "random"], "experiment": "sweep"}, [2, 0]),
        ({"keep_reason": "slow", "trace": TRACE.hex}, [2]),
        ({"keep_reason": "quota"}, []),
    ):
        assert [row["step"] for row in api.ask(f"/{of}", **asked)] == steps
    refused = api.get(f"/api/v1/{of}", keep_reason="error,fun")
    assert refused.status_code == 422
    assert refused.json()["error"]["details"][0]["parameter"] == "keep_reason"


def test_every_reason_of_the_samplers_can_be_asked_for() -> None:
    assert list(get_args(Reason)) == [reason.label for reason in KeepReason if reason]


EVENT_FILTERS: list[tuple[dict[str, object], str]] = [
    ({}, "edcba"),
    ({"experiment": "sweep"}, "cba"),
    ({"experiment": "sweep", "run": "run-1", "status": "error"}, "c"),
    ({"experiment": "sweep", "limit": 2}, "cb"),
    ({"experiment": "sweep", "trace": TRACE.hex}, "cba"),
    ({"experiment": "other"}, ""),
    ({"run": "run-1"}, "cb"),
    ({"event": "a.stop"}, "a"),
    ({"correlation": "order"}, "d"),
    ({"correlation": OTHER_TRACE.hex}, "e"),
    ({"trace": str(OTHER_TRACE)}, "ed"),
    ({"status": "error"}, "c"),
    ({"status": "unset", "run": "run-1"}, "b"),
    ({"from_": "2026-11-23T10:00:01Z", "to": "2026-11-23T10:00:03Z"}, "cb"),
    ({"run": "run-1", "limit": 1}, "c"),
]


def test_filters_narrow_events(stored: Stored, api: Api) -> None:
    stored.run("run-1", experiment_id="sweep")
    stored.span(name="a", time=at(0), experiment_id="sweep", event_name="a.stop")
    stored.span(name="b", time=at(1), experiment_id="sweep", run_id="run-1")
    stored.span(name="c", time=at(2), run_id="run-1", status_code=2)
    stored.span(name="d", time=at(3), trace_id=OTHER_TRACE, correlation_id="order")
    stored.span(name="e", time=at(4), trace_id=OTHER_TRACE)
    for filters, names in EVENT_FILTERS:
        found = "".join(event["name"] for event in api.ask("/events", **filters))
        assert (filters, found) == (filters, names)


@pytest.mark.parametrize("of", ["events", "logs"])
def test_what_an_experiment_has_page_by_page_is_everything_once(
    stored: Stored, api: Api, of: str
) -> None:
    for number in range(3):
        stored.run(f"run-{number}", experiment_id="sweep")
    stored.run("run-3", experiment_id="other")
    write = {"events": stored.span, "logs": stored.log}[of]
    for number in range(15):
        run = f"run-{number % 5}" if number % 5 < 4 else None
        write(time=at(number // 4), run_id=run, experiment_id="sweep", step=number)
    pages = list(api.pages(f"/{of}", experiment="sweep", limit=4))
    steps = [row["step"] for page in pages for row in page]
    assert sorted(steps) == [number for number in range(15) if number % 5 != 3]
    assert [len(page) for page in pages] == [4, 4, 4]


def test_events_that_arrive_between_two_pages_neither_shift_nor_repeat_any(
    stored: Stored, api: Api
) -> None:
    given = []
    before = {stored.span(time=at(second // 3), span_id=second - 5) for second in range(10)}
    for number, page in enumerate(api.pages("/events", limit=3)):
        given += [event["span_id"] for event in page]
        stored.span(time=at(100 + number))  # newer than all
        stored.span(time=at(3), span_id=100 + number)  # of the time at which a page ended
    assert len(given) == len(set(given))
    assert before <= set(given)


def test_the_same_span_stored_more_than_once_is_given_as_often(stored: Stored, api: Api) -> None:
    for _ in range(7):
        stored.span(span_id=1)
    stored.span(span_id=2, time=at(-1))
    pages = list(api.pages("/events", limit=3))
    assert [[event["span_id"][-1] for event in page] for page in pages] == [
        ["1", "1", "1"],
        ["1", "1", "1"],
        ["1", "2"],
    ]


def test_counts_by_name_are_exact_where_nothing_was_sampled(stored: Stored, api: Api) -> None:
    for second in range(3):
        stored.span(name="a", run_id="run-1", time=at(second), status_code=2 * (second == 0))
    stored.span(name="b", run_id="run-1")
    stored.span(name="c", run_id="run-2")
    assert api.ask("/events/counts", run="run-1") == [
        {
            "event_name": name,
            "count": count,
            "count_standard_error": 0,
            "count_interval": [count, count],
            "error_count": errors,
            "error_count_standard_error": 0,
            "error_count_interval": [errors, errors],
            "stored_count": count,
            "last_time": f"2026-11-23T10:00:0{count - 1}.000000000Z",
            "estimated": False,
            "interval_reliable": True,
        }
        for name, count, errors in (("a", 3, 1), ("b", 1, 0))
    ]


def test_event_names_page_by_page_are_all_names_once(stored: Stored, api: Api) -> None:
    for name in "abcde":
        stored.span(name=name)
    pages = list(api.pages("/events/counts", limit=2))
    assert [[count["event_name"] for count in page] for page in pages] == [
        ["a", "b"],
        ["c", "d"],
        ["e"],
    ]


def test_a_log_record_is_told_in_full(stored: Stored, api: Api) -> None:
    stored.log(
        time=at(1),
        time_ns_rest=1,
        observed_time=at(2),
        severity_number=17,
        severity_text="ERROR",
        body={"loss": {"$double": "NaN"}},
        trace_id=TRACE,
        span_id=-1,
        run_id="run-1",
        step=4,
        attributes={"line": 12},
    )
    [log] = api.ask("/logs")
    assert log["time"] == "2026-11-23T10:00:01.000000001Z"
    assert log["observed_time"] == "2026-11-23T10:00:02.000000000Z"
    assert (log["severity_number"], log["severity_text"]) == (17, "ERROR")
    assert log["body"] == {"loss": {"$double": "NaN"}}
    assert (log["trace_id"], log["span_id"]) == (TRACE.hex, "f" * 16)
    assert log["attributes"] == {"line": 12, "crucible.run.id": "run-1", "crucible.step": 4}


LOG_FILTERS: list[tuple[dict[str, object], str]] = [
    ({}, "cba"),
    ({"severity": "warn"}, "cb"),
    ({"severity": "18"}, "c"),
    ({"run": "run-1"}, "a"),
    ({"trace": TRACE.hex}, "b"),
    ({"trace": TRACE.hex, "severity": "error"}, ""),
    ({"experiment": "sweep"}, "ca"),
    ({"experiment": "sweep", "run": "run-1"}, "a"),
    ({"experiment": "sweep", "severity": "info", "limit": 1}, "c"),
    ({"to": "2026-11-23T10:00:01"}, "a"),
]


def test_filters_narrow_logs(stored: Stored, api: Api) -> None:
    stored.run("run-1", experiment_id="sweep")
    stored.log(time=at(0), body='"a"', severity_number=9, run_id="run-1")
    stored.log(time=at(1), body='"b"', severity_number=13, trace_id=TRACE)
    stored.log(time=at(2), body='"c"', severity_number=21, experiment_id="sweep")
    for filters, bodies in LOG_FILTERS:
        found = "".join(log["body"] for log in api.ask("/logs", **filters))
        assert (filters, found) == (filters, bodies)


def test_logs_of_the_very_same_time_are_all_given_once(stored: Stored, api: Api) -> None:
    for number in range(10):
        stored.log(body=str(number))
    pages = list(api.pages("/logs", limit=3))
    assert [len(page) for page in pages] == [3, 3, 3, 1]
    assert sorted(log["body"] for page in pages for log in page) == list(range(10))
