"""The sums of a window that portable roll-ups are made of: by minute; durations and anomalies by hour.

They are computed from the very rows that are written, so whatever is left out of these (a duplicate, a
row that the database refuses) is left out of the sums as well. Rows can be added up in any order and
grouping; what makes the columns is said beside their definition in the store's `rollups.families`,
whose SQL gives the same where rows are rolled up by the database.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crucible_collector.batch import F64, I64, Bool
from crucible_collector.candidates import STATUS_ERROR
from crucible_collector.enrich.grouping import (
    Groups,
    code_of,
    codes_of,
    floats,
    grouped,
    integers,
    numbers,
    only_where,
    times,
    timestamps,
    truths,
    unless_zero,
)

MINUTE_US = 60_000_000
HOUR_US = 3_600_000_000
# The bounds of `rollups.families.FINITE_MAX` and `SQUARE_MIN`: PostgreSQL's sums must stay in range.
FINITE_MAX = 1e100
SQUARE_MIN = 1e-100
LN_GAMMA = 0.020000666706669525  # ln(1.01 / 0.99), as in crucible.duration_bucket

_Columns: TypeAlias = dict[str, pa.Array]


@dataclass(frozen=True, slots=True)
class Partial:
    """Rows for the parts of one roll-up; the batch's column names are the relation's."""

    relation: str
    batch: pa.RecordBatch


def partials(relation: str, batch: pa.RecordBatch) -> list[Partial]:
    """What rows of `relation` add to its roll-ups; nothing where it has none."""
    if not batch.num_rows:
        return []
    summed = {"points": _points, "spans": _spans, "anomalies": _anomalies}.get(relation)
    return [] if summed is None else list(summed(batch))


def duration_bucket(duration_ns: I64) -> npt.NDArray[np.int32]:
    """The logarithmic bucket of each duration (see the SQL function of that name); -1 for 0."""
    found = np.ceil(np.log(np.maximum(duration_ns, 1)) / LN_GAMMA)
    bucket: npt.NDArray[np.int32] = np.where(duration_ns <= 0, -1, found).astype(np.int32)
    return bucket


def _points(batch: pa.RecordBatch) -> Iterator[Partial]:
    """Of points that come in (series, time) order, as windows have them."""
    values, is_null = floats(batch, "value")
    if is_null.all():
        return
    if is_null.any():
        batch, values = batch.filter(pa.array(~is_null)), values[~is_null]
    time, series = times(batch), integers(batch, "series_id")
    minute = time - time % MINUTE_US
    begins = (np.diff(series) != 0) | (np.diff(minute) != 0)
    start = np.flatnonzero(np.concatenate(([True], begins)))
    groups = Groups(np.arange(len(series)), start)
    finite = np.abs(values) <= FINITE_MAX  # False for NaN
    value = np.where(finite, values, 0.0)
    count = groups.count(finite)
    there = count > 0
    tiny = np.abs(value) < SQUARE_MIN
    squares = np.square(np.where(tiny, 0.0, value))
    place = np.arange(len(series))
    first = groups.least(np.where(finite, place, len(series) - 1))
    last = groups.largest(np.where(finite, place, 0))
    columns = {
        "time": timestamps(minute[start]),
        "series_id": pa.array(series[start]),
        "count": unless_zero(count),
        "non_finite_count": unless_zero(groups.sizes() - count),
        "sum": unless_zero(groups.sum(value)),
        "sum_squares": unless_zero(groups.sum(squares)),
        "min": only_where(groups.least(np.where(finite, values, np.inf)), there),
        "max": only_where(groups.largest(np.where(finite, values, -np.inf)), there),
        "first": only_where(values[first], there),
        "first_time": timestamps(time[first], there),
        "last": only_where(values[last], there),
        "last_time": timestamps(time[last], there),
    }
    yield _partial("point_rollup_parts", columns)


_KEYS = ("experiment_id", "run_id", "event_name", "model")
# Columns that windows have only where something was sampled; others cost nothing.
_OF_SAMPLED = (
    "error_variance",
    *(
        f"{what}_trace_variance"
        for what in ("count", "duration", "input_token", "output_token", "cost")
    ),
    "uncertain_event_traces",
    "uncertain_traces",
)


def _spans(batch: pa.RecordBatch) -> Iterator[Partial]:
    codes = {name: codes_of(batch, name) for name in _KEYS}
    codes["status_code"] = codes_of(batch, "status_code")
    time = times(batch)
    probability = numbers(batch, "sample_probability", 1.0)
    yield _rolled_up(batch, codes, time, probability)
    yield _latencies(batch, codes, time, probability)


def _rolled_up(
    batch: pa.RecordBatch, codes: dict[str, npt.NDArray[Any]], time: I64, probability: F64
) -> Partial:
    minute = time // MINUTE_US
    groups = grouped(code_of(minute), *codes.values())
    weight = 1 / probability
    status = integers(batch, "status_code")
    duration = integers(batch, "duration_ns").astype(np.float64)
    columns = {
        "time": timestamps(minute[groups.order[groups.start]] * MINUTE_US),
        **_keys(batch, codes, groups),
        "row_count": pa.array(groups.sizes()),
        "count": pa.array(groups.sum(weight)),
        "count_variance": _total(groups, batch, "count_variance"),
        "error_count": unless_zero(groups.sum(np.where(status == STATUS_ERROR, weight, 0.0))),
        "usage_count": unless_zero(groups.sum(np.where(_tells_usage(batch), weight, 0.0))),
        "probability_min": pa.array(groups.least(probability)),
        "last_time": timestamps(groups.largest(time)),
        **_weighted(groups, "duration", "_ns", duration, probability),
        "duration_variance": _total(groups, batch, "duration_variance"),
        "duration_min_ns": pa.array(groups.least(duration)),
    }
    for column, what, unit in (
        ("input_tokens", "input_token", ""),
        ("output_tokens", "output_token", ""),
        ("cost_usd", "cost", "_usd"),
    ):
        if column in batch.schema.names:
            values, is_null = floats(batch, column)
            values[is_null | ~(np.abs(values) <= FINITE_MAX)] = np.nan
            columns |= _weighted(groups, what, unit, values, probability)
        # A row may carry the term of its trace without having a value of its own.
        columns[f"{what}_variance"] = _total(groups, batch, f"{what}_variance")
    columns |= {name: _total(groups, batch, name) for name in _OF_SAMPLED}
    return _partial("span_rollup_parts", columns)


def _tells_usage(batch: pa.RecordBatch) -> Bool:
    """Which spans have tokens or a cost, a cost that is not finite included."""
    found: Bool = np.zeros(batch.num_rows, np.bool_)
    for name in ("input_tokens", "output_tokens", "cost_usd"):
        if name in batch.schema.names:
            found |= batch.column(name).is_valid().to_numpy(zero_copy_only=False)
    return found


def _weighted(
    groups: Groups, what: str, unit: str, values: F64, probability: F64
) -> dict[str, pa.Array | None]:
    """Σx/p, Σx(1-p)/p and the largest x; NaN stands for no value."""
    there = ~np.isnan(values)
    estimate = np.where(there, values, 0.0) / probability
    largest = groups.largest(np.where(there, values, -np.inf))
    return {
        f"{what}_sum{unit}": unless_zero(groups.sum(estimate)),
        f"{what}_unseen{unit}": unless_zero(groups.sum(estimate * (1 - probability))),
        f"{what}_max{unit}": only_where(largest, largest > -np.inf),
    }


def _latencies(
    batch: pa.RecordBatch, codes: dict[str, npt.NDArray[Any]], time: I64, probability: F64
) -> Partial:
    hour = time // HOUR_US
    bucket = duration_bucket(integers(batch, "duration_ns"))
    kept = {name: code for name, code in codes.items() if name != "run_id"}
    groups = grouped(code_of(hour), *kept.values(), bucket.astype(np.int64) + 1)
    columns = {
        "time": timestamps(hour[groups.order[groups.start]] * HOUR_US),
        **_keys(batch, kept, groups),
        "bucket": pa.array(bucket[groups.order[groups.start]]),
        "row_count": pa.array(groups.sizes()),
        "count": pa.array(groups.sum(1 / probability)),
        "count_variance": _total(groups, batch, "latency_variance"),
    }
    return _partial("span_latency_parts", columns)


def _anomalies(batch: pa.RecordBatch) -> Iterator[Partial]:
    names = ("experiment_id", "run_id", "metric", "severity", "label")
    codes = {name: codes_of(batch, name) for name in names}
    hour = times(batch) // HOUR_US
    groups = grouped(code_of(hour), *codes.values())
    starts = truths(batch, "starts_period")
    columns = {
        "time": timestamps(hour[groups.order[groups.start]] * HOUR_US),
        "label": pa.array([""] * len(groups.start)),  # the column's default, which no window names
        **_keys(batch, codes, groups),
        "flag_count": pa.array(groups.sizes()),
        "period_count": unless_zero(groups.count(starts)),
        # NaN counts as the largest here as it does for PostgreSQL.
        "score_max": pa.array(groups.largest(floats(batch, "score")[0])),
    }
    yield _partial("anomaly_rollup_parts", columns)


def _keys(
    batch: pa.RecordBatch, codes: dict[str, npt.NDArray[Any]], groups: Groups
) -> dict[str, pa.Array | None]:
    there = [name for name in codes if name in batch.schema.names]
    return {name: batch.column(name).take(groups.first) for name in there}


def _total(groups: Groups, batch: pa.RecordBatch, name: str) -> pa.Array | None:
    """The sum of a column of variance terms, null for 0; None where the window has none."""
    if name not in batch.schema.names:
        return None
    return unless_zero(groups.sum(numbers(batch, name, 0.0)))


def _partial(relation: str, columns: dict[str, pa.Array | None]) -> Partial:
    made: _Columns = {name: column for name, column in columns.items() if column is not None}
    return Partial(relation, pa.RecordBatch.from_pydict(made))
