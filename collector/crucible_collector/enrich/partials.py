"""The sums of a window that portable roll-ups are made of: by minute, by hour for durations.

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

MINUTE_US = 60_000_000
HOUR_US = 3_600_000_000
# The bounds of `rollups.families.FINITE_MAX` and `SQUARE_MIN`: PostgreSQL's sums must stay in range.
FINITE_MAX = 1e100
SQUARE_MIN = 1e-100
LN_GAMMA = 0.020000666706669525  # ln(1.01 / 0.99), as in crucible.duration_bucket
STATUS_ERROR = 2
_KEY_MAX = 1 << 62
_TIMESTAMP = pa.timestamp("us", "UTC")

_Columns: TypeAlias = dict[str, pa.Array]


@dataclass(frozen=True, slots=True)
class Partial:
    """Rows for the parts of one roll-up; the batch's column names are the relation's."""

    relation: str
    batch: pa.RecordBatch


@dataclass(frozen=True, slots=True)
class _Groups:
    """Rows in an order in which those of one group follow each other; `start`: of each group."""

    order: I64
    start: I64

    @property
    def first(self) -> pa.Array:
        """A row of each group."""
        return pa.array(self.order[self.start])

    def sum(self, values: F64) -> F64:
        found: F64 = np.add.reduceat(values[self.order], self.start)
        return found

    def count(self, chosen: Bool) -> I64:
        found: I64 = np.add.reduceat(chosen[self.order], self.start, dtype=np.int64)
        return found

    def sizes(self) -> I64:
        return np.diff(self.start, append=len(self.order)).astype(np.int64)

    def least(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        found: npt.NDArray[Any] = np.minimum.reduceat(values[self.order], self.start)
        return found

    def largest(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        found: npt.NDArray[Any] = np.maximum.reduceat(values[self.order], self.start)
        return found


def partials(relation: str, batch: pa.RecordBatch) -> list[Partial]:
    """What rows of `relation` add to its roll-ups; nothing where it has none."""
    if not batch.num_rows:
        return []
    if relation == "points":
        return list(_points(batch))
    return list(_spans(batch)) if relation == "spans" else []


def duration_bucket(duration_ns: I64) -> npt.NDArray[np.int32]:
    """The logarithmic bucket of each duration (see the SQL function of that name); -1 for 0."""
    found = np.ceil(np.log(np.maximum(duration_ns, 1)) / LN_GAMMA)
    bucket: npt.NDArray[np.int32] = np.where(duration_ns <= 0, -1, found).astype(np.int32)
    return bucket


def _points(batch: pa.RecordBatch) -> Iterator[Partial]:
    """Of points that come in (series, time) order, as windows have them."""
    values, is_null = _floats(batch, "value")
    if is_null.all():
        return
    if is_null.any():
        batch, values = batch.filter(pa.array(~is_null)), values[~is_null]
    time, series = _times(batch), _integers(batch, "series_id")
    minute = time - time % MINUTE_US
    begins = (np.diff(series) != 0) | (np.diff(minute) != 0)
    start = np.flatnonzero(np.concatenate(([True], begins)))
    groups = _Groups(np.arange(len(series)), start)
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
        "time": _timestamps(minute[start]),
        "series_id": pa.array(series[start]),
        "count": _unless_zero(count),
        "non_finite_count": _unless_zero(groups.sizes() - count),
        "sum": _unless_zero(groups.sum(value)),
        "sum_squares": _unless_zero(groups.sum(squares)),
        "min": _where(groups.least(np.where(finite, values, np.inf)), there),
        "max": _where(groups.largest(np.where(finite, values, -np.inf)), there),
        "first": _where(values[first], there),
        "first_time": _timestamps(time[first], there),
        "last": _where(values[last], there),
        "last_time": _timestamps(time[last], there),
    }
    yield _partial("point_rollup_parts", columns)


_KEYS = ("experiment_id", "run_id", "event_name", "model")


def _spans(batch: pa.RecordBatch) -> Iterator[Partial]:
    codes = {name: _codes(batch, name) for name in _KEYS}
    codes["status_code"] = _codes(batch, "status_code")
    time = _times(batch)
    probability = _numbers(batch, "sample_probability", 1.0)
    yield _rolled_up(batch, codes, time, probability)
    yield _latencies(batch, codes, time, probability)


def _rolled_up(
    batch: pa.RecordBatch, codes: dict[str, npt.NDArray[Any]], time: I64, probability: F64
) -> Partial:
    minute = time // MINUTE_US
    groups = _grouped(_code_of(minute), *codes.values())
    weight = 1 / probability
    status = _integers(batch, "status_code")
    duration = _integers(batch, "duration_ns").astype(np.float64)
    columns = {
        "time": _timestamps(minute[groups.order[groups.start]] * MINUTE_US),
        **_keys(batch, codes, groups),
        "row_count": pa.array(groups.sizes()),
        "count": pa.array(groups.sum(weight)),
        "count_variance": _total(groups, batch, "count_variance"),
        "error_count": _unless_zero(groups.sum(np.where(status == STATUS_ERROR, weight, 0.0))),
        "probability_min": pa.array(groups.least(probability)),
        "last_time": _timestamps(groups.largest(time)),
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
            values, is_null = _floats(batch, column)
            values[is_null | ~(np.abs(values) <= FINITE_MAX)] = np.nan
            columns |= _weighted(groups, what, unit, values, probability)
        # A row may carry the term of its trace without having a value of its own.
        columns[f"{what}_variance"] = _total(groups, batch, f"{what}_variance")
    return _partial("span_rollup_parts", columns)


def _weighted(
    groups: _Groups, what: str, unit: str, values: F64, probability: F64
) -> dict[str, pa.Array | None]:
    """Σx/p, Σx(1-p)/p and the largest x; NaN stands for no value."""
    there = ~np.isnan(values)
    estimate = np.where(there, values, 0.0) / probability
    largest = groups.largest(np.where(there, values, -np.inf))
    return {
        f"{what}_sum{unit}": _unless_zero(groups.sum(estimate)),
        f"{what}_unseen{unit}": _unless_zero(groups.sum(estimate * (1 - probability))),
        f"{what}_max{unit}": _where(largest, largest > -np.inf),
    }


def _latencies(
    batch: pa.RecordBatch, codes: dict[str, npt.NDArray[Any]], time: I64, probability: F64
) -> Partial:
    hour = time // HOUR_US
    bucket = duration_bucket(_integers(batch, "duration_ns"))
    kept = {name: code for name, code in codes.items() if name != "run_id"}
    groups = _grouped(_code_of(hour), *kept.values(), bucket.astype(np.int64) + 1)
    columns = {
        "time": _timestamps(hour[groups.order[groups.start]] * HOUR_US),
        **_keys(batch, kept, groups),
        "bucket": pa.array(bucket[groups.order[groups.start]]),
        "row_count": pa.array(groups.sizes()),
        "count": pa.array(groups.sum(1 / probability)),
        "count_variance": _total(groups, batch, "latency_variance"),
    }
    return _partial("span_latency_parts", columns)


def _grouped(*codes: npt.NDArray[Any]) -> _Groups:
    """Rows grouped by several columns of small integers, none negative."""
    key, size = np.zeros(len(codes[0]), np.int64), 1
    for code in codes:
        width = int(code.max()) + 1
        if size * width >= _KEY_MAX:
            key, size = _code_of(key), len(key)
        key, size = key * width + code, size * width
    order = np.argsort(key, kind="stable")
    begins = np.concatenate(([True], np.diff(key[order]) != 0))
    return _Groups(order, np.flatnonzero(begins))


def _code_of(values: I64) -> I64:
    """Which of its distinct values each is."""
    least = int(values.min())
    if int(values.max()) - least < len(values):
        return values - least
    codes: I64 = np.unique(values, return_inverse=True)[1]
    return codes


def _codes(batch: pa.RecordBatch, name: str) -> npt.NDArray[Any]:
    """A small integer for each distinct value of a column, null included."""
    if name not in batch.schema.names:
        return np.zeros(batch.num_rows, np.int32)
    encoded = batch.column(name).dictionary_encode(null_encoding="encode")
    codes: npt.NDArray[Any] = encoded.indices.to_numpy()
    return codes


def _keys(
    batch: pa.RecordBatch, codes: dict[str, npt.NDArray[Any]], groups: _Groups
) -> dict[str, pa.Array | None]:
    there = [name for name in codes if name in batch.schema.names]
    return {name: batch.column(name).take(groups.first) for name in there}


def _total(groups: _Groups, batch: pa.RecordBatch, name: str) -> pa.Array | None:
    """The sum of a column of variance terms, null for 0; None where the window has none."""
    if name not in batch.schema.names:
        return None
    return _unless_zero(groups.sum(_numbers(batch, name, 0.0)))


def _times(batch: pa.RecordBatch) -> I64:
    """Microseconds since the epoch."""
    micro: I64 = batch.column("time").view(pa.int64()).to_numpy()
    return micro


def _timestamps(micro: I64, there: Bool | None = None) -> pa.Array:
    mask = None if there is None or there.all() else ~there
    return pa.array(micro, pa.int64(), mask=mask).view(_TIMESTAMP)


def _integers(batch: pa.RecordBatch, name: str) -> I64:
    """A column without nulls."""
    values: I64 = batch.column(name).to_numpy()
    return values


def _numbers(batch: pa.RecordBatch, name: str, otherwise: float) -> F64:
    """A column of numbers, `otherwise` for null and where the batch does not have it."""
    if name not in batch.schema.names:
        return np.full(batch.num_rows, otherwise)
    values, is_null = _floats(batch, name)
    values[is_null] = otherwise
    return values


def _floats(batch: pa.RecordBatch, name: str) -> tuple[F64, Bool]:
    """A column as float64, own memory, whatever in the place of nulls; and where it is null."""
    if name not in batch.schema.names:
        return np.zeros(batch.num_rows), np.ones(batch.num_rows, np.bool_)
    column = batch.column(name)
    is_null: Bool = column.is_null().to_numpy(zero_copy_only=False)
    values: F64 = column.fill_null(0).to_numpy().astype(np.float64)
    return values, is_null


def _where(values: npt.NDArray[Any], there: Bool) -> pa.Array:
    return pa.array(values, mask=None if there.all() else ~there)


def _unless_zero(values: npt.NDArray[Any]) -> pa.Array | None:
    """Null for 0, which takes no room; None where all are."""
    there: Bool = values != 0
    return _where(values, there) if there.any() else None


def _partial(relation: str, columns: dict[str, pa.Array | None]) -> Partial:
    made: _Columns = {name: column for name, column in columns.items() if column is not None}
    return Partial(relation, pa.RecordBatch.from_pydict(made))
