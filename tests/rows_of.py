"""Requests on their way into a database: check, journal, prepare, transaction, each the real one.

`Ingest` is one journal and its writer; several of them over one database are several collectors.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from psycopg import sql
from psycopg.rows import dict_row

from crucible_collector.batch import Signal
from crucible_collector.enrich.subscription import EVERYTHING, Subscription
from crucible_collector.journal import Entry, Journal, Window
from crucible_collector.pipeline.prepare import prepare
from crucible_collector.pipeline.remembered import Remembered
from crucible_collector.receive.check import check
from crucible_collector.receive.limits import Limits
from crucible_collector.rows import SetAside, WindowRows
from crucible_collector.store.connect import ingest_connection
from crucible_collector.store.copy import is_lasting
from crucible_collector.store.outcomes import Written
from crucible_collector.store.window import WindowWriter, encode_tables
from traffic import key_value

# Receipt of every request, so that what is stored depends on no clock: 2026-11-23 10:00 UTC.
RECEIVED_NS = 1_795_428_000_000_000_000
SECOND_NS = 1_000_000_000
_WAIT_S = 30.0
_SIGNALS: dict[type[Message], Signal] = {
    ExportTraceServiceRequest: Signal.TRACES,
    ExportMetricsServiceRequest: Signal.METRICS,
    ExportLogsServiceRequest: Signal.LOGS,
}


def at(seconds: float) -> int:
    """So many seconds before (negative) or after the receipt of every request, ns."""
    return RECEIVED_NS + round(seconds * SECOND_NS)


def span_of(number: int, name: str = "work", /, **attributes: str | float) -> Span:
    """A span whose ids follow from its number; `a__b` as a keyword stands for the key `a.b`."""
    return Span(
        trace_id=number.to_bytes(16),
        span_id=number.to_bytes(8),
        name=name,
        start_time_unix_nano=at(-1),
        end_time_unix_nano=at(0),
        attributes=[key_value(key.replace("__", "."), value) for key, value in attributes.items()],
    )


def traces(*spans: Span, resource: Resource | None = None) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    request.resource_spans.add(resource=resource).scope_spans.add(spans=spans)
    return request


def metrics(*found: Metric, resource: Resource | None = None) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    request.resource_metrics.add(resource=resource).scope_metrics.add(metrics=found)
    return request


def logs(*records: LogRecord, resource: Resource | None = None) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    request.resource_logs.add(resource=resource).scope_logs.add(log_records=records)
    return request


def resource_of(**attributes: str | float) -> Resource:
    return Resource(
        attributes=[key_value(key.replace("__", "."), value) for key, value in attributes.items()]
    )


def entry_of(request: Message, *, received_ns: int = RECEIVED_NS) -> Entry:
    """The request as the receivers put it into the journal."""
    signal, body = _SIGNALS[type(request)], request.SerializeToString()
    digest = hashlib.sha256(bytes([signal]) + body).digest()[:16]
    return check(signal, body, received_ns, Limits(), digest=digest).entry


def write_entries(journal: Journal, entries: Iterable[Entry]) -> Window:
    """Append, and read back just those as one window."""
    start = journal.tail
    for future in [journal.append(entry) for entry in entries]:
        future.result(_WAIT_S)
    window = journal.read(start, records_max=1 << 30, bytes_max=1 << 30)
    assert window is not None
    assert window.end == journal.tail
    return window


@dataclass
class Ingest:
    """One collector's way into the database. Not for several threads at once."""

    journal: Journal
    writer: WindowWriter
    remembered: Remembered = field(default_factory=Remembered)
    subscription: Subscription = EVERYTHING
    received_ns: int = RECEIVED_NS
    buried: list[SetAside] = field(default_factory=list)

    def window(self, *requests: Message) -> Window:
        return write_entries(self.journal, self._entries(requests))

    def rows(self, *requests: Message) -> WindowRows:
        return self.rows_of_entries(*self._entries(requests))

    def _entries(self, requests: Iterable[Message]) -> list[Entry]:
        return [entry_of(each, received_ns=self.received_ns) for each in requests]

    def rows_of_entries(self, *entries: Entry) -> WindowRows:
        window = write_entries(self.journal, entries)
        return prepare(window, self.remembered.known(), self.subscription)

    def store(self, *requests: Message) -> Written:
        """One window of these requests, written as the pipeline writes it."""
        return self.write(self.rows(*requests))

    def write(self, rows: WindowRows) -> Written:
        self.remembered.mark_known(rows)
        try:
            written = self.transact(rows, careful=False)
        except psycopg.Error as error:
            if not is_lasting(error):
                raise
            written = self.transact(rows, careful=True)
        self.remembered.committed(rows)
        return written

    def transact(self, rows: WindowRows, *, careful: bool) -> Written:
        encoded = encode_tables(rows, with_parts=self.writer.writes_parts)
        return self.writer.write(rows, encoded, careful=careful, bury=self.buried.extend)


@contextmanager
def ingest(dsn: str, directory: Path, *, received_ns: int = RECEIVED_NS) -> Iterator[Ingest]:
    """A journal in `directory` (made if need be) that the database has heard of."""
    with Journal.open(directory, segment_bytes=1 << 20, bytes_max=1 << 24) as journal:
        writer = WindowWriter(lambda: ingest_connection(dsn), journal.journal_id, "test")
        writer.place(journal.head)
        try:
            yield Ingest(journal, writer, received_ns=received_ns)
        finally:
            writer.close()


def execute(dsn: str, statement: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(statement.encode())


def rows_of(dsn: str, relation: str, order: str = "1") -> list[dict[str, Any]]:
    """All rows of a relation of the schema, as dictionaries."""
    statement = sql.SQL("select * from {} order by {}").format(
        sql.Identifier("crucible", relation),
        sql.SQL(order),
    )
    with psycopg.connect(dsn, row_factory=dict_row, options="-c timezone=UTC") as connection:
        return connection.execute(statement).fetchall()


def row_of(dsn: str, relation: str) -> dict[str, Any]:
    """The only row of a relation."""
    (row,) = rows_of(dsn, relation)
    return row


def span_ids(dsn: str) -> list[int]:
    """The numbers of the spans that are stored (see `span_of`)."""
    return sorted(row["span_id"] for row in rows_of(dsn, "spans"))


def ledger(dsn: str) -> dict[tuple[str, str, str], int]:
    """(signal, outcome, reason) -> records, over all journals; zeros left out."""
    totals: dict[tuple[str, str, str], int] = {}
    for row in rows_of(dsn, "ledger"):
        key = (row["signal"], row["outcome"], row["reason"])
        totals[key] = totals.get(key, 0) + row["count"]
    return {key: count for key, count in totals.items() if count}


def imbalance(counts: dict[tuple[str, str, str], int]) -> dict[str, int]:
    """By signal, what received has over everything else; zero everywhere is right."""
    signals = {signal for signal, _, _ in counts}
    return {
        signal: sum(
            count if outcome == "received" else -count
            for (of, outcome, _), count in counts.items()
            if of == signal
        )
        for signal in signals
    }
