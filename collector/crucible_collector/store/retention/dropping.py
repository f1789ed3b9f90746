"""Drop what is older than it is kept, where no policy of the server does.

A part goes as a whole, in a short transaction of its own, by its bounds: it never holds a row that is
still kept. Who is in the way is waited for as briefly as where parts are made; the part then goes another
time. Any collector may do it, several at once; makers and droppers of parts never meet, since they take
one lock. Rows go in batches where there are no parts: from hours and days, and from default partitions.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping

from psycopg import sql

from crucible_collector.store import partitions
from crucible_collector.store.partitions import IN_THE_WAY, LOCK_TIMEOUT, SCHEMA, Connection
from crucible_collector.store.retention.targets import Target
from crucible_collector.store.rollups import continuous, fold
from crucible_collector.store.servers import relation_kind

BATCH = 10_000

PARTITIONS = r"""
-- Which parts of a relation hold nothing that is still kept? By their bounds: no row is read.
select part
from (
    select relname::text as part,
        (regexp_match(pg_get_expr(relpartbound, pg_class.oid), 'TO \(''([^'']+)''\)'))[1]::timestamptz as until
    from pg_inherits join pg_class on pg_class.oid = inhrelid
    where inhparent = %(table)s::regclass
) parts, crucible.retention
where relation = %(relation)s and until <= now() - kept
order by until
"""

CHUNKS = """
-- Up to when are chunks of a hypertable of which nothing is kept any more? TimescaleDB's catalogue.
select range_end::text
from timescaledb_information.chunks, crucible.retention
where hypertable_schema = 'crucible' and hypertable_name = %(name)s
  and relation = %(relation)s and range_end <= now() - kept
order by range_end
"""

ROWS = """
-- Deletes rows that are no longer kept, so many at most. Leans on the index by time, where there is one.
delete from {table}
where ctid = any (array(
    select ctid from {table}
    where time <= now() - %(width)s::interval
        - (select kept from crucible.retention where relation = %(relation)s)
    limit %(most)s))
"""

DONE = """
-- When was what is older last dropped? By the primary key.
update crucible.retention set last_run_at = now() where relation = any (%(relations)s)
"""


def drop(
    conn: Connection,
    targets: list[Target],
    kept: Mapping[str, dt.timedelta],
    log: logging.Logger,
) -> bool:
    """Drop from every target whose relation is in `kept`; False where somebody was in the way.

    How long that is, the database says anew for each part: it may have changed meanwhile.
    """
    own = [each for each in targets if each.relation in kept and each.means != "policy"]
    done = [target.relation for target in own if _drop(conn, target, log)]
    if done:
        conn.execute(DONE, {"relations": done})
    return len(done) == len(own)


def _drop(conn: Connection, target: Target, log: logging.Logger) -> bool:
    try:
        if target.means == "chunks":
            count, what = _drop_chunks(conn, target), "chunks"
        elif target.means == "partitions":
            count, what = _drop_partitions(conn, target), "partitions"
        else:
            count, what = _delete(conn, target, target.table), "rows"
        default = f"{target.table}_default"
        if relation_kind(conn, default) is not None:
            late = _delete(conn, target, default)
            if late:
                log.info("dropped %d old rows of %s", late, default)
    except IN_THE_WAY as error:
        log.info(
            "old rows of %s are not dropped yet, somebody is in the way: %s",
            target.table,
            type(error).__name__,
        )
        return False
    if count:
        log.info("dropped %d old %s of %s", count, what, target.table)
    return True


def _drop_partitions(conn: Connection, target: Target) -> int:
    about = {"table": f"{SCHEMA}.{target.table}", "relation": target.relation}
    dropped = 0
    for (part,) in conn.execute(PARTITIONS, about).fetchall():
        with conn.transaction():
            _wait_briefly(conn)
            conn.execute("select pg_advisory_xact_lock(%s)", (partitions.LOCK_KEY,))
            # The order in which writers lock: the relation, then a part of it.
            conn.execute(
                sql.SQL("lock table only {} in access exclusive mode").format(
                    sql.Identifier(SCHEMA, target.table)
                )
            )
            if (part,) in conn.execute(PARTITIONS, about).fetchall():
                conn.execute(sql.SQL("drop table {}").format(sql.Identifier(SCHEMA, part)))
                dropped += 1
    return dropped


def _drop_chunks(conn: Connection, target: Target) -> int:
    about = {"name": target.table, "relation": target.relation}
    schema = sql.SQL(continuous.extension_schema(conn))
    dropped = 0
    for (until,) in conn.execute(CHUNKS, about).fetchall():
        with conn.transaction():
            _wait_briefly(conn)
            if (until,) in conn.execute(CHUNKS, about).fetchall():
                dropped += conn.execute(
                    sql.SQL(
                        "select {}.drop_chunks(%s::regclass, older_than => %s::timestamptz)"
                    ).format(schema),
                    (f"{SCHEMA}.{target.table}", until),
                ).rowcount
    return dropped


def _delete(conn: Connection, target: Target, table: str) -> int:
    statement = sql.SQL(ROWS).format(table=sql.Identifier(SCHEMA, table))
    about = {"relation": target.relation, "width": target.width, "most": BATCH}
    deleted = 0
    while True:
        with conn.transaction():
            _wait_briefly(conn)
            if target.width:
                # The folder's rows have no other writer but this.
                conn.execute("select pg_advisory_xact_lock(%s)", (fold.LOCK_KEY,))
            count = conn.execute(statement, about).rowcount
        deleted += count
        if count < BATCH:
            return deleted


def _wait_briefly(conn: Connection) -> None:
    conn.execute(sql.SQL("set local lock_timeout = {}").format(LOCK_TIMEOUT))
