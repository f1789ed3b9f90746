"""Flagged values as rows of crucible.anomalies, by COPY, with what they add to portable roll-ups."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from crucible_collector.batch import Signal
from crucible_collector.detect.found import Flag
from crucible_collector.rows import Table
from crucible_collector.store.copy import copy, copy_what_fits, encode
from crucible_collector.store.ingest import timestamp
from crucible_collector.store.periods import Connection, Period
from crucible_collector.store.rollups.parts import copy_parts, parts_of

log = logging.getLogger("crucible.store")

RELATION = "anomalies"
Row: TypeAlias = dict[str, Any]  # by the relation's columns

_TYPES: dict[str, pa.DataType] = {
    "time": pa.timestamp("us", "UTC"),
    **dict.fromkeys(("series_id", "span_id", "step", "watch_key"), pa.int64()),
    **dict.fromkeys(("value", "expected", "lower", "upper", "score"), pa.float64()),
    "time_ns_rest": pa.int16(),
    "starts_period": pa.bool_(),
    **dict.fromkeys(("period_id", "trace_id"), pa.binary(16)),
    **dict.fromkeys(("metric", "detector", "severity", "label"), pa.string()),
    **dict.fromkeys(("experiment_id", "run_id", "condition", "event_name", "model"), pa.string()),
}
_OF_PERIOD = (
    "period_id",
    "watch_key",
    "series_id",
    "metric",
    "detector",
    "label",
    "experiment_id",
    "run_id",
    "condition",
    "event_name",
    "model",
)


def rows(period: Period, flags: Sequence[Flag], *, is_new: bool) -> Iterator[Row]:
    """One a flag, in order; of a period that `is_new` the first one begins it."""
    whose = {name: getattr(period, name) for name in _OF_PERIOD}
    for place, flag in enumerate(flags):
        yield {
            **whose,
            "time": timestamp(flag.time_ns),
            "time_ns_rest": flag.time_ns % 1000,
            "step": flag.step,
            "value": flag.value,
            "expected": flag.expected,
            "lower": flag.lower,
            "upper": flag.upper,
            "score": flag.score,
            "severity": flag.severity.label,
            "starts_period": is_new and place == 0,
            "trace_id": None if flag.trace_id is None else uuid.UUID(bytes=flag.trace_id),
            "span_id": flag.span_id,
        }


def write(
    connection: Connection, found: Sequence[Row], *, careful: bool, writes_parts: bool
) -> list[str]:
    """Store them, and return the severities of those that were. See `anomalies.write_found`."""
    if not found:
        return []
    batch = _batch(found)
    if careful:
        refused = copy_what_fits(connection, RELATION, batch)
        for row in refused:
            log.warning("a row of %s was refused and left out: %s", RELATION, row.message)
        fits = np.ones(len(found), np.bool_)
        fits[[row.row for row in refused]] = False
        batch = batch.filter(pa.array(fits))
    else:
        copy(connection, RELATION, batch.schema.names, encode(batch))
    if writes_parts and batch.num_rows:
        copy_parts(connection, parts_of(_table(batch)), careful=careful)
    severities: list[str] = batch.column("severity").to_pylist()
    return severities


def _batch(found: Sequence[Row]) -> pa.RecordBatch:
    columns = {}
    for name, kind in _TYPES.items():
        values = [row[name] for row in found]
        if kind == pa.binary(16):
            values = [None if value is None else value.bytes for value in values]
        columns[name] = pa.array(values, kind)
    return pa.RecordBatch.from_pydict(columns)


def _table(batch: pa.RecordBatch) -> Table:
    nowhere = np.zeros(batch.num_rows, np.int32)
    return Table(RELATION, Signal.TRACES, batch, nowhere, nowhere, principal=False)
