"""Rows as an Arrow IPC stream, so that pandas, polars and DuckDB read an answer without JSON.

The columns follow from the model of a row: times are nanoseconds in UTC, numbers float64 with NaN and
infinities as they are, counts int64, ids and words text. What is nested stays JSON text, marked so in
its field's metadata: attributes have no schema that two rows would share.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from crucible_collector.api.row_sets import RowSet, Schema, members

TIME = pa.timestamp("ns", "UTC")
_OF_JSON = {"content": "application/json"}
_NULL = "null"
_SCALARS = {"integer": pa.int64(), "boolean": pa.bool_(), "string": pa.string()}
_NOT_FINITE = {"NaN", "Infinity", "-Infinity"}
_READ: Mapping[pa.DataType, Callable[[str], Any]] = {
    pa.int64(): int,
    pa.bool_(): "true".__eq__,
    pa.float64(): lambda text: float(text.strip('"')),
}


def field_of(name: str, schema: Schema) -> pa.Field:
    """The column for a field of a row."""
    kind = _kind(schema)
    if kind is None:
        return pa.field(name, pa.string(), metadata=_OF_JSON)
    return pa.field(name, kind)


def stream(
    rows: Sequence[str], row_set: RowSet, names: Sequence[str], meta: Mapping[str, Any]
) -> bytes:
    """An IPC stream of one batch; `meta` is in the schema's metadata, texts as they are, the rest as JSON."""
    told = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in meta.items()
        if value is not None
    }
    fields = [field_of(name, row_set.fields[name]) for name in names]
    schema = pa.schema(fields, metadata=told)
    texts = [members(row) for row in rows]
    columns = [_column([row[field.name] for row in texts], field) for field in fields]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
    return bytes(sink.getvalue())


def _column(texts: list[str], field: pa.Field) -> pa.Array:
    if field.metadata is not None:
        return pa.array([None if text == _NULL else text for text in texts], pa.string())
    read = _READ.get(field.type)
    if read is not None:
        return pa.array([None if text == _NULL else read(text) for text in texts], field.type)
    values = [json.loads(text) for text in texts]
    if field.type == TIME:
        return pa.array(values, pa.string()).cast(TIME)
    if pa.types.is_list(field.type) and field.type.value_type == pa.float64():
        values = [value and [None if x is None else float(x) for x in value] for value in values]
    return pa.array(values, field.type)


def _kind(schema: Schema) -> pa.DataType | None:
    """The type of its column; None: JSON text."""
    kinds = {_kind_of_one(each) for each in schema.get("anyOf", [schema]) if not _is_null(each)}
    if pa.float64() in kinds and kinds <= {pa.float64(), pa.int64(), None}:
        others = [each for each in schema.get("anyOf", []) if _kind_of_one(each) is None]
        return pa.float64() if all(map(_is_not_finite, others)) else None
    return kinds.pop() if len(kinds) == 1 else None


def _kind_of_one(schema: Schema) -> pa.DataType | None:
    if "prefixItems" in schema:
        items = {_kind(each) for each in schema["prefixItems"]}
        return pa.list_(items.pop()) if len(items) == 1 and None not in items else None
    if schema.get("type") == "array":
        item = _kind(schema.get("items", {}))
        return None if item is None else pa.list_(item)
    if _is_not_finite(schema) or _is_null(schema):
        return None
    if schema.get("type") == "number":
        return pa.float64()
    if schema.get("type") == "string" and _is_time(schema):
        return TIME
    return _SCALARS.get(schema.get("type", ""))


def _is_null(schema: Schema) -> bool:
    return schema.get("type") == "null"


def _is_not_finite(schema: Schema) -> bool:
    """Whether these are the words for numbers that JSON does not know."""
    return _is_null(schema) or set(schema.get("enum", ())) == _NOT_FINITE


def _is_time(schema: Schema) -> bool:
    return str(schema.get("pattern", "")).endswith(r"\.\d{9}Z$")
