"""Rows as `store.replay` reads them, of which a test names what matters to it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from crucible_collector.simulate.records import SCHEMA, table_of

SECOND_NS = 1_000_000_000
BEGIN_NS = 1_795_428_000 * SECOND_NS
Row = dict[str, Any]


def row(number: int = 0, **told: Any) -> Row:
    """A span that begins so many seconds after the begin; its trace id follows from `number`."""
    begun = BEGIN_NS + round(told.pop("at_s", number) * SECOND_NS)
    return {
        **dict.fromkeys(SCHEMA.names),
        "start_ns": begun,
        "duration_ns": 0,
        "trace_id": (number + 1).to_bytes(16),
        "row_hash": 0,
        "sample_probability": 1.0,
        "event_name": "work",
        "status_code": 0,
        "row_bytes": 100,
        **told,
    }


def batch(rows: list[Row]) -> dict[str, tuple[Any, ...]]:
    """By the names of columns."""
    return {name: tuple(each[name] for each in rows) for name in SCHEMA.names}


def table(rows: list[Row]) -> pa.Table:
    return table_of(batch(rows))
