"""Which field of OTLP becomes which column, for the three signals.

A text column `x` has its length in the column that follows, `x_length`; the lengths of ids are as
on the wire. An absent text and an empty one are the same in proto3; both have length -1.
"""

from __future__ import annotations

from crucible_collector.batch import MetricKind
from crucible_collector.decode.plan import ROOT, Column, Counter, Layout, Op, Place

# What `value_kind` of a data point and of an exemplar says.
VALUE_INT, VALUE_DOUBLE = 1, 2


def _text(name: str, rows: Counter) -> dict[str, Column]:
    return {name: Column(rows), f"{name}_length": Column(rows, initial=-1)}


def _cells(rows: Counter, *names: str) -> dict[str, Column]:
    return {name: Column(rows) for name in names}


def _starts(rows: Counter, **starts: Counter) -> dict[str, Column]:
    return {name: Column(rows, start_of=counter) for name, counter in starts.items()}


def _text_place(column: str) -> Place:
    return Place(Op.TEXT, column)


_RECORD_COLUMNS = {
    "request": Column(Counter.RECORD, parent=Counter.REQUEST),
    "index": Column(Counter.RECORD, parent=Counter.INDEX),
    "scope": Column(Counter.RECORD, parent=Counter.SCOPE),
    "size": Column(Counter.RECORD, is_size=True),
    **_starts(Counter.RECORD, attribute_start=Counter.RECORD_ATTRIBUTE),
    "resource_request": Column(Counter.RESOURCE, parent=Counter.REQUEST),
    **_starts(Counter.RESOURCE, resource_attribute_start=Counter.RESOURCE_ATTRIBUTE),
    **_text("resource_schema_url", Counter.RESOURCE),
    **_cells(Counter.RESOURCE, "resource_dropped_attributes_count"),
    "scope_resource": Column(Counter.SCOPE, parent=Counter.RESOURCE),
    **_starts(Counter.SCOPE, scope_attribute_start=Counter.OTHER_ATTRIBUTE),
    **_text("scope_name", Counter.SCOPE),
    **_text("scope_version", Counter.SCOPE),
    **_text("scope_schema_url", Counter.SCOPE),
    **_cells(Counter.SCOPE, "scope_dropped_attributes_count"),
}


def _envelope(request: str, word: str, records: str) -> dict[str, tuple[str, dict[str, Place]]]:
    """Declare the messages around the records: the same in all signals but for their names."""
    return {
        ROOT: (
            request,
            {
                f"resource_{word.lower()}": Place(
                    Op.ROWS, message=f"Resource{word}", counter=Counter.RESOURCE
                )
            },
        ),
        f"Resource{word}": (
            f"Resource{word}",
            {
                "resource": Place(message="Resource"),
                f"scope_{word.lower()}": Place(
                    Op.ROWS, message=f"Scope{word}", counter=Counter.SCOPE
                ),
                "schema_url": _text_place("resource_schema_url"),
            },
        ),
        "Resource": (
            "Resource",
            {
                "attributes": Place(Op.ATTRIBUTE, counter=Counter.RESOURCE_ATTRIBUTE),
                "dropped_attributes_count": Place(column="resource_dropped_attributes_count"),
            },
        ),
        f"Scope{word}": (
            f"Scope{word}",
            {
                "scope": Place(message="InstrumentationScope"),
                records: Place(
                    Op.ROWS,
                    message="Metric" if word == "Metrics" else "Record",
                    counter=Counter.METRIC if word == "Metrics" else Counter.RECORD,
                ),
                "schema_url": _text_place("scope_schema_url"),
            },
        ),
        "opentelemetry.proto.common.v1.AnyValue": (
            "AnyValue",
            {"double_value": Place(counter=Counter.DIGITS)},
        ),
        "InstrumentationScope": (
            "InstrumentationScope",
            {
                "name": _text_place("scope_name"),
                "version": _text_place("scope_version"),
                "attributes": Place(Op.ATTRIBUTE, counter=Counter.OTHER_ATTRIBUTE),
                "dropped_attributes_count": Place(column="scope_dropped_attributes_count"),
            },
        ),
    }


