"""Room for a day of data, made before the data need it, in short transactions of its own.

Making it in a window's own transaction would hold its locks until the COMMIT: creating a chunk
serialises writers, and attaching a partition shuts out readers of the default one. So it is tried
here with a short lock timeout, and given up for a while when somebody is in the way: the window can
be written all the same (into the default partition, or into a chunk that TimescaleDB then makes).

Rows that landed in the default partition move out when their day's partition is attached, in the
same transaction, so a reader sees each of them exactly once at any time.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import psycopg
from psycopg import sql

from crucible_collector.batch import I64
from crucible_collector.store.servers import Capabilities, relation_kind

SCHEMA = "crucible"
RELATIONS = ("spans", "points", "histograms", "logs", "anomalies")
DAY_US = 86_400_000_000
EPOCH_ORDINAL = dt.date(1970, 1, 1).toordinal()
# Readers queue behind an attach that waits, so it must not wait long.
LOCK_TIMEOUT = "200ms"
RETRY_S = 10.0
# A user without the right is not given it every few seconds.
RIGHTS_RETRY_S = 600.0
# Moving shuts out readers, for about 10 µs a row; a fuller default partition keeps what it has.
MOVED_ROWS_MAX = 50_000
LOCK_KEY = int.from_bytes(b"parts")
IN_THE_WAY = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.UniqueViolation,  # a chunk that another session made just now
    psycopg.errors.DuplicateTable,
)

CREATE_CHUNK = """
-- Makes the chunk of a time slice, unless some chunk covers part of it already: one of another
-- interval would collide. Leans on TimescaleDB's catalogue.
select _timescaledb_functions.create_chunk(
    format('crucible.%%I', %(relation)s::text)::regclass,
    jsonb_build_object('time', jsonb_build_array(%(start_us)s::bigint, %(end_us)s::bigint)))
where not exists (
    select from timescaledb_information.chunks
    where hypertable_schema = 'crucible' and hypertable_name = %(relation)s
      and range_start < to_timestamp(%(end_us)s / 1e6) and range_end > to_timestamp(%(start_us)s / 1e6))
"""

Connection = psycopg.Connection[tuple[Any, ...]]


def days_of(time_us: I64) -> list[dt.date]:
    """Return the days (UTC) of `time_us`, microseconds since the epoch, in order."""
    if not len(time_us):
        return []
    days = time_us // DAY_US
    first, last = int(days.min()), int(days.max())
    found = [first] if first == last else np.unique(days).tolist()
    return [dt.date.fromordinal(day + EPOCH_ORDINAL) for day in found]


class Partitions:
    """Remembers which days have room. Used by one thread; connections are in autocommit."""

    def __init__(
        self,
        capabilities: Capabilities,
        log: logging.Logger,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make = _make_chunk if capabilities.timescaledb else _make_partition
        self._log = log
        self._clock = clock
        self._has_room: set[tuple[str, dt.date]] = set()
        self._retry_at: dict[tuple[str, dt.date], float] = {}

    def ensure(self, conn: Connection, relation: str, days: Iterable[dt.date]) -> bool:
        """Make room for `days`; return whether all of them have it. Nothing to do costs 1 µs.

        False is no error: rows may be written, and a later call tries again after RETRY_S.
        """
        # Not all(generator): one day's failure must not keep the others from being tried.
        have_room = [self._ensure_day(conn, relation, day) for day in days]
        return all(have_room)

    def ensure_default(self, conn: Connection, relation: str) -> bool:
        """Make room for what lies in the default partition, whatever room there was: it was dropped."""
        days = default_days(conn, relation)
        self._has_room.difference_update((relation, day) for day in days)
        return self.ensure(conn, relation, days)

    def ensure_ahead(self, conn: Connection, now: dt.datetime) -> bool:
        """Make room in every relation for today and tomorrow."""
        days = [now.astimezone(dt.UTC).date() + dt.timedelta(days=ahead) for ahead in (0, 1)]
        have_room = [self.ensure(conn, relation, days) for relation in RELATIONS]
        return all(have_room)

    def _ensure_day(self, conn: Connection, relation: str, day: dt.date) -> bool:
        key = (relation, day)
        if key in self._has_room:
            return True
        if self._clock() < self._retry_at.get(key, float("-inf")):
            return False
        made = False
        try:
            with conn.transaction():
                conn.execute(sql.SQL("set local lock_timeout = {}").format(LOCK_TIMEOUT))
                made = self._make(conn, relation, day)
        except IN_THE_WAY as error:
            self._retry_at[key] = self._clock() + RETRY_S
            self._log.info(
                "no room in %s for %s yet, somebody is in the way: %s",
                relation,
                day,
                type(error).__name__,
            )
            return False
        except psycopg.errors.FeatureNotSupported:
            made = True  # TimescaleDB's Apache edition: the first row makes the chunk
        except psycopg.errors.InsufficientPrivilege as error:
            self._retry_at[key] = self._clock() + RIGHTS_RETRY_S
            self._log.warning(
                "no room in %s for %s: the user may not make it (grant crucible_owner to it): %s",
                relation,
                day,
                error.diag.message_primary,
            )
            return False
        if not made:
            self._retry_at[key] = self._clock() + RETRY_S
            return False
        self._has_room.add(key)
        self._retry_at.pop(key, None)
        return True


def default_days(conn: Connection, relation: str) -> list[dt.date]:
    """Return the days whose rows lie in the default partition (none on TimescaleDB)."""
    if relation_kind(conn, f"{relation}_default") is None:
        return []
    rows = conn.execute(
        sql.SQL("select distinct (time at time zone 'UTC')::date from {} order by 1").format(
            _name(f"{relation}_default")
        )
    )
    return [row[0] for row in rows]


def _make_partition(conn: Connection, relation: str, day: dt.date) -> bool:
    part, default = f"{relation}_{day:%Y%m%d}", f"{relation}_default"
    conn.execute("select pg_advisory_xact_lock(%s)", (LOCK_KEY,))
    if relation_kind(conn, part) is not None:
        return True
    bounds = {
        "part": _name(part),
        "relation": _name(relation),
        "default": _name(default),
        "first": sql.Literal(_midnight(day)),
        "end": sql.Literal(_midnight(day + dt.timedelta(days=1))),
    }
    conn.execute(
        sql.SQL(
            "create table {part} (like {relation} including defaults including storage"
            " including compression including indexes)"
        ).format(**bounds)
    )
    if not _move_from_default(conn, bounds):
        raise psycopg.Rollback
    conn.execute(
        sql.SQL(
            "alter table {relation} attach partition {part} for values from ({first}) to ({end})"
        ).format(**bounds)
    )
    _give_to_owner_of(conn, relation, part)
    return True


def _give_to_owner_of(conn: Connection, relation: str, part: str) -> None:
    """Whoever of the owner's members made it, any other may drop it."""
    row = conn.execute(
        "select whole.relowner::regrole::text from pg_class whole, pg_class part"
        " where whole.oid = %s::regclass and part.oid = %s::regclass"
        " and whole.relowner <> part.relowner",
        (f"{SCHEMA}.{relation}", f"{SCHEMA}.{part}"),
    ).fetchone()
    if row is not None:
        conn.execute(
            sql.SQL("alter table {} owner to {}").format(_name(part), sql.SQL(str(row[0])))
        )


