"""Rows in the forms that the API has for them: ids in hex, and in text formats times with nine digits.

In Parquet and Arrow a time is of microseconds in UTC, with `time_ns_rest` beside it, 0 to 999: Spark reads no
TIMESTAMP(NANOS), and nanoseconds in 64 bits end in 2262.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crucible_collector.export.anonymise import Hiding
from crucible_collector.export.chosen import NS_REST, TIME
from crucible_collector.store.binary_rows import SERVER_TYPE

_IDS = frozenset({"span_id", "parent_span_id", "series_id", "watch_id"})
_HEX = np.array([f"{byte:02x}" for byte in range(256)], "S2").view(np.uint16)
_TRACE_ID_BYTES, _ID_BYTES = 16, 8
_JSON = (b"jsonb", b"json")


class Shown:
    """How batches of a statement's rows are shown; `schema` is what `batch` gives."""

    def __init__(
        self, raw: pa.Schema, names: Sequence[str], hiding: Hiding, *, as_text: bool
    ) -> None:
        """`as_text`: for formats without types of their own."""
        self._hiding = hiding
        self._as_text = as_text
        self._names = list(names)
        self.json_columns = frozenset(
            field.name for field in raw if (field.metadata or {}).get(SERVER_TYPE) in _JSON
        )
        # Arrays of Python lists would have pyarrow load pandas where there is one: 45 MB.
        columns = [pa.nulls(0, field.type) for field in raw]
        nothing = pa.RecordBatch.from_arrays(columns, schema=raw)
        self.schema = self._of(nothing)

    def batch(self, raw: pa.RecordBatch) -> pa.RecordBatch:
        """Rows as the statement gave them, as they are shown."""
        columns = [self._column(name, raw) for name in self._names]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _of(self, raw: pa.RecordBatch) -> pa.Schema:
        return pa.schema([(name, self._column(name, raw).type) for name in self._names])

    def _column(self, name: str, raw: pa.RecordBatch) -> pa.Array:
        values = raw.column(name)
        if values.type == pa.binary(_TRACE_ID_BYTES):
            values = hex_of(values, _bytes_of(values, _TRACE_ID_BYTES), _TRACE_ID_BYTES)
        elif name in _IDS:
            numbers = np.frombuffer(values.buffers()[1] or b"", np.int64)[: len(values)]
            values = hex_of(values, numbers.astype(">i8").view(np.uint8), _ID_BYTES)
        elif self._as_text and pa.types.is_timestamp(values.type):
            rest = (
                raw.column(NS_REST) if name == TIME else pa.array(np.zeros(len(values), np.int16))
            )
            values = _rfc3339(values, rest)
        return self._hiding.column(name, values, is_json=name in self.json_columns)


def hex_of(values: pa.Array, data: Any, width: int) -> pa.Array:
    """The hex digits of `width` bytes a value, null where `values` is; its buffers begin with its rows."""
    digits = _HEX[data]
    ends = np.arange(0, 2 * width * (len(values) + 1), 2 * width, dtype=np.int32)
    buffers = [values.buffers()[0], pa.py_buffer(ends), pa.py_buffer(digits)]
    return pa.Array.from_buffers(pa.string(), len(values), buffers, values.null_count)


def _bytes_of(values: pa.Array, width: int) -> Any:
    return np.frombuffer(values.buffers()[1] or b"", np.uint8)[: width * len(values)]


def _rfc3339(times: pa.Array, rest: pa.Array) -> pa.Array:
    to_the_us = pc.strftime(times, format="%Y-%m-%dT%H:%M:%S")
    digits = pc.utf8_lpad(pc.cast(rest, pa.string()), 3, "0")
    return pc.binary_join_element_wise(to_the_us, digits, "Z", "")
