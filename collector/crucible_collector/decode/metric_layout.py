"""Which field of OTLP becomes which column, for the five kinds of metrics: a row each data point."""

from __future__ import annotations

from crucible_collector.batch import MetricKind
from crucible_collector.decode.envelope import (
    ATTRIBUTES,
    RECORD_COLUMNS,
    VALUE,
    cell_columns,
    envelope,
    start_columns,
    text_columns,
    text_place,
)
from crucible_collector.decode.plan import Column, Counter, Layout, Op, Place


def _points(kind: MetricKind, message: str) -> Place:
    return Place(message=message, mark="metric_kind", mark_value=int(kind))


_POINT_ROWS = Place(Op.ROWS, counter=Counter.RECORD)
_POINT = {
    "attributes": ATTRIBUTES,
    "start_time_unix_nano": Place(column="start_ns"),
    "time_unix_nano": Place(column="time_ns"),
    "flags": Place(column="flags"),
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
        **RECORD_COLUMNS,
        "metric": Column(Counter.RECORD, parent=Counter.METRIC),
        **text_columns("metric_name", Counter.METRIC),
        **text_columns("metric_description", Counter.METRIC),
        **text_columns("metric_unit", Counter.METRIC),
        **cell_columns(Counter.METRIC, "metric_kind", "temporality", "is_monotonic"),
        **cell_columns(Counter.RECORD, "time_ns", "start_ns", "flags", "value_kind", "value"),
        **cell_columns(
            Counter.RECORD, "count", "sum", "has_sum", "min", "has_min", "max", "has_max"
        ),
        **cell_columns(Counter.RECORD, "scale", "zero_count", "zero_threshold"),
        **cell_columns(Counter.RECORD, "positive_offset", "negative_offset"),
        **start_columns(
            Counter.RECORD, exemplar_start=Counter.EXEMPLAR, bounds_start=Counter.BOUNDS
        ),
        **start_columns(
            Counter.RECORD, counts_start=Counter.COUNTS, quantile_start=Counter.QUANTILE
        ),
        **start_columns(Counter.RECORD, negative_counts_start=Counter.NEGATIVE_COUNTS),
        **text_columns("exemplar_message", Counter.EXEMPLAR),
        **cell_columns(Counter.BOUNDS, "bounds"),
        **cell_columns(Counter.COUNTS, "counts"),
        **cell_columns(Counter.QUANTILE, "quantile", "quantile_value"),
        **cell_columns(Counter.NEGATIVE_COUNTS, "negative_counts"),
    },
    messages={
        **envelope("ExportMetricsServiceRequest", "Metrics", "metrics"),
        "Metric": (
            "Metric",
            {
                "name": text_place("metric_name"),
                "description": text_place("metric_description"),
                "unit": text_place("metric_unit"),
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
                **VALUE,
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
