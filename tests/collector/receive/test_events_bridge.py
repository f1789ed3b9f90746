"""What the Elixir packages send becomes the spans that our own SDK would have sent."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.receive.bridging import (
    T_NS,
    T_US,
    attributes_of,
    bridged,
    event,
    refused,
    span_of,
    spans_of,
)
from crucible_collector.batch import Signal
from crucible_collector.errors import MalformedError, TooLargeError
from crucible_collector.receive import events_bridge
from crucible_collector.receive.check import check
from crucible_collector.receive.events_bridge import bridge, read_events
from crucible_collector.receive.events_bridge_event import Sent
from crucible_collector.receive.limits import Limits
from rows_of import RECEIVED_NS

ERROR = 2  # OTLP Status.StatusCode


def test_an_epoch_s_stop_is_the_span_that_ends_with_it() -> None:
    span = span_of(
        event(
            ["crucible_train", "epoch", "stop"],
            measurements={"duration": 5_000_000_000, "loss": 0.25, "optim/entropy": 1},
            metadata={"run_id": "run-7", "epoch": 3, "learning_rate": 0.1},
        )
    )
    assert span.name == "crucible_train.epoch"
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (T_NS - 5 * 10**9, T_NS)
    assert attributes_of(span) == {
        "crucible.measurement.loss": 0.25,
        "crucible.measurement.optim/entropy": 1,
        "crucible.measurement.learning_rate": 0.1,
        "crucible.run.id": "run-7",
        "crucible.epoch": 3,
    }
    assert span.status.code == 0


def test_a_start_is_the_mark_that_the_sdk_sends() -> None:
    span = span_of(event("crucible_train.training.start", metadata={"run_id": "r"}))
    assert span.name == "crucible_train.training.start"
    assert span.start_time_unix_nano == span.end_time_unix_nano == T_NS


def test_a_start_without_a_timestamp_has_its_system_time() -> None:
    sent = event("forge.stage.start", measurements={"system_time": T_NS + 7}, timestamp=None)
    span = span_of(sent)
    assert span.end_time_unix_nano == T_NS + 7
    assert attributes_of(span) == {}
    assert not bridged(sent).is_anonymous


def test_an_exception_fails_its_span_and_says_how() -> None:
    span = span_of(
        event(
            "crucible_train.training.exception",
            measurements={"duration": 1000},
            metadata={"kind": "error", "reason": "boom", "stacktrace": "a.ex:1"},
        )
    )
    assert (span.name, span.status.code, span.status.message) == (
        "crucible_train.training",
        ERROR,
        "boom",
    )
    assert attributes_of(span)["crucible.error.reason"] == "boom"
    (exception,) = span.events
    assert exception.name == "exception"
    assert attributes_of(exception) == {
        "exception.type": "error",
        "exception.message": "boom",
        "exception.stacktrace": "a.ex:1",
    }


@pytest.mark.parametrize(
    ("name", "measurements", "length_ns"),
    [
        ("crucible_framework.stage.stop", {"duration": 1500}, 1500),
        ("crucible_ensemble.predict.stop", {"duration": 1500}, 1_500_000),
        ("crucible_ensemble.predict.stop", {"duration": 1.5}, 1500),
        ("crucible_hedging.request.stop", {"duration": 1500}, 1_500_000_000),
        ("research_harness.task.complete", {"duration": 2}, 2_000_000),
        ("nsai_work.job.completed", {"duration_ms": 2}, 2_000_000),
        ("somebody.else.stop", {"duration": 1500}, 1500),
        ("somebody.else.done", {"duration_ms": 2.5}, 2_500_000),
    ],
)
def test_a_duration_is_in_the_unit_of_its_producer(
    name: str, measurements: dict[str, Any], length_ns: int
) -> None:
    span = span_of(event(name, measurements=measurements))
    assert span.end_time_unix_nano == T_NS
    assert span.end_time_unix_nano - span.start_time_unix_nano == length_ns
    assert not any("duration" in key for key in attributes_of(span))


@pytest.mark.parametrize("value", ["fast", True, [1], -1, math.nan, math.inf, 1 << 63, 10**400])
def test_a_duration_that_is_none_refuses_its_event(value: Any) -> None:
    sent = event("crucible_framework.stage.stop", measurements={"duration": value})
    assert refused(sent) == "invalid_duration"


def test_a_duration_of_nothing_is_not_told() -> None:
    assert refused(event("a.b.stop", measurements={"duration": 1 << 62})) == "invalid_duration"
    span = span_of(event("a.b.stop", measurements={"duration": None}))
    assert span.start_time_unix_nano == T_NS


@pytest.mark.parametrize(
    ("timestamp", "ns"),
    [
        (T_US, T_NS),
        (T_US // 1000, T_NS),
        (T_US / 1e6, T_NS),
        (T_NS + 7, T_NS + 7),
        (str(T_US), T_NS),
        ("2026-11-23T09:59:00Z", 1_795_427_940_000_000_000),
        ("2026-11-23T10:59:00.123456+01:00", 1_795_427_940_123_456_000),
        ("2026-11-23T09:59:00.5", 1_795_427_940_500_000_000),
        (None, RECEIVED_NS),
    ],
)
def test_a_timestamp_is_told_by_its_magnitude_or_is_iso_8601(timestamp: Any, ns: int) -> None:
    assert span_of(event("a.b.c", timestamp=timestamp)).end_time_unix_nano == ns


@pytest.mark.parametrize(
    "timestamp",
    [
        0,
        -1,
        True,
        [],
        {},
        "",
        "soon",
        math.nan,
        math.inf,
        10**400,
        1 << 63,
        "1066-10-14",
        "2026-13-01",
    ],
)
def test_a_timestamp_that_is_none_refuses_its_event(timestamp: Any) -> None:
    assert refused(event("a.b.c", timestamp=timestamp)) == "invalid_timestamp"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (7, "invalid_event"),
        (None, "invalid_event"),
        ([], "invalid_event"),
        ({}, "invalid_event_name"),
        ({"event_name": ""}, "invalid_event_name"),
        ({"event_name": []}, "invalid_event_name"),
        ({"event_name": ["a", 7]}, "invalid_event_name"),
        ({"event_name": ["a", ":"]}, "invalid_event_name"),
        ({"event_name": "x" * 257}, "invalid_event_name"),
        ({"event_name": "a.b", "measurements": 7}, "invalid_measurements"),
        ({"event_name": "a.b", "metadata": ["x"]}, "invalid_metadata"),
    ],
)
def test_what_is_no_event_is_refused(sent: Any, code: str) -> None:
    assert refused(sent) == code


def test_a_bad_event_costs_no_other_one() -> None:
    made = bridged(event("a.b.c"), 7, event("a.b.d", source="other"), {}, event("a.b.e"))
    assert [problem.index for problem in made.problems] == [1, 3]
    # Grouped by their source; `indices` tells which is which.
    named = dict(zip(made.indices, (span.name for span in spans_of(made)), strict=True))
    assert named == {0: "a.b.c", 2: "a.b.d", 4: "a.b.e"}


@pytest.mark.parametrize(
    ("name", "span_name", "phase"),
    [
        ("crucible_kitchen.stage.run.stop", "crucible_framework.stage", "stop"),
        ("crucible_kitchen.training.epoch", "crucible_train.epoch", "stop"),
        (["hedging", "request", "start"], "crucible_hedging.request.start", "start"),
        ([":ensemble", ":vote", ":completed"], "crucible_ensemble.vote.complete", "point"),
    ],
)
def test_an_alias_is_bridged_as_the_event_it_means_and_its_own_name_is_kept(
    name: Any, span_name: str, phase: str
) -> None:
    span = span_of(event(name))
    assert span.name == span_name
    sent = name if isinstance(name, str) else ".".join(part.strip(":") for part in name)
    assert attributes_of(span)["crucible.event.name"] == sent


@pytest.mark.parametrize("name", ["my_app.thing.done", "my_app.thing.start", "Done"])
def test_what_is_posted_calls_itself_an_event_also_where_the_registry_does_not_know_it(
    name: str,
) -> None:
    assert attributes_of(span_of(event(name)))["crucible.event.name"] == name


def test_an_unknown_event_is_a_span_of_its_own_with_all_that_it_says() -> None:
    span = span_of(
        event(
            "somebody.thing.done",
            measurements={"count": 3, "deep": {"er": 0.5}, "result": "ok"},
            metadata={
                "run_id": "r",
                "step": 4,
                "colour": "red",
                "nested": {"a": [1, {"b": None}]},
                "list": [1, 2],
                "mixed": [1, "a"],
                "empty": [],
                "nothing": None,
                "big": 1 << 70,
            },
        )
    )
    assert span.name == "somebody.thing.done"
    assert attributes_of(span) == {
        "crucible.event.name": "somebody.thing.done",
        "crucible.measurement.count": 3,
        "crucible.measurement.deep.er": 0.5,
        "crucible.thing.result": "ok",
        "crucible.run.id": "r",
        "crucible.step": 4,
        "crucible.thing.colour": "red",
        "crucible.thing.nested": '{"a": [1, {"b": null}]}',
        "crucible.thing.list": [1, 2],
        "crucible.thing.mixed": '[1, "a"]',
        "crucible.thing.empty": [],
        "crucible.thing.big": str(1 << 70),
    }


@pytest.mark.parametrize(
    "metadata",
    [
        {"error": "timeout"},
        {"error": {"code": 7}},
        {"exception": "boom"},
        {"success": False},
        {"ok": False},
        {"status": "failed"},
        {"result": "error"},
        {"result": ["error", "closed"]},
        {"outcome": "error"},
        {"kind": "error", "reason": "badarg"},
    ],
)
def test_a_failure_is_a_failure_however_it_is_said(metadata: dict[str, Any]) -> None:
    span = span_of(event("crucible_framework.stage.stop", metadata=metadata))
    assert span.status.code == ERROR
    # It was sent as a stop and stays one, though spans that fail end with an exception.
    assert attributes_of(span)["crucible.event.name"] == "crucible_framework.stage.stop"


@pytest.mark.parametrize(
    ("name", "metadata"),
    [
        ("llm_guard.pipeline.complete", {"error": False}),
        ("llm_guard.pipeline.complete", {"error": "nil"}),
        ("crucible_framework.stage.stop", {"success": True, "status": "ok"}),
        ("crucible_adversary.attack.executed", {"success": False}),
        ("crucible_train.checkpoint.saved", {"kind": "state", "reason": "best"}),
        ("crucible_deployment.health_check.completed", {"status": "unhealthy"}),
    ],
)
def test_a_finding_is_no_failure(name: str, metadata: dict[str, Any]) -> None:
    assert span_of(event(name, metadata=metadata)).status.code == 0


def test_a_correlation_id_of_the_request_is_for_events_without_one() -> None:
    made = bridged(event("a.b.c"), event("a.b.d", correlation_id="own"), correlation_id="ours")
    found = [attributes_of(span)["crucible.correlation.id"] for span in spans_of(made)]
    assert found == ["ours", "own"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"{}",
        b'{"events": {}}',
        b'{"events": [\xff]}',
        b"[" * 100_000,
        b'{"events": ' + b"[" * 100_000,
    ],
)
def test_a_body_that_is_no_list_of_events_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedError):
        read_events(body)


def test_a_request_has_a_most_of_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_bridge, "EVENTS_MAX", 2)
    assert len(read_events(b'{"events": [1, 2]}')) == 2
    with pytest.raises(TooLargeError):
        read_events(b'{"events": [1, 2, 3]}')


@pytest.mark.parametrize(
    ("sent", "is_anonymous"),
    [
        ({"event_name": "a.b.c"}, True),
        ({"event_name": "a.b.c", "timestamp": T_US}, False),
        ({"event_name": "a.b.c", "event_id": "7"}, False),
        ({"event_name": "a.b.c", "metadata": {"span_id": "00f067aa0ba902b7"}}, False),
    ],
)
def test_only_an_event_with_neither_id_nor_time_may_be_another_the_second_time(
    sent: dict[str, Any], is_anonymous: bool
) -> None:
    assert bridged(sent).is_anonymous is is_anonymous


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=8)
    | st.sampled_from(["start", "NaN", "error", "2026-11-23", T_US, 1 << 63, 10**400]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=()), max_size=8), inner, max_size=4
        )
    ),
    max_leaves=12,
)
NAMES = st.sampled_from(
    [
        "crucible_train.epoch.stop",
        "crucible_train.training.start",
        "crucible_kitchen.stage.run.exception",
        "crucible_deployment.inference.stop",
        "hedging.request.stop",
        "cns_ui.api.list_runs",
        "x.start",
        ["tinkex", "http", "request", "stop"],
    ]
)
FIELDS = st.sampled_from(
    [
        "run_id", "epoch", "step", "duration", "duration_ms", "system_time", "loss", "error", "tokens",
        "trace_id", "span_id", "parent_span_id", "traceparent", "request_id", "tags", "status", "kind",
        "reason", "stacktrace", "config", "event_name", "metrics", "correlation_id", "service", "result",
    ]
)  # fmt: skip
EVENTS = (
    st.fixed_dictionaries(
        {"event_name": NAMES | JSON},
        optional={
            "measurements": st.dictionaries(FIELDS, JSON, max_size=5) | JSON,
            "metadata": st.dictionaries(FIELDS, JSON, max_size=6) | JSON,
            "timestamp": st.just(T_US) | JSON,
            "source": JSON,
            "run_id": JSON,
        },
    )
    | JSON
)


@pytest.mark.parametrize("kind", [["error"], {"error": 1}, 1, None, True])
def test_what_is_no_text_is_no_kind_of_exception(kind: Any) -> None:
    metadata = {"reason": "why", "kind": kind, "run_id": "r"}
    made = bridge(
        [{"event_name": "crucible_train.epoch.stop", "metadata": metadata}], Sent(RECEIVED_NS, None)
    )
    assert [span.status.code for span in spans_of(made)] == [0]


@given(events=st.lists(EVENTS, max_size=4))
@settings(max_examples=300, deadline=None)
def test_whatever_json_comes_each_event_is_bridged_or_refused_and_the_check_reads_all(
    events: list[Any],
) -> None:
    body = json.dumps({"events": events}).encode()
    made = bridge(read_events(body), Sent(RECEIVED_NS, None))
    refused_ = [problem.index for problem in made.problems]
    assert sorted(made.indices + refused_) == list(range(len(events)))
    checked = check(Signal.TRACES, made.body, RECEIVED_NS, Limits(), digest=bytes(16))
    assert checked.entry.record_count == len(made.indices)
    again = bridge(read_events(body), Sent(RECEIVED_NS, None))
    assert again.body == made.body
    for span in spans_of(made):
        attributes_of(span)
        assert len(span.trace_id) == 16
        assert len(span.span_id) == 8