def _move_from_default(conn: Connection, bounds: dict[str, Any]) -> bool:
    """Move the day's rows to its partition; False, and nothing moved, where they are too many."""
    # The order in which writers lock: the relation, then a part of it.
    conn.execute(
        sql.SQL("lock table only {relation} in share update exclusive mode").format(**bounds)
    )
    conn.execute(sql.SQL("lock table {default} in access exclusive mode").format(**bounds))
    found = conn.execute(
        sql.SQL(
            "select count(*) from (select from {default}"
            " where time >= {first} and time < {end} limit {most}) found"
        ).format(most=MOVED_ROWS_MAX + 1, **bounds)
    ).fetchone()
    count = found[0] if found else 0
    if count > MOVED_ROWS_MAX:
        return False
    if count:
        conn.execute(
            sql.SQL(
                "with moved as (delete from {default} where time >= {first} and time < {end}"
                " returning *) insert into {part} select * from moved"
            ).format(**bounds)
        )
    return True


def _make_chunk(conn: Connection, relation: str, day: dt.date) -> bool:
    """Have TimescaleDB make the chunk now, over the interval that its hypertable is set to.

    `create_chunk` is what TimescaleDB itself uses to restore chunks. It is not documented, so
    where it is missing the chunk is left to be made by the first row.
    """
    if relation_kind(conn, relation) == "p":  # made before the store moved to TimescaleDB
        return _make_partition(conn, relation, day)
    interval = conn.execute(
        "select (extract(epoch from time_interval) * 1000000)::bigint"
        " from timescaledb_information.dimensions"
        " where hypertable_schema = %s and hypertable_name = %s and column_name = 'time'",
        (SCHEMA, relation),
    ).fetchone()
    procedure = conn.execute("select to_regproc('_timescaledb_functions.create_chunk')").fetchone()
    if interval is None or procedure is None or procedure[0] is None:
        return True
    at_us, end_us = (
        int(_midnight(each).timestamp()) * 1_000_000 for each in (day, day + dt.timedelta(days=1))
    )
    at_us -= at_us % interval[0]
    while at_us < end_us:
        next_us = at_us + interval[0]
        conn.execute(CREATE_CHUNK, {"relation": relation, "start_us": at_us, "end_us": next_us})
        at_us = next_us
    return True


def _name(relation: str) -> sql.Identifier:
    return sql.Identifier(SCHEMA, relation)


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC)
