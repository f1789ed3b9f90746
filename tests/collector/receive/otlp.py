"""Requests of each signal, built with the official classes."""

from __future__ import annotations

import base64
import os
import time
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, NumberDataPoint
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from crucible_collector.batch import Signal

Request = ExportTraceServiceRequest | ExportMetricsServiceRequest | ExportLogsServiceRequest
Response = ExportTraceServiceResponse | ExportMetricsServiceResponse | ExportLogsServiceResponse
RESPONSE_CLASSES: dict[Signal, type[Response]] = {
    Signal.TRACES: ExportTraceServiceResponse,
    Signal.METRICS: ExportMetricsServiceResponse,
    Signal.LOGS: ExportLogsServiceResponse,
}

SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS

_HEX_FIELDS = {"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"}


def text(key: str, value: str) -> KeyValue:
    """A string attribute."""
    return KeyValue(key=key, value=AnyValue(string_value=value))


def span(**changes: object) -> Span:
    """A good one, ended now."""
    now_ns = time.time_ns()
    fields: dict[str, object] = {
        "trace_id": os.urandom(16),
        "span_id": os.urandom(8),
        "name": "span",
        "start_time_unix_nano": now_ns - 1_000_000,
        "end_time_unix_nano": now_ns,
    }
    return Span(**{**fields, **changes})  # type: ignore[arg-type] # tests name the fields


def point(**changes: object) -> NumberDataPoint:
    """A good one, of now."""
    fields: dict[str, object] = {"time_unix_nano": time.time_ns(), "as_double": 0.5}
    if "as_int" in changes:
        del fields["as_double"]
    return NumberDataPoint(**{**fields, **changes})  # type: ignore[arg-type] # tests name the fields


def log_record(**changes: object) -> LogRecord:
    """A good one, of now."""
    fields: dict[str, object] = {
        "time_unix_nano": time.time_ns(),
        "severity_number": 9,
        "body": AnyValue(string_value="said"),
    }
    return LogRecord(**{**fields, **changes})  # type: ignore[arg-type] # tests name the fields


def gauge(*points: NumberDataPoint, name: str = "gauge") -> Metric:
    metric = Metric(name=name)
    metric.gauge.data_points.extend(points)
    return metric


def traces(*spans: Span, resource: Resource | None = None) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add(resource=resource)
    resource_spans.scope_spans.add().spans.extend(spans)
    return request


def metrics(*found: Metric, resource: Resource | None = None) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    resource_metrics = request.resource_metrics.add(resource=resource)
    resource_metrics.scope_metrics.add().metrics.extend(found)
    return request


def logs(*records: LogRecord, resource: Resource | None = None) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    resource_logs = request.resource_logs.add(resource=resource)
    resource_logs.scope_logs.add().log_records.extend(records)
    return request


def good_request(signal: Signal, count: int = 3) -> Request:
    """So many good records."""
    if signal is Signal.TRACES:
        return traces(*(span() for _ in range(count)))
    if signal is Signal.METRICS:
        return metrics(gauge(*(point() for _ in range(count))))
    return logs(*(log_record() for _ in range(count)))


def request_with_one_bad(signal: Signal, count: int, bad_index: int) -> Request:
    """Good records but for the one at `bad_index`, which lies a year back."""
    long_ago_ns = time.time_ns() - 365 * DAY_NS
    request = good_request(signal, count)
    if isinstance(request, ExportTraceServiceRequest):
        spans = request.resource_spans[0].scope_spans[0].spans
        spans[bad_index].start_time_unix_nano = long_ago_ns
        spans[bad_index].end_time_unix_nano = long_ago_ns
    elif isinstance(request, ExportMetricsServiceRequest):
        data_points = request.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points
        data_points[bad_index].time_unix_nano = long_ago_ns
    else:
        records = request.resource_logs[0].scope_logs[0].log_records
        records[bad_index].time_unix_nano = long_ago_ns
    return request


def rejected_count(response: Response) -> int:
    """What a partial success says was refused."""
    if isinstance(response, ExportTraceServiceResponse):
        return response.partial_success.rejected_spans
    if isinstance(response, ExportMetricsServiceResponse):
        return response.partial_success.rejected_data_points
    return response.partial_success.rejected_log_records


def request_of_bytes(body_bytes: int) -> bytes:
    """A good request of exactly so many bytes (at least 256), most of them one attribute."""
    one = span()
    for padding in range(body_bytes - 200, body_bytes):
        del one.attributes[:]
        one.attributes.append(text("padding", "x" * padding))
        body = traces(one).SerializeToString()
        if len(body) == body_bytes:
            return body
    raise AssertionError(f"no request has {body_bytes} bytes")


def as_otlp_json(message: Message, *, camel: bool = True, enums_as_names: bool = False) -> Any:
    """The official JSON of a message, with its ids turned from base64 into hex."""

    def with_hex_ids(value: Any) -> Any:
        if isinstance(value, list):
            return [with_hex_ids(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {
            key: base64.b64decode(item).hex() if key in _HEX_FIELDS else with_hex_ids(item)
            for key, item in value.items()
        }

    plain = json_format.MessageToDict(
        message,
        preserving_proto_field_name=not camel,
        use_integers_for_enums=not enums_as_names,
    )
    return with_hex_ids(plain)
