"""One window, one transaction: position, digests, rows, dimensions, runs, anomalies, ledger, or nothing.

The first statement moves the journal's position from the window's start to its end; if it is not
there any more, an earlier COMMIT that seemed lost has arrived after all, and nothing is written.
Row locks are taken in one order everywhere (position, digests sorted, dimensions sorted by table and
key, experiments, runs, the lock of the anomalies' feed, ledger), so that several collectors never
deadlock.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa

from crucible_collector.batch import Reason
from crucible_collector.candidates import Counted
from crucible_collector.rows import Phase, SetAside, Table, WindowRows
from crucible_collector.store import live, merge, rollups
from crucible_collector.store.anomalies import Kept, write_found
from crucible_collector.store.copy import Stream, copy, copy_what_fits, encode
from crucible_collector.store.ingest import statement, timestamp
from crucible_collector.store.outcomes import Written, ledger_entries
from crucible_collector.store.positions import Place, Positions, Recorded
from crucible_collector.store.rollups.parts import EncodedPart, copy_parts, parts_of
from crucible_collector.store.sampling import write_counts
from crucible_collector.store.trace_hints.late import note_late

# What the driver raises, for those who may not know which driver it is.
DriverError = psycopg.Error


@dataclass(slots=True)
class Encoded:
    """A table and its COPY bytes, made before the transaction begins.

    `parts`: what it adds to portable roll-ups; None where nobody has computed that yet.
    """

    table: Table
    data: Stream
    parts: list[EncodedPart] | None = None


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
        self.positions = Positions(journal_id, description)
        self._connection: psycopg.Connection | None = None
        # Whether the database has portable roll-ups, as of the last connection.
        self.writes_parts = False

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

    def place(self, head: int) -> Place:
        """How far the database says this journal is stored; at `head` if it has never seen it."""
        return self.positions.read(self.open(), head)

    def recorded(self) -> list[Recorded]:
        """The windows that are yet to be decided, or to be learned from after a restart."""
        return self.positions.recorded(self.open())

    def forget_windows(self, before: int) -> None:
        """Windows up to `before` are decided, and their samplers' state is safe."""
        self.positions.forget(self.open(), before)

    def expect(self, place: Place, stored_until_ns: int | None = None) -> None:
        """Raise PositionMovedError where the journal is no longer stored up to just `place`."""
        self.positions.expect(self.open(), place, stored_until_ns)

    def set_position(self, position: int) -> None:
        """Say that the journal is stored up to `position`, whatever was said before."""
        self.positions.put_back(self.open(), position)

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
            late_before = self.positions.move(connection, rows)
            is_first = rows.phase is not Phase.BEHIND
            duplicates = _take_in_requests(connection, rows) if is_first else set(rows.duplicates)
            found = [each for each in rows.set_aside if each.request not in duplicates]
            written = Written(duplicates=duplicates, set_aside=found)
            kept = Kept()
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
            live.note(
                connection, copied, sorted(rows.runs) if is_first else (), is_exact=not careful
            )
            if is_first:
                merge.dimensions(connection, rows, careful=careful)
                merge.facts(connection, rows, careful=careful)
                kept = write_found(
                    connection,
                    rows.found,
                    duplicates,
                    careful=careful,
                    writes_parts=self.writes_parts,
                )
            self._add_to_ledger(connection, rows, written)
            self.positions.record(connection, rows, duplicates)
            write_counts(connection, self._journal_id, _counted(rows, duplicates))
            if written.set_aside:
                bury(written.set_aside)
        kept.count()
        return written

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


def _counted(rows: WindowRows, duplicates: set[int]) -> Counted:
    """What the sampling rules saw; of duplicates that were not known when they were asked, nothing."""
    if rows.phase is Phase.BEHIND or not duplicates or rows.counted_without is None:
        return rows.counted
    return rows.counted_without(duplicates)


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
