"""OTLP/JSON is read as the specification says, and never as anything else."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector.receive.otlp import as_otlp_json
from crucible_collector.batch import Signal
from crucible_collector.errors import MalformedError, TooLargeError
from crucible_collector.receive.transcode import DEPTH_MAX, VALUES_MAX, to_protobuf

TRACE_ID = bytes.fromhex("5b8efff798038103d269b633813fc60c")
SPAN_ID = bytes.fromhex("eee19b7ec3c1b174")
CLASSES: dict[Signal, type[Message]] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
}


def read(signal: Signal, value: Any) -> Any:
    message = CLASSES[signal]()
    message.ParseFromString(to_protobuf(signal, json.dumps(value).encode()))
    return message


def one_span(**fields: Any) -> dict[str, Any]:
    span = {"traceId": TRACE_ID.hex(), "spanId": SPAN_ID.hex(), "name": "a span", **fields}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


def read_span(**fields: Any) -> Span:
    span: Span = read(Signal.TRACES, one_span(**fields)).resource_spans[0].scope_spans[0].spans[0]
    return span


def read_value(value: dict[str, Any]) -> AnyValue:
    return read_span(attributes=[{"key": "k", "value": value}]).attributes[0].value


def nested_value(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"intValue": "1"}
    for _ in range(depth):
        value = {"arrayValue": {"values": [value]}}
    return value


def every_value() -> list[KeyValue]:
    values = [
        AnyValue(string_value="text € \x00"),
        AnyValue(bool_value=True),
        AnyValue(int_value=-(1 << 63)),
        AnyValue(double_value=-0.1),
        AnyValue(bytes_value=b"\x00\xff bytes"),
        AnyValue(),
    ]
    nested = AnyValue()
    nested.array_value.values.extend(values)
    mapped = AnyValue()
    mapped.kvlist_value.values.append(KeyValue(key="inner", value=nested))
    return [
        KeyValue(key=f"k{index}", value=value)
        for index, value in enumerate([*values, nested, mapped])
    ]


def full_traces() -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add(schema_url="https://example.org/schema")
    resource_spans.resource.attributes.extend(every_value())
    resource_spans.resource.dropped_attributes_count = 7
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = "scope"
    scope_spans.scope.version = "1.2"
    span = scope_spans.spans.add(
        trace_id=TRACE_ID,
        span_id=SPAN_ID,
        parent_span_id=SPAN_ID[::-1],
        trace_state="a=b",
        flags=0x101,
        name="span",
        kind=Span.SpanKind.SPAN_KIND_CLIENT,
        start_time_unix_nano=(1 << 64) - 1,
        end_time_unix_nano=1_700_000_000_123_456_789,
        dropped_events_count=3,
        attributes=every_value(),
    )
    span.status.code = Status.STATUS_CODE_ERROR
    span.status.message = "failed"
    span.events.add(name="event", time_unix_nano=5, attributes=every_value())
    span.links.add(trace_id=TRACE_ID, span_id=SPAN_ID, trace_state="c=d", flags=1)
    return request


def full_metrics() -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    gauge = metrics.add(name="gauge", unit="s").gauge.data_points.add(time_unix_nano=1, as_int=-5)
    gauge.exemplars.add(as_double=1.5, time_unix_nano=2, trace_id=TRACE_ID, span_id=SPAN_ID)
    total = metrics.add(name="sum").sum
    total.aggregation_temporality = AGGREGATION_TEMPORALITY_CUMULATIVE
    total.is_monotonic = True
    for value in (math.inf, -math.inf, 1e300, 0.0):
        total.data_points.add(as_double=value, attributes=every_value())
    metrics.add(name="histogram").histogram.data_points.add(
        count=6, sum=1.25, bucket_counts=[1, 2, 3], explicit_bounds=[0.5, 1.5], min=0.0, max=9.0
    )
    exponential = metrics.add(name="exponential").exponential_histogram.data_points.add(
        count=3, scale=-3, zero_count=1, zero_threshold=1e-9
    )
    exponential.positive.offset = -20
    exponential.positive.bucket_counts.extend([1, 1 << 40])
    summary = metrics.add(name="summary").summary.data_points.add(count=1, sum=2.0)
    summary.quantile_values.add(quantile=0.99, value=2.0)
    return request


def full_logs() -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    record = (
        request.resource_logs.add()
        .scope_logs.add()
        .log_records.add(
            time_unix_nano=1,
            observed_time_unix_nano=2,
            severity_number=9,
            severity_text="INFO",
            event_name="event",
            trace_id=TRACE_ID,
            span_id=SPAN_ID,
            flags=1,
            attributes=every_value(),
        )
    )
    record.body.string_value = "body"
    return request


FULL = {
    Signal.TRACES: full_traces(),
    Signal.METRICS: full_metrics(),
    Signal.LOGS: full_logs(),
}


@pytest.mark.parametrize("signal", Signal)
@pytest.mark.parametrize("camel", [True, False])
@pytest.mark.parametrize("enums_as_names", [True, False])
def test_every_field_survives(signal: Signal, camel: bool, enums_as_names: bool) -> None:
    value = as_otlp_json(FULL[signal], camel=camel, enums_as_names=enums_as_names)
    assert read(signal, value) == FULL[signal]


def test_the_example_of_the_specification_is_read() -> None:
    span = read_span(
        parentSpanId="EEE19B7EC3C1B173",
        startTimeUnixNano="1544712660000000000",
        endTimeUnixNano=1544712661000000000,
        kind=2,
        attributes=[{"key": "my.span.attr", "value": {"stringValue": "some value"}}],
    )
    assert span.trace_id == TRACE_ID
    assert span.parent_span_id == bytes.fromhex("eee19b7ec3c1b173")
    assert (span.start_time_unix_nano, span.kind) == (1544712660000000000, 2)
    assert span.attributes[0].value.string_value == "some value"


def test_upper_case_ids_are_read() -> None:
    assert read_span(traceId=TRACE_ID.hex().upper()).trace_id == TRACE_ID


def test_an_empty_parent_is_none() -> None:
    assert read_span(parentSpanId="").parent_span_id == b""


@pytest.mark.parametrize(
    "trace_id", ["W47/95gDgQPSabYzgT/GDA==", "xyz", "5b8", "zz" * 16, " ".join(["5b"] * 16)]
)
def test_an_id_that_is_not_hex_has_an_impossible_length(trace_id: str) -> None:
    assert len(read_span(traceId=trace_id).trace_id) not in (0, 16)
    assert len(read_span(parentSpanId=trace_id).parent_span_id) not in (0, 8)


def test_unknown_fields_are_ignored_at_every_level() -> None:
    value = one_span(futureField={"deep": [1, {"x": None}]}, name="known")
    value["anotherFutureField"] = []
    value["resourceSpans"][0]["future"] = "x"
    assert read(Signal.TRACES, value) == read(Signal.TRACES, one_span(name="known"))


def test_null_is_absent() -> None:
    assert read_span(attributes=None, kind=None, status=None) == read_span()


def test_an_enum_name_that_is_newer_than_ours_is_left_out() -> None:
    assert read_span(kind="SPAN_KIND_TELEPATHIC").kind == 0


def test_an_enum_number_that_is_newer_than_ours_is_kept() -> None:
    assert read_span(kind=40_000).kind == 40_000


@pytest.mark.parametrize("number", [7, "7", 7.0])
def test_integers_may_be_numbers_or_strings(number: float | str) -> None:
    assert read_value({"intValue": number}).int_value == 7


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (1, 1.0),
        ("1.5e-3", 0.0015),
        ("Infinity", math.inf),
        ("-Infinity", -math.inf),
        (10**400, math.inf),
        (-(10**400), -math.inf),
    ],
)
def test_doubles_may_be_numbers_or_strings(written: float | str, value: float) -> None:
    assert read_value({"doubleValue": written}).double_value == value


@pytest.mark.parametrize("written", ["NaN", math.nan])
def test_nan_is_read_quoted_and_bare(written: float | str) -> None:
    assert math.isnan(read_value({"doubleValue": written}).double_value)


@settings(deadline=None)
@given(st.floats(allow_nan=False), st.integers(-(1 << 63), (1 << 63) - 1), st.text())
def test_scalars_survive(double: float, integer: int, text: str) -> None:
    assert read_value({"doubleValue": double}).double_value == double
    assert read_value({"intValue": str(integer)}).int_value == integer
    assert read_value({"stringValue": text}).string_value == text


@settings(deadline=None)
@given(st.binary(max_size=20))
def test_bytes_are_base64_of_either_alphabet_padded_or_not(content: bytes) -> None:
    for text in (base64.b64encode(content), base64.urlsafe_b64encode(content)):
        for written in (text.decode(), text.decode().rstrip("=")):
            assert read_value({"bytesValue": written}).bytes_value == content


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    assert read_value({"stringValue": "a\ud800b"}).string_value == "a\ufffdb"


def test_broken_utf8_becomes_the_replacement_character() -> None:
    body = json.dumps(one_span(name="X")).encode().replace(b'"X"', b'"\xff"')
    message = ExportTraceServiceRequest.FromString(to_protobuf(Signal.TRACES, body))
    assert message.resource_spans[0].scope_spans[0].spans[0].name == "\ufffd"


@pytest.mark.parametrize(
    ("fields", "path", "problem"),
    [
        ({"name": 5}, "name", "5 is not a string"),
        ({"kind": 1 << 31}, "kind", "is not an integer"),
        ({"kind": True}, "kind", "true is not an integer"),
        ({"startTimeUnixNano": "-1"}, "startTimeUnixNano", "is not an integer"),
        ({"startTimeUnixNano": "1_0"}, "startTimeUnixNano", "is not an integer"),
        ({"startTimeUnixNano": 1.5}, "startTimeUnixNano", "is not an integer"),
        ({"startTimeUnixNano": str(1 << 64)}, "startTimeUnixNano", "is not an integer"),
        ({"traceId": 12}, "traceId", "12 is not a hex string"),
        ({"attributes": {}}, "attributes", "an object is not an array"),
        ({"attributes": [None]}, "attributes[0]", "null is not an object"),
        ({"attributes": [{}, {"value": 1}]}, "attributes[1].value", "1 is not an object"),
        ({"status": []}, "status", "an array is not an object"),
        (
            {"attributes": [{"value": {"boolValue": "true"}}]},
            "attributes[0].value.boolValue",
            "neither true nor false",
        ),
        (
            {"attributes": [{"value": {"bytesValue": "a#b"}}]},
            "attributes[0].value.bytesValue",
            "is not base64",
        ),
        (
            {"attributes": [{"value": {"doubleValue": "1_0"}}]},
            "attributes[0].value.doubleValue",
            "is not a number",
        ),
        (
            {"attributes": [{"value": {"intValue": 1, "stringValue": "x"}}]},
            "attributes[0].value",
            "more than one value",
        ),
    ],
)
def test_a_wrong_value_is_named_with_its_path(
    fields: dict[str, Any], path: str, problem: str
) -> None:
    with pytest.raises(MalformedError) as caught:
        read_span(**fields)
    assert f"resourceSpans[0].scopeSpans[0].spans[0].{path}: " in str(caught.value)
    assert problem in str(caught.value)


def test_a_syntax_error_is_named_with_its_position() -> None:
    with pytest.raises(MalformedError, match="line 2, column 21"):
        to_protobuf(Signal.TRACES, b'{\n  "resourceSpans": [}')


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'"x"', b"{} {}", b"\x00", b"{'a': 1}"])
def test_what_is_not_one_object_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedError):
        to_protobuf(Signal.TRACES, body)


def test_an_empty_object_is_an_empty_request() -> None:
    assert to_protobuf(Signal.LOGS, b"{}") == b""


def test_a_byte_order_mark_is_skipped() -> None:
    assert to_protobuf(Signal.LOGS, b"\xef\xbb\xbf{}") == b""


@pytest.mark.parametrize("depth", [10, 40])
def test_nested_values_are_read(depth: int) -> None:
    value = read_value(nested_value(depth))
    for _ in range(depth):
        value = value.array_value.values[0]
    assert value.int_value == 1


@pytest.mark.parametrize("depth", [DEPTH_MAX // 2, DEPTH_MAX, 400, 10_000])
def test_values_nested_deeper_than_protobuf_reads_are_malformed(depth: int) -> None:
    value = '{"arrayValue":{"values":[' * depth + "{}" + "]}}" * depth
    attribute = '{"resourceSpans":[{"resource":{"attributes":[{"value":' + value + "}]}}]}"
    with pytest.raises(MalformedError, match="nested"):
        to_protobuf(Signal.TRACES, attribute.encode())


def test_brackets_without_end_are_malformed() -> None:
    with pytest.raises(MalformedError, match="nested"):
        to_protobuf(Signal.TRACES, b'{"resourceSpans":' + b"[" * 100_000)


def test_an_integer_of_many_digits_is_malformed() -> None:
    with pytest.raises(MalformedError, match="digits"):
        to_protobuf(Signal.TRACES, b'{"resourceSpans":' + b"9" * 100_000 + b"}")


def test_more_values_than_memory_should_hold_are_too_large() -> None:
    with pytest.raises(TooLargeError):
        to_protobuf(Signal.TRACES, b'{"unknown":[' + b"[]," * VALUES_MAX + b"[]]}")
