"""OTLP metrics to rows: numbers into points, histograms of every kind and summaries into histograms."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from crucible_collector.batch import (
    F64,
    I64,
    U8,
    Bool,
    MetricKind,
    Metrics,
    Signal,
    TextRef,
)
from crucible_collector.decode import attribute_set_hash, distinct, exemplars_json, text_hash
from crucible_collector.enrich.columns import (
    int_place,
    non_zero,
    numbers,
    optional_times,
    slot_int,
    slot_text,
    text_of,
    times,
    unless_null,
)
from crucible_collector.enrich.dimensions import json_of
from crucible_collector.enrich.events import EventNames
from crucible_collector.enrich.facts import Seen, collect
from crucible_collector.enrich.hashing import fold
from crucible_collector.enrich.metric_names import MetricNames, metric_names
from crucible_collector.enrich.series import by_series, series_row
from crucible_collector.enrich.window import Collected, Identified, identify, table
from crucible_collector.rows import Table

_TEMPORALITY = {0: "unspecified", 1: "delta", 2: "cumulative"}
_NUMBER_KIND = {0: None, 1: "int", 2: "double"}
_DOUBLE = 2  # also of a point without a value: those mark gaps in series of doubles
_Columns = Callable[[Metrics, I64], dict[str, pa.Array | None]]
_EXACT_INT_MAX = 2**53  # beyond it a float8 does not hold every integer


@dataclass(slots=True)
class LookedAtMetrics:
    """The data points of a window with their series; columns have one value a data point."""

    metrics: Metrics
    identified: Identified
    named: Metrics  # without the attribute that is a column of points
    names: MetricNames
    series_id: I64
    number_kind: U8
    is_number: Bool  # of a gauge or a sum
    time_ns: I64  # as stored


def look_at_metrics(
    metrics: Metrics, keep: Bool, received_ns: I64, collected: Collected
) -> LookedAtMetrics:
    """Name the metrics and tell their series apart; asked for again, it is what it was."""
    if "looked at" not in metrics.memo:
        identified = identify(metrics, keep, received_ns, collected)
        is_number = metrics.metric_kind <= MetricKind.SUM
        named = _without_step(metrics, is_number)
        number_kind = np.where(is_number & (metrics.value_kind == 0), _DOUBLE, metrics.value_kind)
        metrics.memo["looked at"] = LookedAtMetrics(
            metrics,
            identified,
            named,
            metric_names(metrics, is_number),
            _series_ids(identified, named, number_kind),
            number_kind,
            is_number,
            np.where(metrics.time_ns == 0, identified.received_ns, metrics.time_ns),
        )
    found: LookedAtMetrics = metrics.memo["looked at"]
    return found


def add_metrics(metrics: Metrics, keep: Bool, received_ns: I64, collected: Collected) -> None:
    """Add the tables, dimensions and facts of a window's data points."""
    if not len(metrics):
        return
    looked = look_at_metrics(metrics, keep, received_ns, collected)
    identified, ids, time_ns = looked.identified, looked.series_id, looked.time_ns
    is_number, names = looked.is_number, looked.names
    _new_series(identified, looked.named, names, (ids, looked.number_kind), collected)
    numbers_of = functools.partial(_number_columns, names.scales())
    made = [
        _table("points", identified, metrics, ids, time_ns, (is_number, numbers_of)),
        _table("histograms", identified, metrics, ids, time_ns, (~is_number, _histogram_columns)),
    ]
    collected.tables += [each for each in made if each is not None]
    nameless = EventNames([], np.zeros(len(metrics), np.int64))
    rest = identified.received_ns, keep, identified.resource_ids
    collect(Seen(metrics, nameless, time_ns, time_ns, *rest), collected.facts)


def _without_step(metrics: Metrics, is_number: Bool) -> Metrics:
    """The points without the attribute that places a number on the step axis.

    It has a column in points, and which series a point belongs to does not depend on it, by whatever
    spelling it was found. Where it has no column (histograms, steps that are no integers) it stays.
    """
    place = int_place(metrics, "crucible.step")
    at = np.zeros(0, np.int32) if place is None else place[(place >= 0) & is_number]
    if not len(at):
        return metrics
    attributes = metrics.attributes
    length = attributes.key.length.copy()
    length[at] = -1
    key = TextRef(attributes.key.offset, length)
    return replace(metrics, attributes=replace(attributes, key=key))


def _series_ids(identified: Identified, metrics: Metrics, number_kind: U8) -> I64:
    buffer = metrics.buffer
    return fold(
        "metric",
        identified.resource,
        identified.scope,
        text_hash(buffer, metrics.metric_name),
        text_hash(buffer, metrics.metric_unit),
        metrics.metric_kind,
        metrics.temporality,
        metrics.is_monotonic,
        number_kind,
        attribute_set_hash(metrics),
    )


