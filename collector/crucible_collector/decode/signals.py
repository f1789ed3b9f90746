"""From cells to `batch.Spans`, `batch.Metrics` and `batch.Logs`: names, types, absent values."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crucible_collector.batch import (
    F64,
    I64,
    Bool,
    Logs,
    MetricKind,
    Metrics,
    Spans,
    TextRef,
)
from crucible_collector.decode.columns import Cells, decode
from crucible_collector.decode.envelope import VALUE_INT
from crucible_collector.decode.layouts import LOGS, SPANS
from crucible_collector.decode.measurements import find_measurements
from crucible_collector.decode.metric_layout import METRICS


def decode_spans(buffer: npt.ArrayLike, offset: I64, length: I64) -> Spans:
    """Decode ExportTraceServiceRequests that lie in one buffer.

    Raises MalformedError only if a request is not what `canonical` let through.
    """
    cells = decode(SPANS, buffer, offset, length)
    start = cells.cell("attribute_start")
    return Spans(
        **cells.common(),
        **cells.cells_of("span_id", "parent_span_id", "flags", "kind", "start_ns", "end_ns"),
        **cells.cells_of("status_code", "dropped_attributes_count", "dropped_events_count"),
        **cells.cells_of("dropped_links_count", "event_start", "link_start"),
        **cells.texts_of("trace_state", "name", "status_message"),
        **cells.texts_of("event_message", "link_message"),
        trace_id=cells.trace_id,
        trace_id_length=cells.int32("trace_id_length"),
        span_id_length=cells.int32("span_id_length"),
        parent_span_id_length=cells.int32("parent_span_id_length"),
        measurements=find_measurements(cells.buffer, start, cells.attributes),
    )


def decode_logs(buffer: npt.ArrayLike, offset: I64, length: I64) -> Logs:
    """Decode ExportLogsServiceRequests that lie in one buffer; errors as `decode_spans`."""
    cells = decode(LOGS, buffer, offset, length)
    return Logs(
        **cells.common(),
        **cells.cells_of("time_ns", "observed_ns", "severity_number", "flags", "span_id"),
        **cells.cells_of("dropped_attributes_count", "body_number"),
        **cells.texts_of("severity_text", "event_name"),
        body_kind=cells.cell("body_kind").astype(np.uint8),
        body_value=cells.text("body"),
        trace_id=cells.trace_id,
        trace_id_length=cells.int32("trace_id_length"),
        span_id_length=cells.int32("span_id_length"),
    )


def decode_metrics(buffer: npt.ArrayLike, offset: I64, length: I64) -> Metrics:
    """Decode ExportMetricsServiceRequests that lie in one buffer; errors as `decode_spans`."""
    cells = decode(METRICS, buffer, offset, length)
    metric = cells.cell("metric")
    kind = cells.cell("metric_kind")[metric].astype(np.uint8)
    # A summary's sum is a plain double, without presence: it is always there.
    has_sum = (cells.cell("has_sum") != 0) | (kind == MetricKind.SUMMARY)
    has_min, has_max = cells.cell("has_min") != 0, cells.cell("has_max") != 0
    value_kind = cells.cell("value_kind").astype(np.uint8)
    int_value = np.where(value_kind == VALUE_INT, cells.cell("value"), 0)
    bounds_start, bounds = _bounds(cells)
    return Metrics(
        **cells.common(),
        metric_name=_of(metric, cells.text("metric_name")),
        metric_description=_of(metric, cells.text("metric_description")),
        metric_unit=_of(metric, cells.text("metric_unit")),
        metric_kind=kind,
        temporality=cells.cell("temporality")[metric],
        is_monotonic=cells.cell("is_monotonic")[metric] != 0,
        **cells.cells_of("time_ns", "start_ns", "flags", "exemplar_start", "count", "scale"),
        **cells.texts_of("exemplar_message"),
        value_kind=value_kind,
        int_value=int_value,
        double_value=_present(
            np.where(value_kind == VALUE_INT, int_value, cells.float64("value")), value_kind != 0
        ),
        sum=_present(cells.float64("sum"), has_sum),
        has_sum=has_sum,
        min=_present(cells.float64("min"), has_min),
        has_min=has_min,
        max=_present(cells.float64("max"), has_max),
        has_max=has_max,
        bounds_start=bounds_start,
        bounds=bounds,
        **cells.cells_of("counts_start", "counts", "zero_count"),
        quantile_values_start=cells.cell("quantile_start"),
        quantile_values=cells.float64("quantile_value"),
        zero_threshold=cells.float64("zero_threshold"),
        **cells.cells_of("positive_offset", "negative_offset"),
        **cells.cells_of("negative_counts_start", "negative_counts"),
    )


def _of(metric: I64, text: TextRef) -> TextRef:
    return TextRef(text.offset[metric], text.length[metric])


def _present(values: F64, has: Bool) -> F64:
    return np.where(has, values, np.nan)


def _bounds(cells: Cells) -> tuple[I64, F64]:
    """Return the bounds of histograms and the quantiles of summaries in one array, in row order."""
    start, bounds = cells.cell("bounds_start"), cells.float64("bounds")
    quantile_start, quantiles = cells.cell("quantile_start"), cells.float64("quantile")
    if not len(quantiles):
        return start, bounds
    # A row has bounds or quantiles, never both, so each row's come after all of the other kind's
    # before it.
    merged = np.empty(len(bounds) + len(quantiles))
    merged[np.arange(len(bounds)) + np.repeat(quantile_start[:-1], np.diff(start))] = bounds
    merged[np.arange(len(quantiles)) + np.repeat(start[:-1], np.diff(quantile_start))] = quantiles
    return start + quantile_start, merged
