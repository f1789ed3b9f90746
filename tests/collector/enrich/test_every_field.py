"""What comes in comes back: every field of OTLP, set to a value of its own, through the database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Gauge, Metric
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.enrich.filled import every_value, filled
from collector.enrich.from_rows import NOWHERE, message_of, sorted_attributes
from rows_of import RECEIVED_NS, ingest, logs, metrics, row_of, rows_of, span_of, traces

METRIC_KINDS = ("gauge", "sum", "histogram", "exponential_histogram", "summary")


def same(stored: Message, sent: Message) -> None:
    """Byte for byte: tells -0.0 from 0.0, and a NaN is equal to itself."""
    expected = sorted_attributes(sent)
    if stored.SerializeToString(deterministic=True) != expected.SerializeToString(
        deterministic=True
    ):
        assert str(stored) == str(expected)
        raise AssertionError("equal in print, but not in bytes")


def outer(request: Any) -> tuple[Any, Any]:
    """The first resource and scope of a request, with all that they hold."""
    of_resource = request.ListFields()[0][1][0]
    of_scope = next(
        value for field, value in of_resource.ListFields() if field.name.startswith("scope_")
    )[0]
    return of_resource, of_scope


def same_outside(database: str, request: Any) -> None:
    """Resource and scope with their schemas' addresses."""
    of_resource, of_scope = outer(request)
    resources = {row["schema_url"]: row for row in rows_of(database, "resources")}
    same(message_of(Resource, resources[of_resource.schema_url]), of_resource.resource)
    scopes = {row["schema_url"]: row for row in rows_of(database, "scopes")}
    same(message_of(InstrumentationScope, scopes[of_scope.schema_url]), of_scope.scope)


def filled_metrics(kind: str, *chosen: str) -> Any:
    return filled(ExportMetricsServiceRequest, kind, *chosen)


def test_every_field_of_a_span_comes_back(tmp_path: Path, database: str) -> None:
    request = filled(ExportTraceServiceRequest)
    spans = [
        span
        for of_resource in request.resource_spans
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    ]
    with ingest(database, tmp_path) as collector:
        collector.store(request)
    stored = [message_of(Span, row) for row in rows_of(database, "spans", "span_id desc")]
    for one, sent in zip(
        stored, sorted(spans, key=lambda span: span.span_id, reverse=True), strict=True
    ):
        same(one, sent)
    same_outside(database, request)


def test_every_field_of_a_log_record_comes_back(tmp_path: Path, database: str) -> None:
    request = filled(ExportLogsServiceRequest)
    _, of_scope = outer(request)
    with ingest(database, tmp_path) as collector:
        collector.store(request)
    stored = {row["time_ns_rest"]: row for row in rows_of(database, "logs")}
    for sent in of_scope.log_records:
        same(message_of(LogRecord, stored[sent.time_unix_nano % 1000]), sent)
    same_outside(database, request)


def test_every_kind_of_value_comes_back_as_the_body_of_a_log_record(
    tmp_path: Path, plain_database: str
) -> None:
    records = [
        LogRecord(time_unix_nano=RECEIVED_NS + number, body=body)
        for number, body in enumerate(every_value())
    ]
    with ingest(plain_database, tmp_path) as collector:
        collector.store(logs(*records))
    stored = rows_of(plain_database, "logs", "time_ns_rest")
    for row, sent in zip(stored, records, strict=True):
        same(message_of(LogRecord, row), sent)


@pytest.mark.parametrize("number", ["as_int", "as_double"])
@pytest.mark.parametrize("kind", METRIC_KINDS)
def test_every_field_of_a_metric_and_its_points_comes_back(
    tmp_path: Path, plain_database: str, kind: str, number: str
) -> None:
    request = filled_metrics(kind, number)
    of_resource, of_scope = outer(request)
    with ingest(plain_database, tmp_path) as collector:
        collector.store(request)
    series = {row["series_id"]: row for row in rows_of(plain_database, "series")}
    rows = rows_of(plain_database, "points") + rows_of(plain_database, "histograms")
    for sent in of_scope.metrics:
        (own,) = {
            row["series_id"]
            for row in series.values()
            if row["metric"] == sent.name and row["scope_id"] == scope_id(plain_database, of_scope)
        }
        stored = message_of(Metric, series[own])
        points = getattr(sent, kind).data_points
        mine = [row | {"series": series[own]} for row in rows if row["series_id"] == own]
        mine.sort(key=lambda row: (row["time"], row["time_ns_rest"]))
        made = [message_of(type(point), row) for point, row in zip(points, mine, strict=True)]
        getattr(stored, kind).data_points.extend(made)
        without = Metric()
        without.CopyFrom(sent)
        without.ClearField("metadata")
        same(stored, without)
    same_outside(plain_database, request)
    assert of_resource.resource.attributes


