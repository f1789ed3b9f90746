"""One window, one transaction: position, digests, rows, dimensions, runs, ledger, or nothing.

The first statement moves the journal's position from the window's start to its end; if it is not
there any more, an earlier COMMIT that seemed lost has arrived after all, and nothing is written.
Row locks are taken in one order everywhere (position, digests sorted, dimensions sorted by table and
key, experiments, runs, ledger), so that several collectors never deadlock.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa

from crucible_collector.batch import Reason, Signal
from crucible_collector.rows import SetAside, Table, WindowRows
from crucible_collector.store import merge, rollups
from crucible_collector.store.copy import Stream, copy, copy_what_fits, encode
from crucible_collector.store.ingest import optional_timestamp, statement, timestamp
from crucible_collector.store.rollups.parts import EncodedPart, copy_parts, parts_of
from crucible_collector.store.trace_hints.late import note_late

# What the driver raises, for those who may not know which driver it is.
DriverError = psycopg.Error


class PositionMovedError(Exception):
    """The journal's position in the database is not the window's start: read it again."""


@dataclass(slots=True)
class Encoded:
    """A table and its COPY bytes, made before the transaction begins.

    `parts`: what it adds to portable roll-ups; None where nobody has computed that yet.
    """

    table: Table
    data: Stream
    parts: list[EncodedPart] | None = None


@dataclass(slots=True)
class Written:
    """What a transaction did, for the counters and the dead letters."""

    rows: dict[str, int] = field(default_factory=dict)  # relation -> rows stored
    duplicates: set[int] = field(default_factory=set)  # requests of the window
    set_aside: list[SetAside] = field(default_factory=list)


def encode_tables(rows: WindowRows, *, with_parts: bool = False) -> list[Encoded]:
    """COPY bytes of every table of the window; releases the GIL for most of its time.

    With `with_parts` (a writer's `writes_parts`) also of what portable roll-ups get; without, the
    writer makes these itself if it needs them.
    """
    return [
        Encoded(table, encode(table.batch), parts_of(table) if with_parts else None)
        for table in rows.tables
    ]


class WindowWriter:
    """Writes windows of one journal over one connection. Not for several threads at once."""

    def __init__(
        self,
        connect: Callable[[], psycopg.Connection],
        journal_id: uuid.UUID,
        description: str,
        *,
        make_room: Callable[[psycopg.Connection, WindowRows], None] = lambda _connection, _rows: (
            None
        ),
    ) -> None:
        """`make_room` makes partitions for a window's times, in transactions of its own."""
        self._make_room = make_room
        self._connect = connect
        self._journal_id = journal_id
        self._description = description
        self._connection: psycopg.Connection | None = None
        # Whether the database has portable roll-ups, as of the last connection.
        self.writes_parts = False
        # Since when requests are taken without a break, ns; the pipeline sets it, None at its end.
        self.heard_since_ns: int | None = None

    def open(self) -> psycopg.Connection:
        """The connection, made anew if the last one is gone."""
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
            self.writes_parts = rollups.kind_of(self._connection) == "portable"
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def position(self, head: int) -> int:
        """Where the database says this journal is stored up to; `head` if it has never seen it."""
        row = (
            self.open()
            .execute(
                statement("position_read"),
                {
                    "journal_id": self._journal_id,
                    "head": head,
                    "description": self._description,
                    "heard_since": optional_timestamp(self.heard_since_ns),
                },
            )
            .fetchone()
        )
        if row is None:
            raise RuntimeError("position_read.sql returned no row")
        return int(row[0])

    def expect_position(self, position: int, stored_until_ns: int | None = None) -> None:
        """Raise PositionMovedError where the journal is no longer stored up to just `position`.

        `stored_until_ns` says that all is stored that was received before then; None: nobody knows.
        """
        found = self.open().execute(
            statement("position_ask"),
            {
                "journal_id": self._journal_id,
                "position": position,
                "stored_until": optional_timestamp(stored_until_ns),
                "heard_since": optional_timestamp(self.heard_since_ns),
            },
        )
        if found.rowcount != 1:
            raise PositionMovedError

    def set_position(self, position: int) -> None:
        """Say that the journal is stored up to `position`, whatever was said before."""
        self.open().execute(
            statement("position_set"), {"journal_id": self._journal_id, "position": position}
        )

    def write(
        self,
        rows: WindowRows,
        encoded: list[Encoded],
        *,
        careful: bool,
        bury: Callable[[list[SetAside]], None],
    ) -> Written:
        """Write the window. With `careful`, rows that PostgreSQL refuses are found and set aside.

        `bury` is given what was set aside before COMMIT: a crash between the two keeps a dead
        letter twice rather than not at all. Raises PositionMovedError, or psycopg.Error with nothing
        written (or, where the connection broke during COMMIT, possibly everything: the position
        tells).
        """
        connection = self.open()
        self._make_room(connection, rows)
        with connection.transaction():
            late_before = self._move_position(connection, rows)
            duplicates = _take_in_requests(connection, rows)
            found = [each for each in rows.set_aside if each.request not in duplicates]
            written = Written(duplicates=duplicates, set_aside=found)
            if careful:
                connection.execute("set constraints all immediate")
            copied = []
            for each in encoded:
                stored = _copy_table(connection, each, written, careful=careful)
                copied.append((stored.table.relation, stored.table.batch))
                if self.writes_parts:
                    parts = parts_of(stored.table) if stored.parts is None else stored.parts
                    copy_parts(connection, parts, careful=careful)
            note_late(connection, copied, late_before)
            merge.dimensions(connection, rows, careful=careful)
            merge.facts(connection, rows, careful=careful)
            self._add_to_ledger(connection, rows, written)
            if written.set_aside:
                bury(written.set_aside)
        return written

    def _move_position(self, connection: psycopg.Connection, rows: WindowRows) -> dt.date | None:
        """Before which day the window writes down what it has of traces; None: of none."""
        moved = connection.execute(
            statement("position"),
            {
                "journal_id": self._journal_id,
                "start": rows.start,
                "end": rows.end,
                "stored_until": optional_timestamp(_newest_receipt_ns(rows)),
                "heard_since": optional_timestamp(self.heard_since_ns),
            },
        )
        row = moved.fetchone()
        if row is None:
            raise PositionMovedError
        late_before: dt.date | None = row[0]
        return late_before

    def _add_to_ledger(
        self, connection: psycopg.Connection, rows: WindowRows, written: Written
    ) -> None:
        entries = ledger_entries(rows, written)
        with connection.cursor() as cursor:
            cursor.executemany(
                statement("ledger"),
                [
                    {
                        "journal_id": self._journal_id,
                        "signal": s,
                        "outcome": o,
                        "reason": r,
                        "count": n,
                    }
                    for (s, o, r), n in sorted(entries.items())
                    if n
                ],
            )


def _newest_receipt_ns(rows: WindowRows) -> int | None:
    received_ns = rows.requests.received_ns
    return int(received_ns.max()) if len(received_ns) else None


def _take_in_requests(connection: psycopg.Connection, rows: WindowRows) -> set[int]:
    """Remember the digests; return the requests of the window that were there already."""
    requests = rows.requests
    first: dict[uuid.UUID, int] = {}
    duplicates = set()
    for index in np.flatnonzero(requests.anonymous == 0).tolist():
        digest = uuid.UUID(bytes=requests.digest[index].tobytes())
        if digest in first:
            duplicates.add(index)
        else:
            first[digest] = index
    if not first:
        return duplicates
    new = connection.execute(
        statement("requests"),
        {
            "digests": list(first),
            "received_at": [
                timestamp(int(requests.received_ns[index])) for index in first.values()
            ],
        },
    ).fetchall()
    is_new = {row[0] for row in new}
    return duplicates | {index for digest, index in first.items() if digest not in is_new}


def _copy_table(
    connection: psycopg.Connection, encoded: Encoded, written: Written, *, careful: bool
) -> Encoded:
    """Write the rows but for those of duplicates, and return what was stored."""
    if written.duplicates:
        fresh = ~np.isin(encoded.table.request, list(written.duplicates))
        if not fresh.all():
            table = _only(encoded.table, fresh)
            encoded = Encoded(table, encode(table.batch))
    table, data = encoded.table, encoded.data
    if not table.batch.num_rows:
        return encoded
    if careful:
        refused = copy_what_fits(connection, table.relation, table.batch)
        for row in refused:
            written.set_aside.append(
                SetAside(
                    int(table.request[row.row]),
                    int(table.index[row.row]),
                    table.signal,
                    Reason.REFUSED_BY_DATABASE,
                    f"{table.relation}: {row.message}",
                    is_record=table.principal,
                )
            )
        if refused:
            fits = np.ones(table.batch.num_rows, np.bool_)
            fits[[row.row for row in refused]] = False
            table = _only(table, fits)
            encoded = Encoded(table, b"")
    else:
        copy(connection, table.relation, table.batch.schema.names, data)
    written.rows[table.relation] = written.rows.get(table.relation, 0) + table.batch.num_rows
    return encoded


def _only(table: Table, keep: np.ndarray[Any, np.dtype[np.bool_]]) -> Table:
    return Table(
        table.relation,
        table.signal,
        table.batch.filter(pa.array(keep)),
        table.request[keep],
        table.index[keep],
        table.principal,
    )


def ledger_entries(rows: WindowRows, written: Written) -> dict[tuple[str, str, str], int]:
    """(signal, outcome, reason) -> records.

    received = stored + filtered by rule + rejected by reason + duplicate.
    """
    entries: dict[tuple[str, str, str], int] = {}

    def add(signal: Signal, outcome: str, reason: str, count: int) -> None:
        key = (signal.label, outcome, reason)
        entries[key] = entries.get(key, 0) + count

    missing = dict.fromkeys(range(len(rows.requests.signal)), 0)
    for request, outcome, reason, count in _not_stored(rows):
        missing[request] += count
        if request not in written.duplicates:
            add(Signal(int(rows.requests.signal[request])), outcome, reason, count)
    for record in written.set_aside:
        if not record.is_record or record.request in written.duplicates:
            continue
        count = 1
        if record.index < 0:
            count = int(rows.requests.record_count[record.request]) - missing[record.request]
        missing[record.request] += count
        add(record.signal, "rejected", record.reason.label, count)
    for request, (signal, count) in enumerate(
        zip(rows.requests.signal.tolist(), rows.requests.record_count.tolist(), strict=True)
    ):
        add(Signal(signal), "received", "", count)
        if request in written.duplicates:
            add(Signal(signal), "duplicate", "", count)
        else:
            add(Signal(signal), "stored", "", count - missing[request])
    for (lost, why), count in rows.damaged.items():
        add(lost, "received", "", count)
        add(lost, "rejected", why.label, count)
    return entries


def _not_stored(rows: WindowRows) -> Iterator[tuple[int, str, str, int]]:
    """(request, outcome, reason, records) of what never was a row."""
    for (request, reason), count in rows.refused.items():
        yield request, "rejected", reason.label, count
    for (request, rule), count in rows.filtered.items():
        yield request, "filtered", rule, count
