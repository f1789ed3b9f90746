"""Bring back what is missing of a file: in one transaction, with what makes its rows be found.

Roll-ups of the database whose rows these were have them still. In another database they get what rows
add to them, together with the rows.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
from psycopg import sql

from crucible_collector.store.archives.settling import Kind
from crucible_collector.store.archives.slices import KEYS, columns
from crucible_collector.store.archives.staging import digest, listed, stage
from crucible_collector.store.archives.state import KeptFile, mark_file
from crucible_collector.store.partitions import SCHEMA, Connection, Partitions, days_of
from crucible_collector.store.rollups import portable
from crucible_collector.store.trace_hints.late import note_late

MISSING = """
-- Which rows of the file are not there, of equal ones as many as it has more? By the times of its rows.
-- Leans on the index by time or by series, where there is one, and on the bounds of parts.
create temp table missing on commit drop as
select {columns}
from (
    select of_digest.*, row_number() over (partition by archive_digest) as archive_number
    from (select a.*, {of_file} as archive_digest from pg_temp.archived a) of_digest
) numbered
left join (
    select {of_stored} as archive_digest, count(*) as archive_count
    from {relation} t
    where time >= {start} and time < {end}
      and exists (select from pg_temp.archived a where a.time = t.time)
    group by 1
) stored using (archive_digest)
where archive_number > coalesce(archive_count, 0)
"""

ADD = "insert into {relation} ({columns}) select {columns} from pg_temp.missing order by time"

ADD_REFERRED_TO = """
insert into {relation} ({columns}) select {columns} from pg_temp.archived order by {key}
on conflict do nothing
"""

LATE_BEFORE = "select late_before from crucible.trace_horizon"


class Restoring:
    """Brings back files; one thread's, over a connection in autocommit."""

    def __init__(
        self, conn: Connection, kind: Kind, archive_id: uuid.UUID, *, is_own: bool
    ) -> None:
        self._conn = conn
        self._archive_id = archive_id
        self._adds_parts = not is_own and not kind.is_continuous
        self._partitions = Partitions(kind.capabilities, logging.getLogger("crucible.archive"))

    def rows(
        self, file: KeptFile, stored: Iterable[tuple[str, str]], batches: Sequence[pa.RecordBatch]
    ) -> int:
        """Bring back what is missing of rows by time; how many."""
        conn, relation = self._conn, file.relation
        for batch in batches:
            time_us = batch.column("time").cast(pa.int64()).to_numpy()
            self._partitions.ensure(conn, relation, days_of(np.asarray(time_us, np.int64)))
        names = listed(name for name, _ in columns(conn, relation))
        whole = sql.Identifier(SCHEMA, relation)
        with conn.transaction():
            # Who makes the filters of a day waits for whoever holds this lock (see store.trace_hints).
            conn.execute("lock table crucible.positions in row exclusive mode")
            (late_before,) = conn.execute(LATE_BEFORE).fetchone() or (None,)
            stage(conn, relation, stored, batches)
            conn.execute(
                sql.SQL(MISSING).format(
                    columns=names,
                    relation=whole,
                    of_file=digest("a"),
                    of_stored=digest("t"),
                    start=sql.Literal(file.from_time),
                    end=sql.Literal(file.to_time),
                )
            )
            count = conn.execute(sql.SQL(ADD).format(relation=whole, columns=names)).rowcount
            if count:
                note_late(conn, [(relation, batch) for batch in batches], late_before)
            if count and self._adds_parts:
                portable.add_parts_of(conn, relation, "pg_temp.missing")
            self._done(file, count)
            conn.execute("drop table pg_temp.missing, pg_temp.archived")
        return count

    def referred_to(
        self, file: KeptFile, stored: Iterable[tuple[str, str]], batches: Sequence[pa.RecordBatch]
    ) -> int:
        """Bring back what is missing of what rows refer to; what is there stays as it is."""
        with self._conn.transaction():
            stage(self._conn, file.relation, stored, batches)
            count = self._conn.execute(
                sql.SQL(ADD_REFERRED_TO).format(
                    relation=sql.Identifier(SCHEMA, file.relation),
                    columns=listed(name for name, _ in stored),
                    key=sql.Identifier(KEYS[file.relation]),
                )
            ).rowcount
            self._done(file, count)
            self._conn.execute("drop table pg_temp.archived")
        return count

    def _done(self, file: KeptFile, count: int) -> None:
        mark_file(self._conn, self._archive_id, file.number, "restored", restored=count)