def scope_id(database: str, of_scope: Any) -> int:
    (row,) = [
        row for row in rows_of(database, "scopes") if row["schema_url"] == of_scope.schema_url
    ]
    return int(row["scope_id"])


def test_what_has_no_place_is_a_field_that_there_is() -> None:
    kinds = {
        kind.DESCRIPTOR.name: kind.DESCRIPTOR.fields_by_name
        for kind in (Resource, Metric, AnyValue, type(Span().attributes.add()))
    }
    assert all(field in kinds[kind] for kind, field in NOWHERE)


@pytest.mark.parametrize(
    "change",
    [
        lambda span: span.ClearField("name"),
        lambda span: span.ClearField("status"),
        lambda span: span.ClearField("trace_state"),
        lambda span: span.ClearField("parent_span_id"),
    ],
)
def test_a_field_that_is_not_set_comes_back_not_set_beside_spans_where_it_is(
    tmp_path: Path, plain_database: str, change: Callable[[Span], None]
) -> None:
    with_all = outer(filled(ExportTraceServiceRequest))[1].spans[0]
    without = span_of(7)
    without.CopyFrom(with_all)
    without.span_id = b"12345678"
    change(without)
    with ingest(plain_database, tmp_path) as collector:
        collector.store(traces(with_all, without))
    stored = {row["span_id"]: message_of(Span, row) for row in rows_of(plain_database, "spans")}
    same(stored[int.from_bytes(b"12345678")], with_status(without))


def with_status(span: Span) -> Span:
    """A status without code and message is the same as none; rows give it back as set."""
    span.status.SetInParent()
    return span


def test_a_log_record_without_severity_is_stored_beside_one_that_has_it(
    tmp_path: Path, database: str
) -> None:
    with ingest(database, tmp_path) as collector:
        collector.store(
            logs(
                LogRecord(time_unix_nano=RECEIVED_NS, severity_number=17),  # type: ignore[arg-type]
                LogRecord(time_unix_nano=RECEIVED_NS),
            )
        )
        assert collector.buried == []
    assert sorted(row["severity_number"] for row in rows_of(database, "logs")) == [0, 17]


def test_a_record_under_an_alias_comes_back_as_it_was_sent(
    tmp_path: Path, plain_database: str
) -> None:
    span = span_of(1, "crucible_kitchen.training.step", crucible__measurement__lr=0.5)
    record = LogRecord(
        time_unix_nano=RECEIVED_NS,
        event_name="crucible_kitchen.training.step",
        body=AnyValue(string_value="said"),
    )
    metric = Metric(name="megatron.training.loss", unit="1")
    metric.gauge.data_points.add(time_unix_nano=RECEIVED_NS, as_double=0.5)
    with ingest(plain_database, tmp_path) as collector:
        collector.store(traces(span), logs(record), metrics(metric))
    same(message_of(Span, row_of(plain_database, "spans")), with_status(span))
    same(message_of(LogRecord, row_of(plain_database, "logs")), record)
    by_metric = {row["metric"]: row for row in rows_of(plain_database, "series")}
    stored = message_of(Metric, by_metric["loss"])
    same(stored, Metric(name=metric.name, unit=metric.unit, gauge=Gauge()))


def test_ids_of_zeros_mean_none(tmp_path: Path, plain_database: str) -> None:
    record = LogRecord(time_unix_nano=RECEIVED_NS, trace_id=bytes(16), span_id=bytes(8))
    root = span_of(1)
    root.parent_span_id = bytes(8)
    with ingest(plain_database, tmp_path) as collector:
        collector.store(logs(record), traces(root))
    row = row_of(plain_database, "logs")
    assert (row["trace_id"], row["span_id"]) == (None, None)
    assert row_of(plain_database, "spans")["parent_span_id"] is None