_ATTRIBUTES = Place(Op.ATTRIBUTE, counter=Counter.RECORD_ATTRIBUTE)

SPANS = Layout(
    root="collector.trace.v1.ExportTraceServiceRequest",
    columns={
        **_RECORD_COLUMNS,
        **_cells(Counter.RECORD, "trace_id_length", "span_id", "span_id_length"),
        **_cells(Counter.RECORD, "parent_span_id", "parent_span_id_length"),
        **_text("trace_state", Counter.RECORD),
        **_text("name", Counter.RECORD),
        **_cells(Counter.RECORD, "flags", "kind", "start_ns", "end_ns", "status_code"),
        **_text("status_message", Counter.RECORD),
        **_cells(Counter.RECORD, "dropped_attributes_count", "dropped_events_count"),
        **_cells(Counter.RECORD, "dropped_links_count"),
        **_starts(Counter.RECORD, event_start=Counter.EVENT, link_start=Counter.LINK),
        **_text("event_message", Counter.EVENT),
        **_text("link_message", Counter.LINK),
    },
    messages={
        **_envelope("ExportTraceServiceRequest", "Spans", "spans"),
        "Record": (
            "Span",
            {
                "trace_id": Place(Op.ID16, "trace_id_length"),
                "span_id": Place(Op.ID8, "span_id"),
                "trace_state": _text_place("trace_state"),
                "parent_span_id": Place(Op.ID8, "parent_span_id"),
                "flags": Place(column="flags"),
                "name": _text_place("name"),
                "kind": Place(column="kind"),
                "start_time_unix_nano": Place(column="start_ns"),
                "end_time_unix_nano": Place(column="end_ns"),
                "attributes": _ATTRIBUTES,
                "dropped_attributes_count": Place(column="dropped_attributes_count"),
                "events": Place(Op.REFS, "event_message", counter=Counter.EVENT),
                "dropped_events_count": Place(column="dropped_events_count"),
                "links": Place(Op.REFS, "link_message", counter=Counter.LINK),
                "dropped_links_count": Place(column="dropped_links_count"),
                "status": Place(message="Status"),
            },
        ),
        "Status": (
            "Status",
            {"message": _text_place("status_message"), "code": Place(column="status_code")},
        ),
    },
)

LOGS = Layout(
    root="collector.logs.v1.ExportLogsServiceRequest",
    columns={
        **_RECORD_COLUMNS,
        **_cells(Counter.RECORD, "time_ns", "observed_ns", "severity_number", "flags"),
        **_text("severity_text", Counter.RECORD),
        **_cells(Counter.RECORD, "body_kind", "body_number"),
        **_text("body", Counter.RECORD),
        **_text("event_name", Counter.RECORD),
        **_cells(Counter.RECORD, "trace_id_length", "span_id", "span_id_length"),
        **_cells(Counter.RECORD, "dropped_attributes_count"),
    },
    messages={
        **_envelope("ExportLogsServiceRequest", "Logs", "log_records"),
        "Record": (
            "LogRecord",
            {
                "time_unix_nano": Place(column="time_ns"),
                "observed_time_unix_nano": Place(column="observed_ns"),
                "severity_number": Place(column="severity_number"),
                "severity_text": _text_place("severity_text"),
                "body": Place(Op.VALUE, "body_kind"),
                "attributes": _ATTRIBUTES,
                "dropped_attributes_count": Place(column="dropped_attributes_count"),
                "flags": Place(column="flags"),
                "trace_id": Place(Op.ID16, "trace_id_length"),
                "span_id": Place(Op.ID8, "span_id"),
                "event_name": _text_place("event_name"),
            },
        ),
    },
)


