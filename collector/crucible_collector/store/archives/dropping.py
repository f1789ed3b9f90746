"""Drop what an archive has: a file's rows in one transaction, then parts of the store that are empty.

A row goes only where the file, read back, has the very same; rows that came later, or were changed since,
are put back within the statement that took them. Deleting takes longer than dropping a part whole would,
but a part cannot be known to hold nothing else unless nobody writes to it while it is compared.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable

import pyarrow as pa
from psycopg import errors, sql

from crucible_collector.store import partitions
from crucible_collector.store.archives.settling import Kind
from crucible_collector.store.archives.slices import columns
from crucible_collector.store.archives.staging import digest, listed, stage
from crucible_collector.store.archives.state import KeptFile, mark_file
from crucible_collector.store.partitions import IN_THE_WAY, LOCK_TIMEOUT, SCHEMA, Connection
from crucible_collector.store.rollups import continuous

DROP = """
-- Takes away what the file has, by the times of its rows, and puts back what it has not; counts what is gone.
-- Leans on the index by time or by series, where there is one, and on the bounds of parts.
with taken as (
    delete from {relation} t
    where time >= %(start)s and time < %(end)s
      and {keys}
      and exists (select from pg_temp.archived a where a.time = t.time)
    returning t.*
),
numbered as (
    select of_digest.*, row_number() over (partition by archive_digest) as archive_number
    from (select taken.*, {of_taken} as archive_digest from taken) of_digest
),
put_back as (
    insert into {relation} ({columns})
    select {columns}
    from numbered
    left join (
        select {of_file} as archive_digest, count(*) as archive_count
        from pg_temp.archived a group by 1
    ) files using (archive_digest)
    where archive_number > coalesce(archive_count, 0)
    returning 1
)
select (select count(*) from numbered) - (select count(*) from put_back)
"""

# What few rows of other experiments share: so that of those as little as may be is taken and put back.
_KEYS = {"points": "series_id", "histograms": "series_id", "anomalies": "period_id"}

PARTITIONS = r"""
-- Which days of a relation are parts of their own, within a time? By their bounds: no row is read.
select part, since, until
from (
    select relname::text as part,
        (regexp_match(bound, 'FROM \(''([^'']+)''\)'))[1]::timestamptz as since,
        (regexp_match(bound, 'TO \(''([^'']+)''\)'))[1]::timestamptz as until
    from pg_inherits join pg_class on pg_class.oid = inhrelid
    cross join lateral pg_get_expr(relpartbound, pg_class.oid) bound
    where inhparent = %(table)s::regclass
) parts
where until > %(start)s and since < %(end)s and until <= now() - interval '1 day'
order by since
"""

CHUNKS = """
-- Which chunks of a hypertable lie within a time? TimescaleDB's catalogue.
select format('%%I.%%I', chunk_schema, chunk_name), range_start, range_end
from timescaledb_information.chunks
where hypertable_schema = 'crucible' and hypertable_name = %(name)s
  and range_end > %(start)s and range_start < %(end)s and range_end <= now() - interval '1 day'
order by range_start
"""


def drop_slice(
    conn: Connection,
    archive_id: uuid.UUID,
    file: KeptFile,
    stored: Iterable[tuple[str, str]],
    batches: Iterable[pa.RecordBatch],
) -> int:
    """Drop what a file has, once; how many rows that was."""
    with conn.transaction():
        stage(conn, file.relation, stored, batches)
        statement = sql.SQL(DROP).format(
            relation=sql.Identifier(SCHEMA, file.relation),
            keys=_of_those(file.relation),
            columns=listed(name for name, _ in columns(conn, file.relation)),
            of_taken=digest("taken"),
            of_file=digest("a"),
        )
        bounds = {"start": file.from_time, "end": file.to_time}
        (count,) = conn.execute(statement, bounds).fetchone() or (0,)
        mark_file(conn, archive_id, file.number, "dropped", dropped=count)
        conn.execute("drop table pg_temp.archived")
    return int(count)


def _of_those(relation: str) -> sql.Composable:
    if relation not in _KEYS:
        return sql.SQL("true")
    key = sql.Identifier(_KEYS[relation])
    return sql.SQL("{} = any (array(select distinct {} from pg_temp.archived))").format(key, key)


def drop_empty_parts(
    conn: Connection, kind: Kind, relation: str, start: dt.datetime, end: dt.datetime
) -> int:
    """Drop parts of a relation that have no row any more and overlap with the time; how many.

    What somebody is in the way of, or this user may not drop, stays, empty as it is.
    """
    if kind.capabilities.timescaledb is not None:
        about = {"name": relation, "start": start, "end": end}
        found = conn.execute(CHUNKS, about).fetchall()
    else:
        about = {"table": f"{SCHEMA}.{relation}", "start": start, "end": end}
        found = conn.execute(PARTITIONS, about).fetchall()
    dropped = 0
    for part, since, until in found:
        try:
            with conn.transaction():
                dropped += _drop_if_empty(conn, kind, relation, part, since, until)
        except (*IN_THE_WAY, errors.InsufficientPrivilege):
            continue
    return dropped


def _drop_if_empty(
    conn: Connection, kind: Kind, relation: str, part: str, since: dt.datetime, until: dt.datetime
) -> int:
    is_chunk = kind.capabilities.timescaledb is not None
    name = sql.SQL(part) if is_chunk else sql.Identifier(SCHEMA, part)
    if _has_rows(conn, name):
        return 0
    whole = sql.Identifier(SCHEMA, relation)
    conn.execute(sql.SQL("set local lock_timeout = {}").format(LOCK_TIMEOUT))
    if is_chunk:
        conn.execute(sql.SQL("lock table {} in access exclusive mode").format(name))
    else:
        conn.execute("select pg_advisory_xact_lock(%s)", (partitions.LOCK_KEY,))
        # The order in which writers lock: the relation, then a part of it.
        conn.execute(sql.SQL("lock table only {} in access exclusive mode").format(whole))
        conn.execute(sql.SQL("lock table {} in access exclusive mode").format(name))
    if _has_rows(conn, name):
        return 0
    if is_chunk:
        schema = sql.SQL(continuous.extension_schema(conn))
        drop = sql.SQL(
            "select {}.drop_chunks(%s::regclass, older_than => %s::timestamptz,"
            " newer_than => %s::timestamptz)"
        ).format(schema)
        return conn.execute(drop, (f"{SCHEMA}.{relation}", until, since)).rowcount
    conn.execute(sql.SQL("drop table {}").format(name))
    return 1


def _has_rows(conn: Connection, name: sql.Composable) -> bool:
    row = conn.execute(sql.SQL("select exists (select from {})").format(name)).fetchone()
    return row is None or bool(row[0])
