"""From rows back to OTLP messages: where each field of the protocol lies in the database.

The tables below are the statement that nothing is lost: one entry a field of the protocol. What has
no place is in NOWHERE, with a reason.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import datetime
from operator import itemgetter
from typing import Any

from google.protobuf.message import Message
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Exemplar,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    SummaryDataPoint,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

Row = Mapping[str, Any]
Places = dict[str, Callable[[Row], Any]]

NOWHERE = {
    ("Resource", "entity_refs"): "in development in OTLP 1.11; refers to attributes that are kept",
    (
        "Metric",
        "metadata",
    ): "says how another system described the metric, nothing about its values",
    ("KeyValue", "key_strindex"): "for profiles alone",
    ("AnyValue", "string_value_strindex"): "for profiles alone",
}
# In columns of their own, and put back among the attributes.
LIFTED = {
    "crucible.experiment.id": "experiment_id",
    "crucible.run.id": "run_id",
    "crucible.condition": "condition",
    "crucible.correlation.id": "correlation_id",
    "crucible.step": "step",
    "crucible.epoch": "epoch",
}


def _ns(time: datetime, rest: int = 0) -> int:
    return (int(time.timestamp()) * 1_000_000 + time.microsecond) * 1000 + rest


def _time(column: str) -> Callable[[Row], int]:
    """A time with its nanoseconds, or (of columns without them) with its microseconds."""
    rest = "time_ns_rest" if column == "time" else None
    return lambda row: _ns(row[column], row[rest] if rest else 0) if row[column] else 0


def _or(column: str, default: Any) -> Callable[[Row], Any]:
    return lambda row: default if row[column] is None else row[column]


def _span_id(column: str) -> Callable[[Row], bytes]:
    return lambda row: b"" if row[column] is None else (row[column] & 2**64 - 1).to_bytes(8)


def _trace_id(row: Row) -> bytes:
    return b"" if row["trace_id"] is None else bytes(row["trace_id"].bytes)


def any_value(value: Any) -> AnyValue:  # noqa: C901, PLR0911 - a case a kind
    """An attribute's value from its JSON, by the marks that `decode.json_values` describes."""
    match value:
        case None:
            return AnyValue()
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case list():
            return AnyValue(array_value=ArrayValue(values=map(any_value, value)))
        case {"$double": number}:
            return AnyValue(double_value=float(number))
        case {"$bytes": text}:
            return AnyValue(bytes_value=base64.b64decode(text))
        case {"$kvlist": members}:
            return AnyValue(kvlist_value=KeyValueList(values=key_values(members)))
        case dict():
            return AnyValue(kvlist_value=KeyValueList(values=key_values(value)))
    raise AssertionError(f"no attribute has such a value: {value!r}")


def key_values(members: Mapping[str, Any] | None) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(each)) for key, each in (members or {}).items()]


def _attributes(row: Row) -> list[KeyValue]:
    lifted = {key: row[name] for key, name in LIFTED.items() if row.get(name) is not None}
    return key_values({**(row["attributes"] or {}), **lifted})


def _of_json(kind: type[Message], names: Mapping[str, str]) -> Callable[[Row], Any]:
    """A span event, link or exemplar from its JSON; `names` are the fields that are called otherwise."""

    def made(item: Row) -> Message:
        fields: dict[str, Any] = {}
        for key, value in item.items():
            name = names.get(key, key)
            if key == "attributes":
                fields[names.get(key, key)] = key_values(value)
            elif key == "value":
                fields["as_int" if isinstance(value, int) else "as_double"] = (
                    float(value["$double"]) if isinstance(value, dict) else value
                )
            else:
                fields[name] = bytes.fromhex(value) if key in ("trace_id", "span_id") else value
        return kind(**fields)

    return made


_EVENT = _of_json(Span.Event, {"time_ns": "time_unix_nano"})
_LINK = _of_json(Span.Link, {})
_EXEMPLAR = _of_json(Exemplar, {"time_ns": "time_unix_nano", "attributes": "filtered_attributes"})


def _list(column: str, made: Callable[[Any], Any] = lambda each: each) -> Callable[[Row], Any]:
    return lambda row: [made(each) for each in row[column] or ()]


SPAN: Places = {
    "trace_id": _trace_id,
    "span_id": _span_id("span_id"),
    "trace_state": _or("trace_state", ""),
    "parent_span_id": _span_id("parent_span_id"),
    "flags": _or("flags", 0),
    "name": lambda row: row["name"],
    "kind": lambda row: row["kind"],
    "start_time_unix_nano": _time("time"),
    "end_time_unix_nano": lambda row: _time("time")(row) + row["duration_ns"],
    "attributes": _attributes,
    "dropped_attributes_count": _or("dropped_attributes_count", 0),
    "events": _list("events", _EVENT),
    "dropped_events_count": _or("dropped_events_count", 0),
    "links": _list("links", _LINK),
    "dropped_links_count": _or("dropped_links_count", 0),
    "status": lambda row: Status(code=row["status_code"], message=row["status_message"] or ""),
}
LOG_RECORD: Places = {
    "time_unix_nano": _time("time"),
    "observed_time_unix_nano": _time("observed_time"),
    "severity_number": lambda row: row["severity_number"],
    "severity_text": _or("severity_text", ""),
    "body": lambda row: any_value(row["body"]),
    "attributes": _attributes,
    "dropped_attributes_count": _or("dropped_attributes_count", 0),
    "flags": _or("flags", 0),
    "trace_id": _trace_id,
    "span_id": _span_id("span_id"),
    "event_name": lambda row: row["original_event_name"] or row["event_name"] or "",
}
RESOURCE: Places = {
    "attributes": lambda row: key_values(row["attributes"]),
    "dropped_attributes_count": _or("dropped_attributes_count", 0),
}
SCOPE: Places = {
    "name": _or("name", ""),
    "version": _or("version", ""),
    "attributes": lambda row: key_values(row["attributes"]),
    "dropped_attributes_count": _or("dropped_attributes_count", 0),
}

