"""Arrow columns for the filled database: what is one value everywhere, ids, and JSON put together.

JSON is joined from text columns by Arrow: half a microsecond an attribute, where Python's `json` takes
ten times that.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crucible_collector.batch import F64, I64, U8

Value: TypeAlias = str | int | np.ndarray[Any, Any] | pa.Array | None

_TIME = pa.timestamp("us", "UTC")
SPANS = pa.schema(
    {
        "time": _TIME,
        "time_ns_rest": pa.int16(),
        "duration_ns": pa.int64(),
        "trace_id": pa.binary(16),
        "span_id": pa.int64(),
        "parent_span_id": pa.int64(),
        "name": pa.string(),
        "event_name": pa.string(),
        "kind": pa.int16(),
        "status_code": pa.int16(),
        "status_message": pa.string(),
        "resource_id": pa.int64(),
        "scope_id": pa.int64(),
        "experiment_id": pa.string(),
        "run_id": pa.string(),
        "condition": pa.string(),
        "correlation_id": pa.string(),
        "step": pa.int64(),
        "epoch": pa.int64(),
        "model": pa.string(),
        "input_tokens": pa.int64(),
        "output_tokens": pa.int64(),
        "cost_usd": pa.float64(),
        "attributes": pa.string(),
        "events": pa.string(),
    }
)
POINTS = pa.schema(
    {
        "series_id": pa.int64(),
        "time": _TIME,
        "time_ns_rest": pa.int16(),
        "step": pa.int64(),
        "value": pa.float64(),
    }
)


def rows(schema: pa.Schema, count: int, columns: dict[str, Value]) -> pa.RecordBatch:
    """`count` rows: a column is an array, or one value for all; null where it is not given."""
    unknown = columns.keys() - set(schema.names)
    if unknown:
        raise KeyError(f"not a column: {sorted(unknown)}")
    made = [_column(field.type, count, columns.get(field.name)) for field in schema]
    return pa.RecordBatch.from_arrays(made, schema=schema)


def _column(kind: pa.DataType, count: int, value: Value) -> pa.Array:
    if value is None:
        return pa.nulls(count, kind)
    if isinstance(value, pa.Array):
        return value
    if isinstance(value, np.ndarray):
        return pa.array(value, kind)
    return pa.repeat(pa.scalar(value, kind), count)


def times(time_ns: I64) -> dict[str, Value]:
    """The columns `time` and `time_ns_rest` of nanoseconds since the epoch."""
    return {"time": pa.array(time_ns // 1_000).view(_TIME), "time_ns_rest": time_ns % 1_000}


def in_order_of_time(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.RecordBatch:
    """All rows as one batch."""
    whole = pa.Table.from_batches(batches, schema)
    ordered = whole.take(pc.sort_indices(whole["time"])).combine_chunks()
    return (ordered.to_batches() or [rows(schema, 0, {})])[0]


def uuids(ids: U8) -> pa.Array:
    """An array of (n, 16) bytes as a column."""
    data = np.ascontiguousarray(ids)
    return pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(16), len(data), [None, pa.py_buffer(data)]
    )


def hexes(ids: U8) -> pa.Array:
    """An array of (n, width) bytes as text."""
    count, width = ids.shape
    ends = np.arange(count + 1, dtype=np.int32) * (2 * width)
    text = pa.py_buffer(ids.tobytes().hex().encode())
    return pa.StringArray.from_buffers(count, pa.py_buffer(ends), text)


def joined(*parts: str | pa.Array) -> pa.Array:
    """The parts of each row after each other."""
    return pc.binary_join_element_wise(
        *(pa.scalar(part) if isinstance(part, str) else part for part in parts), ""
    )


def text(values: np.ndarray[Any, Any]) -> pa.Array:
    """Numbers as JSON, doubles in the shortest text that reads back the same."""
    made = pc.cast(pa.array(values), pa.string())
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        return pc.if_else(pa.array(np.isfinite(values)), made, '"NaN"')
    return made


def optional(values: I64 | F64, there: np.ndarray[Any, Any]) -> pa.Array:
    """A column that is null where `there` is false."""
    return pa.array(values, mask=~there)
