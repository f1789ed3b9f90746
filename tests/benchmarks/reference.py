"""What a COPY alone reaches: the two rates that durable ingest is compared with.

A: the very rows that the collector prepares, into its own tables. B: the same spans into a frozen
table (reference.sql). Both from one connection like the collector's, a transaction a window of the
pipeline's size, bytes encoded beforehand, so that nothing but the database is timed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
from psycopg import sql

from benchmarks.servers import fresh_database
from benchmarks.workload import POINTS, SPANS, Workload
from crucible_collector.batch import Signal
from crucible_collector.decode import attributes_json, decode_spans
from crucible_collector.enrich.columns import texts, times, trace_ids
from crucible_collector.enrich.window import Known
from crucible_collector.journal import Window
from crucible_collector.pipeline.prepare import prepare
from crucible_collector.pipeline.windows import WINDOW_RECORDS_MAX
from crucible_collector.store.connect import ingest_connection
from crucible_collector.store.copy import Stream, copy, encode
from crucible_collector.store.window import Encoded, encode_tables
from databases import TestServer

WINDOW_REQUESTS = WINDOW_RECORDS_MAX // SPANS
_MESSAGE_BYTES = 256 * 1024
_REFERENCE_SQL = Path(__file__).with_name("reference.sql")
_HYPERTABLE = (
    "select create_hypertable('bench.spans', by_range('time', interval '1 day'),"
    " create_default_indexes => false)"
)


@dataclass(frozen=True)
class Rows:
    """One window as COPY takes it: for our tables, and for the frozen one."""

    spans: int
    own: list[Encoded]
    columns: list[str]
    reference: Stream


def windows(workload: Workload, request_count: int) -> Iterator[Window]:
    """The requests as the journal would hand them to the pipeline."""
    for first in range(0, request_count, WINDOW_REQUESTS):
        last = min(first + WINDOW_REQUESTS, request_count)
        yield _window([workload.body(index) for index in range(first, last)], workload.start_ns)


def _window(bodies: list[bytes], received_ns: int) -> Window:
    count = len(bodies)
    length = np.array([len(body) for body in bodies], np.int64)
    return Window(
        start=0,
        end=int(length.sum()),
        buffer=np.frombuffer(b"".join(bodies), np.uint8),
        signal=np.full(count, Signal.TRACES, np.uint8),
        body_offset=np.cumsum(length) - length,
        body_length=length,
        received_ns=np.full(count, received_ns, np.int64),
        digest=np.zeros((count, 16), np.uint8),
        record_count=np.full(count, SPANS, np.int64),
        flags=np.zeros(count, np.uint8),
        refused_start=np.zeros(count + 1, np.int64),
        refused_index=np.zeros(0, np.uint32),
        refused_reason=np.zeros(0, np.uint8),
        damaged=[],
    )


def rows(workload: Workload, request_count: int) -> list[Rows]:
    """All of the workload's windows, encoded."""
    made = []
    for window in windows(workload, request_count):
        batch = _reference_batch(window)
        own = encode_tables(prepare(window, Known((), (), ())))
        made.append(Rows(batch.num_rows, own, batch.schema.names, encode(batch)))
    return made


def _reference_batch(window: Window) -> pa.RecordBatch:
    spans = decode_spans(window.buffer, window.body_offset, window.body_length)
    time_us, _ = times(spans.start_ns)
    return pa.RecordBatch.from_pydict(
        {
            "time": time_us,
            "duration_ns": pa.array(spans.end_ns - spans.start_ns),
            "span_id": pa.array(spans.span_id),
            "parent_span_id": pa.array(spans.parent_span_id),
            "kind": pa.array(spans.kind, pa.int16(), safe=False),
            "status_code": pa.array(spans.status_code, pa.int16(), safe=False),
            "trace_id": trace_ids(spans.trace_id, np.ones(len(spans), np.bool_)),
            "name": texts(spans, spans.name),
            "attributes": attributes_json(spans, lifted=False),
        }
    )


def own_tables_per_s(server: TestServer, warm: Sequence[Rows], timed: Sequence[Rows]) -> float:
    """Reference A: spans a second into a fresh database with the collector's tables."""
    with fresh_database(server) as dsn, ingest_connection(dsn) as conn:
        copy_own(conn, warm)
        began_s = time.monotonic()
        copy_own(conn, timed)
        rate = _spans(timed) / (time.monotonic() - began_s)
        _expect(conn, "crucible.spans", _spans(warm) + _spans(timed))
        _expect(conn, "crucible.points", (_spans(warm) + _spans(timed)) * POINTS)
        return rate


def frozen_table_per_s(server: TestServer, warm: Sequence[Rows], timed: Sequence[Rows]) -> float:
    """Reference B: spans a second into the frozen table, a hypertable where there is TimescaleDB."""
    with server.database(migrated=False) as dsn, ingest_connection(dsn) as conn:
        conn.execute(_REFERENCE_SQL.read_bytes())
        if server.kind == "timescale":
            conn.execute("create extension if not exists timescaledb")
            conn.execute(_HYPERTABLE)
        _copy_frozen(conn, warm)
        began_s = time.monotonic()
        _copy_frozen(conn, timed)
        rate = _spans(timed) / (time.monotonic() - began_s)
        _expect(conn, "bench.spans", _spans(warm) + _spans(timed))
        return rate


def copy_own(conn: psycopg.Connection[Any], windows: Sequence[Rows]) -> None:
    for window in windows:
        with conn.transaction():
            for each in window.own:
                copy(conn, each.table.relation, each.table.batch.schema.names, each.data)


def _copy_frozen(conn: psycopg.Connection[Any], windows: Sequence[Rows]) -> None:
    for window in windows:
        statement = sql.SQL("copy bench.spans ({}) from stdin (format binary)").format(
            sql.SQL(", ").join(map(sql.Identifier, window.columns))
        )
        view = memoryview(window.reference)
        with conn.transaction(), conn.cursor() as cursor, cursor.copy(statement) as stream:
            for start in range(0, len(view), _MESSAGE_BYTES):
                stream.write(view[start : start + _MESSAGE_BYTES])


def _spans(windows: Sequence[Rows]) -> int:
    return sum(window.spans for window in windows)


def _expect(conn: psycopg.Connection[Any], relation: str, count: int) -> None:
    name = sql.SQL(".").join(map(sql.Identifier, relation.split(".")))
    found = conn.execute(sql.SQL("select count(*) from {}").format(name)).fetchone()
    if found != (count,):
        raise RuntimeError(f"{relation} has {found} rows instead of {count}")