# The rest are data points: rows of points or histograms, with their series under "series".


def _point_attributes(row: Row) -> list[KeyValue]:
    step = {} if row.get("step") is None else {"crucible.step": row["step"]}
    return key_values({**(row["series"]["attributes"] or {}), **step})


def _number(kind: str) -> Callable[[Row], Any]:
    def value(row: Row) -> int | float | None:
        if row["series"]["number_kind"] != kind or row["value"] is None:
            return None
        if kind == "double":
            return float(row["value"])
        return int(row["value"] if row["value_int"] is None else row["value_int"])

    return value


_POINT: Places = {
    "attributes": _point_attributes,
    "start_time_unix_nano": _time("start_time"),
    "time_unix_nano": _time("time"),
    "flags": _or("flags", 0),
}
_WITH_EXEMPLARS: Places = _POINT | {"exemplars": _list("exemplars", _EXEMPLAR)}
_DISTRIBUTION: Places = {name: itemgetter(name) for name in ("count", "sum")}
_EXTREMES: Places = {name: itemgetter(name) for name in ("min", "max")}

NUMBER: Places = _WITH_EXEMPLARS | {"as_double": _number("double"), "as_int": _number("int")}
HISTOGRAM: Places = (
    _WITH_EXEMPLARS
    | _DISTRIBUTION
    | _EXTREMES
    | {"bucket_counts": _list("counts"), "explicit_bounds": _list("bounds")}
)
EXPONENTIAL: Places = (
    _WITH_EXEMPLARS
    | _DISTRIBUTION
    | _EXTREMES
    | {
        "scale": lambda row: row["scale"],
        "zero_count": lambda row: row["zero_count"],
        "zero_threshold": lambda row: row["zero_threshold"],
        "positive": lambda row: ExponentialHistogramDataPoint.Buckets(
            offset=row["positive_offset"], bucket_counts=row["counts"] or ()
        ),
        "negative": lambda row: ExponentialHistogramDataPoint.Buckets(
            offset=row["negative_offset"], bucket_counts=row["negative_counts"] or ()
        ),
    }
)
SUMMARY: Places = (
    _POINT
    | _DISTRIBUTION
    | {
        "quantile_values": lambda row: [
            SummaryDataPoint.ValueAtQuantile(quantile=quantile, value=value)
            for quantile, value in zip(
                row["bounds"] or (), row["quantile_values"] or (), strict=True
            )
        ],
    }
)


def _with_temporality(kind: str) -> Callable[[Row], Any]:
    def data(series: Row) -> dict[str, Any] | None:
        if series["kind"] != kind:
            return None
        return {"aggregation_temporality": _TEMPORALITY[series["temporality"]]}

    return data


_TEMPORALITY = {None: 0, "unspecified": 0, "delta": 1, "cumulative": 2}
# Of a series, and of which kind its points are.
METRIC: Places = {
    "name": lambda series: series["original_metric"] or series["metric"],
    "description": _or("description", ""),
    "unit": _or("unit", ""),
    "gauge": lambda series: {} if series["kind"] == "gauge" else None,
    "sum": lambda series: (
        {
            "aggregation_temporality": _TEMPORALITY[series["temporality"]],
            "is_monotonic": series["is_monotonic"],
        }
        if series["kind"] == "sum"
        else None
    ),
    **{kind: _with_temporality(kind) for kind in ("histogram", "exponential_histogram")},
    "summary": lambda series: {} if series["kind"] == "summary" else None,
}

PLACES: dict[type[Message], Places] = {
    Span: SPAN,
    LogRecord: LOG_RECORD,
    Resource: RESOURCE,
    InstrumentationScope: SCOPE,
    Metric: METRIC,
    NumberDataPoint: NUMBER,
    HistogramDataPoint: HISTOGRAM,
    ExponentialHistogramDataPoint: EXPONENTIAL,
    SummaryDataPoint: SUMMARY,
}


def message_of(kind: type[Message], row: Row) -> Any:
    """The message that a row was made from, but for the order of attributes."""
    fields = {name: place(row) for name, place in PLACES[kind].items()}
    return sorted_attributes(
        kind(**{name: value for name, value in fields.items() if value is not None})
    )


def sorted_attributes(message: Any) -> Any:
    """A copy whose key-value lists are in order of their keys, all the way down."""
    copy = type(message)()
    copy.CopyFrom(message)
    _sort(copy)
    return copy


def _sort(message: Any) -> None:
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if not field.is_repeated:
            _sort(value)
            continue
        for each in value:
            _sort(each)
        if field.message_type.name == "KeyValue":
            value.sort(key=lambda each: each.key)