def _points(kind: MetricKind, message: str) -> Place:
    return Place(message=message, mark="metric_kind", mark_value=int(kind))


_POINT_ROWS = Place(Op.ROWS, counter=Counter.RECORD)
_POINT = {
    "attributes": _ATTRIBUTES,
    "start_time_unix_nano": Place(column="start_ns"),
    "time_unix_nano": Place(column="time_ns"),
    "flags": Place(column="flags"),
}
_VALUE = {
    "as_int": Place(column="value", mark="value_kind", mark_value=VALUE_INT),
    "as_double": Place(column="value", mark="value_kind", mark_value=VALUE_DOUBLE),
}
_EXEMPLARS = Place(Op.REFS, "exemplar_message", counter=Counter.EXEMPLAR)
_TEMPORALITY = {"aggregation_temporality": Place(column="temporality")}
_STATISTICS = {
    "count": Place(column="count"),
    "sum": Place(column="sum", mark="has_sum"),
    "min": Place(column="min", mark="has_min"),
    "max": Place(column="max", mark="has_max"),
}

METRICS = Layout(
    root="collector.metrics.v1.ExportMetricsServiceRequest",
    columns={
        **_RECORD_COLUMNS,
        "metric": Column(Counter.RECORD, parent=Counter.METRIC),
        **_text("metric_name", Counter.METRIC),
        **_text("metric_description", Counter.METRIC),
        **_text("metric_unit", Counter.METRIC),
        **_cells(Counter.METRIC, "metric_kind", "temporality", "is_monotonic"),
        **_cells(Counter.RECORD, "time_ns", "start_ns", "flags", "value_kind", "value"),
        **_cells(Counter.RECORD, "count", "sum", "has_sum", "min", "has_min", "max", "has_max"),
        **_cells(Counter.RECORD, "scale", "zero_count", "zero_threshold"),
        **_cells(Counter.RECORD, "positive_offset", "negative_offset"),
        **_starts(Counter.RECORD, exemplar_start=Counter.EXEMPLAR, bounds_start=Counter.BOUNDS),
        **_starts(Counter.RECORD, counts_start=Counter.COUNTS, quantile_start=Counter.QUANTILE),
        **_starts(Counter.RECORD, negative_counts_start=Counter.NEGATIVE_COUNTS),
        **_text("exemplar_message", Counter.EXEMPLAR),
        **_cells(Counter.BOUNDS, "bounds"),
        **_cells(Counter.COUNTS, "counts"),
        **_cells(Counter.QUANTILE, "quantile", "quantile_value"),
        **_cells(Counter.NEGATIVE_COUNTS, "negative_counts"),
    },
    messages={
        **_envelope("ExportMetricsServiceRequest", "Metrics", "metrics"),
        "Metric": (
            "Metric",
            {
                "name": _text_place("metric_name"),
                "description": _text_place("metric_description"),
                "unit": _text_place("metric_unit"),
                "gauge": _points(MetricKind.GAUGE, "Gauge"),
                "sum": _points(MetricKind.SUM, "Sum"),
                "histogram": _points(MetricKind.HISTOGRAM, "Histogram"),
                "exponential_histogram": _points(
                    MetricKind.EXPONENTIAL_HISTOGRAM, "ExponentialHistogram"
                ),
                "summary": _points(MetricKind.SUMMARY, "Summary"),
            },
        ),
        "Gauge": ("Gauge", {"data_points": _POINT_ROWS._replace(message="Number")}),
        "Sum": (
            "Sum",
            {
                "data_points": _POINT_ROWS._replace(message="Number"),
                **_TEMPORALITY,
                "is_monotonic": Place(column="is_monotonic"),
            },
        ),
        "Histogram": (
            "Histogram",
            {"data_points": _POINT_ROWS._replace(message="Explicit"), **_TEMPORALITY},
        ),
        "ExponentialHistogram": (
            "ExponentialHistogram",
            {"data_points": _POINT_ROWS._replace(message="Exponential"), **_TEMPORALITY},
        ),
        "Summary": ("Summary", {"data_points": _POINT_ROWS._replace(message="Quantiles")}),
        "Number": (
            "NumberDataPoint",
            {
                **_POINT,
                **_VALUE,
                "exemplars": _EXEMPLARS,
            },
        ),
        "Explicit": (
            "HistogramDataPoint",
            {
                **_POINT,
                **_STATISTICS,
                "bucket_counts": Place(column="counts", counter=Counter.COUNTS),
                "explicit_bounds": Place(column="bounds", counter=Counter.BOUNDS),
                "exemplars": _EXEMPLARS,
            },
        ),
        "Exponential": (
            "ExponentialHistogramDataPoint",
            {
                **_POINT,
                **_STATISTICS,
                "scale": Place(column="scale"),
                "zero_count": Place(column="zero_count"),
                "positive": Place(message="Positive"),
                "negative": Place(message="Negative"),
                "exemplars": _EXEMPLARS,
                "zero_threshold": Place(column="zero_threshold"),
            },
        ),
        "Positive": (
            "Buckets",
            {
                "offset": Place(column="positive_offset"),
                "bucket_counts": Place(column="counts", counter=Counter.COUNTS),
            },
        ),
        "Negative": (
            "Buckets",
            {
                "offset": Place(column="negative_offset"),
                "bucket_counts": Place(column="negative_counts", counter=Counter.NEGATIVE_COUNTS),
            },
        ),
        "Quantiles": (
            "SummaryDataPoint",
            {
                **_POINT,
                "count": Place(column="count"),
                "sum": Place(column="sum"),
                "quantile_values": Place(Op.ROWS, message="Quantile", counter=Counter.QUANTILE),
            },
        ),
        "Quantile": (
            "ValueAtQuantile",
            {"quantile": Place(column="quantile"), "value": Place(column="quantile_value")},
        ),
    },
)


