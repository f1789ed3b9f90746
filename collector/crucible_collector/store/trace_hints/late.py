"""What a window has of days whose filters may be made already: written down in its own transaction."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Iterator

import psycopg
import pyarrow as pa

from crucible_collector.batch import I64
from crucible_collector.store.ingest import statement
from crucible_collector.store.partitions import DAY_US, EPOCH_ORDINAL

HINTED = ("spans", "logs")
_COLUMNS = ("trace_id", "correlation_id")


def note_late(
    connection: psycopg.Connection,
    stored: Iterable[tuple[str, pa.RecordBatch]],
    late_before: dt.date | None,
) -> None:
    """Write down the traces and correlation ids of rows of days before `late_before`.

    `stored`: rows that the transaction has written, with their relations. Where none of them is of such
    a day, nothing is asked of the database; finding that out costs 5 µs a window.
    """
    if late_before is None:
        return
    until = late_before.toordinal() - EPOCH_ORDINAL
    found: dict[str, set[tuple[int, bytes | str]]] = {name: set() for name in _COLUMNS}
    for relation, batch in stored:
        if relation in HINTED:
            for name, entry in _late(batch, until):
                found[name].add(entry)
    traces, correlations = (sorted(found[name]) for name in _COLUMNS)
    if not traces and not correlations:
        return
    connection.execute(
        statement("late_traces"),
        {
            "trace_days": [_date(day) for day, _ in traces],
            "traces": [uuid.UUID(bytes=trace) for _, trace in traces if isinstance(trace, bytes)],
            "correlation_days": [_date(day) for day, _ in correlations],
            "correlations": [text for _, text in correlations],
        },
    )


def _late(batch: pa.RecordBatch, until: int) -> Iterator[tuple[str, tuple[int, bytes | str]]]:
    days: I64 = batch.column("time").cast(pa.int64()).to_numpy() // DAY_US
    is_late = days < until
    if not is_late.any():
        return
    late_days = days[is_late].tolist()
    for name in _COLUMNS:
        if name in batch.schema.names:
            values = batch.column(name).filter(pa.array(is_late)).to_pylist()
            for day, value in zip(late_days, values, strict=True):
                if value is not None:
                    yield name, (day, value)


def _date(day: int) -> dt.date:
    return dt.date.fromordinal(day + EPOCH_ORDINAL)
