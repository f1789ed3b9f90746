"""One payload an event, and each of them is OTLP, is what the schema says, and is in the index."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import generate
from crucible_collector.batch import Signal
from crucible_collector.receive.transcode import to_protobuf
from crucible_schema import (
    EVENTS,
    LIFECYCLES,
    METRICS,
    Location,
    Phase,
    Requirement,
    event_name,
    is_series,
    json_schema,
)

EXAMPLES = generate.HERE / "examples"
SCHEMA = json_schema()
FROM_NS, TO_NS = 1_793_527_200_000_000_000, 1_793_600_000_000_000_000  # November 2026


def payload(name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    return value


def span_of(name: str) -> dict[str, Any]:
    (resource,) = payload(name)["resourceSpans"]
    (scope,) = resource["scopeSpans"]
    (span,) = scope["spans"]
    return {**span, "resource": flat(resource["resource"]["attributes"]), "scope": scope["scope"]}


def flat(attributes: list[dict[str, Any]]) -> dict[str, Any]:
    found = {item["key"]: plain(item["value"]) for item in attributes}
    assert len(found) == len(attributes), "a key is there twice"
    return found


def plain(value: dict[str, Any]) -> Any:
    ((kind, content),) = value.items()
    if kind == "intValue":
        assert isinstance(content, str)
        return int(content)
    return [plain(item) for item in content["values"]] if kind == "arrayValue" else content


def test_every_event_and_every_metric_has_one_and_nothing_else_has() -> None:
    assert {path.stem for path in EXAMPLES.iterdir()} == {*EVENTS, *METRICS}
    assert {path.suffix for path in EXAMPLES.iterdir()} == {".json"}


@pytest.mark.parametrize("name", EVENTS)
def test_an_example_is_otlp(name: str) -> None:
    body = (EXAMPLES / f"{name}.json").read_bytes()
    request = ExportTraceServiceRequest.FromString(to_protobuf(Signal.TRACES, body))
    (span,) = request.resource_spans[0].scope_spans[0].spans
    written = span_of(name)
    assert (span.trace_id.hex(), span.span_id.hex()) == (written["traceId"], written["spanId"])
    assert (len(span.trace_id), len(span.span_id)) == (16, 8)
    assert span.name == EVENTS[name].span_name
    assert len(span.attributes) == len(written["attributes"])
    # Nothing of the payload was skipped as unknown.
    assert len(span.events) == len(written.get("events", []))
    assert len(span.links) == len(written.get("links", []))


@pytest.mark.parametrize("name", EVENTS)
def test_an_example_is_what_the_schema_says(name: str) -> None:
    span = span_of(name)
    value = {
        "name": span["name"],
        "attributes": flat(span["attributes"]),
        "resource": span["resource"],
    }
    wire = {"$ref": f"#/$defs/wire:{name}", "$defs": SCHEMA["$defs"]}
    jsonschema.Draft202012Validator(wire).validate(value)


@pytest.mark.parametrize("name", EVENTS)
def test_an_example_becomes_its_event(name: str) -> None:
    event, span = EVENTS[name], span_of(name)
    assert event_name(span["name"], span["status"].get("code") == 2) == name
    assert (span["status"].get("code") == 2) is (event.phase is Phase.EXCEPTION)


@pytest.mark.parametrize("name", EVENTS)
def test_an_example_has_times_that_fit_its_event(name: str) -> None:
    event, span = EVENTS[name], span_of(name)
    start_ns, end_ns = (int(span[f"{which}TimeUnixNano"]) for which in ("start", "end"))
    assert isinstance(span["startTimeUnixNano"], str)
    assert FROM_NS <= start_ns <= end_ns <= TO_NS
    assert (end_ns > start_ns) is (event.duration is not None)


@pytest.mark.parametrize("name", EVENTS)
def test_an_example_has_what_its_event_asks_for_and_nothing_that_must_be_asked_for(
    name: str,
) -> None:
    event, span = EVENTS[name], span_of(name)
    attributes = flat(span["attributes"])
    for use in event.attributes:
        if use.attribute.location is Location.SPAN:
            if use.requirement is Requirement.REQUIRED:
                assert use.attribute.key in attributes
            if use.requirement is Requirement.OPT_IN:
                assert use.attribute.key not in attributes
    for measured in event.measurements:
        if measured.requirement is Requirement.REQUIRED:
            assert measured.measurement.key in attributes
    known = {use.attribute.key for use in event.attributes}
    known |= {use.measurement.key for use in event.measurements}
    free = {key for key in attributes if key not in known}
    assert all(key.startswith("crucible.measurement.") for key in free)


def test_events_with_curves_have_points_in_their_examples() -> None:
    prefix = "crucible.measurement."
    with_points = {
        name
        for name in EVENTS
        for key in flat(span_of(name)["attributes"])
        if key.startswith(prefix) and is_series(name, key.removeprefix(prefix))
    }
    assert {
        "crucible_train.batch.stop",
        "crucible_train.epoch.stop",
        "crucible_train.checkpoint.saved",
        "crucible_deployment.health_check.completed",
        "crucible_kitchen.rl.step",
    } <= with_points
    assert "crucible_deployment.inference.stop" not in with_points


def test_what_belongs_together_is_one_trace() -> None:
    for name, lifecycle in LIFECYCLES.items():
        stop = span_of(lifecycle.stop)
        if lifecycle.start is not None:
            start = span_of(lifecycle.start)
            assert (start["traceId"], start["parentSpanId"]) == (stop["traceId"], stop["spanId"])
            assert start["spanId"] != stop["spanId"], name
    batch, epoch = span_of("crucible_train.batch.stop"), span_of("crucible_train.epoch.stop")
    assert (batch["traceId"], batch["parentSpanId"]) == (epoch["traceId"], epoch["spanId"])
    (link,) = epoch["links"]
    assert link["traceId"] == span_of("crucible_train.training.stop")["traceId"]


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_s_example_is_otlp(name: str) -> None:
    body = (EXAMPLES / f"{name}.json").read_bytes()
    request = ExportMetricsServiceRequest.FromString(to_protobuf(Signal.METRICS, body))
    (metric,) = request.resource_metrics[0].scope_metrics[0].metrics
    assert (metric.name, metric.unit) == (name, METRICS[name].unit)
    kind = metric.WhichOneof("data")
    assert kind == {"gauge": "gauge", "histogram": "histogram"}.get(METRICS[name].instrument, "sum")
    (point,) = getattr(metric, kind).data_points
    assert point.time_unix_nano > point.start_time_unix_nano >= FROM_NS - 60_000_000_000
    if kind == "histogram":
        assert sum(point.bucket_counts) == point.count
        assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
        assert point.sum == pytest.approx(point.count * METRICS[name].example)
    else:
        assert getattr(point, point.WhichOneof("value")) == METRICS[name].example
    keys = {attribute.key for attribute in point.attributes}
    assert keys == {use.attribute.key for use in METRICS[name].attributes} - {"error.type"}


def test_the_index_leads_to_every_example() -> None:
    page = (generate.HERE / "EXAMPLES.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((examples/[^)]+)\)", page)
    assert sorted(links) == sorted(f"examples/{name}.json" for name in (*EVENTS, *METRICS))
    assert all(Path(generate.HERE / link).is_file() for link in links)
    for event in EVENTS.values():
        row = f"| [`{event.name}`](examples/{event.name}.json) | `{event.span_name}` | {event.brief} |"
        assert row in page