def _message(
    root: str, columns: dict[str, Column], fields: dict[str, Place], attributes: str = "attributes"
) -> Layout:
    """Declare a message that is decoded on its own, one row each."""
    return Layout(
        root=root,
        columns={
            **columns,
            **_starts(Counter.RECORD, attribute_start=Counter.OTHER_ATTRIBUTE),
        },
        messages={
            ROOT: (
                root.rpartition(".")[2],
                {**fields, attributes: Place(Op.ATTRIBUTE, counter=Counter.OTHER_ATTRIBUTE)},
            )
        },
        row_each=True,
    )


_DROPPED = {"dropped_attributes_count": Place(column="dropped_attributes_count")}

EVENTS = _message(
    "trace.v1.Span.Event",
    {
        **_cells(Counter.RECORD, "time_ns", "dropped_attributes_count"),
        **_text("name", Counter.RECORD),
    },
    {"time_unix_nano": Place(column="time_ns"), "name": _text_place("name"), **_DROPPED},
)

LINKS = _message(
    "trace.v1.Span.Link",
    {
        **_cells(Counter.RECORD, "dropped_attributes_count", "flags"),
        **_text("trace_id", Counter.RECORD),
        **_text("span_id", Counter.RECORD),
        **_text("trace_state", Counter.RECORD),
    },
    {
        "trace_id": _text_place("trace_id"),
        "span_id": _text_place("span_id"),
        "trace_state": _text_place("trace_state"),
        "flags": Place(column="flags"),
        **_DROPPED,
    },
)

EXEMPLARS = _message(
    "metrics.v1.Exemplar",
    {
        **_cells(Counter.RECORD, "time_ns", "value", "value_kind"),
        **_text("trace_id", Counter.RECORD),
        **_text("span_id", Counter.RECORD),
    },
    {
        "time_unix_nano": Place(column="time_ns"),
        **_VALUE,
        "trace_id": _text_place("trace_id"),
        "span_id": _text_place("span_id"),
    },
    attributes="filtered_attributes",
)