def _new_series(
    identified: Identified,
    metrics: Metrics,
    names: MetricNames,
    series: tuple[I64, U8],
    collected: Collected,
) -> None:
    """Rows for the series that are not known yet; `series` are ids and number kinds of the points."""
    ids, number_kind = series
    known, into = collected.known.series, collected.series.rows
    kept = np.flatnonzero(identified.keep)
    first, _ = distinct(ids[kept])
    new = [row for row in kept[first].tolist() if int(ids[row]) not in known]
    if not new:
        return
    texts = {
        "run_id": slot_text(metrics, "crucible.run.id"),
        "experiment_id": slot_text(metrics, "crucible.experiment.id"),
        "description": metrics.metric_description,
    }
    rank, has_rank = slot_int(metrics, "crucible.rank")
    resource, scope = identified.resource, identified.scope
    for row in new:
        kind = MetricKind(int(metrics.metric_kind[row]))
        with_temporality = kind not in (MetricKind.GAUGE, MetricKind.SUMMARY)
        into[int(ids[row])] = series_row(
            series_id=int(ids[row]),
            source="metric",
            metric=names.of(row).name,
            original_metric=names.of(row).sent,
            unit=names.of(row).unit or text_of(metrics, metrics.metric_unit, row) or None,
            rank=int(rank[row]) if has_rank[row] else None,
            kind=kind.name.lower(),
            temporality=_TEMPORALITY.get(int(metrics.temporality[row]))
            if with_temporality
            else None,
            is_monotonic=bool(metrics.is_monotonic[row]) if kind is MetricKind.SUM else None,
            number_kind=_NUMBER_KIND[int(number_kind[row])],
            resource_id=int(resource[row]),
            scope_id=int(scope[row]),
            attributes=json_of(metrics, metrics.attribute_start, row),
            **{name: text_of(metrics, ref, row) or None for name, ref in texts.items()},
        )


def _table(
    relation: str,
    identified: Identified,
    metrics: Metrics,
    ids: I64,
    time_ns: I64,
    chosen: tuple[Bool, _Columns],
) -> Table | None:
    """A table of the chosen records in (series, time) order, with columns of its own."""
    is_chosen, columns = chosen
    rows = np.flatnonzero(is_chosen & identified.keep)
    if not len(rows):
        return None
    rows = rows[by_series(ids[rows], time_ns[rows])]
    time, rest = times(time_ns[rows])
    shared = {
        "series_id": pa.array(ids[rows]),
        "time": time,
        "time_ns_rest": rest,
        "start_time": optional_times(metrics.start_ns[rows]),
        "flags": non_zero(metrics.flags[rows], pa.int64()),
        "exemplars": _exemplars(metrics, rows),
    }
    return table(relation, Signal.METRICS, identified, shared | columns(metrics, rows), rows)


def _exemplars(metrics: Metrics, rows: I64) -> pa.Array | None:
    if not len(metrics.exemplar_message.offset):
        return None
    return unless_null(exemplars_json(metrics).take(pa.array(rows)))


def _number_columns(scales: F64 | None, metrics: Metrics, rows: I64) -> dict[str, pa.Array | None]:
    step, has_step = slot_int(metrics, "crucible.step")
    integers, values = metrics.int_value[rows], metrics.double_value[rows]
    is_inexact = (metrics.value_kind[rows] == 1) & (
        (integers > _EXACT_INT_MAX) | (integers < -_EXACT_INT_MAX)
    )
    if scales is not None:
        values, is_inexact = values * scales[rows], is_inexact & (scales[rows] == 1)
    return {
        "step": numbers(step[rows], has_step[rows], pa.int64()),
        "value": numbers(values, metrics.value_kind[rows] != 0, pa.float64()),
        "value_int": numbers(integers, is_inexact, pa.int64()),
    }


def _histogram_columns(metrics: Metrics, rows: I64) -> dict[str, pa.Array | None]:
    is_exponential = metrics.metric_kind[rows] == MetricKind.EXPONENTIAL_HISTOGRAM
    lists = {
        "bounds": (metrics.bounds_start, metrics.bounds),
        "counts": (metrics.counts_start, metrics.counts),
        "negative_counts": (metrics.negative_counts_start, metrics.negative_counts),
        "quantile_values": (metrics.quantile_values_start, metrics.quantile_values),
    }
    return {
        "count": pa.array(metrics.count[rows]),
        "sum": numbers(metrics.sum[rows], metrics.has_sum[rows], pa.float64()),
        "min": numbers(metrics.min[rows], metrics.has_min[rows], pa.float64()),
        "max": numbers(metrics.max[rows], metrics.has_max[rows], pa.float64()),
        "scale": numbers(metrics.scale[rows], is_exponential, pa.int32()),
        "zero_count": numbers(metrics.zero_count[rows], is_exponential, pa.int64()),
        "zero_threshold": numbers(metrics.zero_threshold[rows], is_exponential, pa.float64()),
        "positive_offset": numbers(metrics.positive_offset[rows], is_exponential, pa.int32()),
        "negative_offset": numbers(metrics.negative_offset[rows], is_exponential, pa.int32()),
        **{name: _lists(start, values, rows) for name, (start, values) in lists.items()},
    }


def _lists(start: I64, values: np.ndarray[Any, Any], rows: I64) -> pa.Array | None:
    """One list a row; an empty one is null, whatever the other rows have."""
    is_empty = start[rows] == start[rows + 1]
    if is_empty.all():
        return None
    column = pa.ListArray.from_arrays(pa.array(start, pa.int32()), pa.array(values))
    return column.take(pa.array(rows, mask=is_empty))
