"""Make the filters of days that are over, and add to them what came late; by one collector at a time.

A round makes the filters of one day at most, so that the upkeep beside it goes on where ninety days are
to be made up for. The package's docstring says why nothing is missed; here it is done.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Iterator
from itertools import groupby
from operator import itemgetter

import numpy as np
import psycopg

from crucible_collector.batch import I64
from crucible_collector.store.partitions import Connection
from crucible_collector.store.trace_hints import filters

# A day's rows come for a while after it is over, and what comes later is written down one by one.
# Nothing is missed where they come later still, or clocks are wrong.
DELAY = dt.timedelta(hours=25)
ROUND_S = 3600.0
# Windows take milliseconds; one that takes longer is waited for in the next round.
WRITERS_WAIT_S = 2.0
WRITERS_POLL_S = 0.02
LATE_BATCH = 50_000
LOCK_KEY = int.from_bytes(b"hints")
_FIRST, _LAST = -(1 << 63), (1 << 63) - 1
# What came late has filters for any hash, the next of a day larger than the one that is full.
_LATE_SIZES = (1_024, 8_192, filters.ENTRIES_MAX)

LOCK = "select pg_try_advisory_lock(%s)"
UNLOCK = "select pg_advisory_unlock(%s)"

START_OVER = """
-- Forgets hints that a server made which hashes otherwise: where the store was restored, perhaps.
with forgotten as (
    update crucible.trace_horizon
    set covered_until = null, hash_check = crucible.hash_check()
    where hash_check is distinct from crucible.hash_check()
    returning is_only
), filters as (
    delete from crucible.trace_filters where (select is_only from forgotten)
)
delete from crucible.late_traces where (select is_only from forgotten)
"""

MOVE_LATE = """
-- From which day on do windows write nothing down? By the database's clock; back, too, where that was
-- wrong, and covered_until with it, which is never later.
update crucible.trace_horizon
set late_before = due,
    covered_until = case when covered_until > due then due else covered_until end
from (select ((coalesce(%(now)s, now()) - %(delay)s::interval) at time zone 'UTC')::date as due) clock
where late_before is distinct from due
"""

COVER = "update crucible.trace_horizon set covered_until = %s"
HORIZON = "select covered_until, late_before from crucible.trace_horizon"

WRITERS = """
-- Which transactions may have asked for late_before before it was moved? Those that write windows now:
-- each takes this lock before it asks, and keeps it to its end.
select virtualtransaction from pg_locks
where locktype = 'relation' and relation = 'crucible.positions'::regclass
  and database = (select oid from pg_database where datname = current_database())
  and mode = 'RowExclusiveLock' and pid <> pg_backend_pid()
"""

NEXT_DAY = """
-- Which is the first day from then on that has rows? Leans on spans_time and logs_time.
select (least(
    (select time from crucible.spans where time >= %(since)s order by time limit 1),
    (select time from crucible.logs where time >= %(since)s order by time limit 1)
) at time zone 'UTC')::date
"""

HASHES = """
-- What has rows in the day, as hashes in order, so many at once? Reads two columns of the day's rows.
select string_agg(int8send(hash), ''::bytea order by hash)
from (
    select hash, (row_number() over (order by hash) - 1) / %(most)s as number
    from (
        select hash from crucible.spans cross join lateral (values
            (crucible.trace_hash(trace_id)), (crucible.correlation_hash(correlation_id))) as its (hash)
        where time >= %(start)s and time < %(end)s
        union
        select hash from crucible.logs cross join lateral (values
            (crucible.trace_hash(trace_id)), (crucible.correlation_hash(correlation_id))) as its (hash)
        where time >= %(start)s and time < %(end)s
    ) of_the_day
    where hash is not null
) numbered
group by number order by number
"""

ADD_FILTER = """
insert into crucible.trace_filters (day, first_hash, last_hash, entry_count, filter)
values (%(day)s, %(first)s, %(last)s, %(count)s, %(filter)s)
"""

TAKE_LATE = """
-- What came late of days that have filters? So much at most.
delete from crucible.late_traces
where ctid = any (array(
    select ctid from crucible.late_traces
    where day < (select covered_until from crucible.trace_horizon) limit %(most)s))
returning day, hash
"""

LATE_FILTER = """
-- Which filter of the day is for what came late? The newest, which is the largest. Leans on trace_filters_day.
select ctid::text, entry_count, filter from crucible.trace_filters
where day = %(day)s and first_hash = %(first)s and last_hash = %(last)s
order by octet_length(filter) desc, entry_count limit 1
"""

FORGET = """
-- Drops the filters of days before the oldest row: one snapshot sees that they have none. What comes for
-- them now is written down by its window.
delete from crucible.trace_filters
where day < coalesce((least(
    (select time from crucible.spans order by time limit 1),
    (select time from crucible.logs order by time limit 1)
) at time zone 'UTC')::date, 'infinity')
"""


class TraceHints:
    """The builder's rounds; used by the maintenance thread, with a connection in autocommit."""

    def __init__(
        self,
        log: logging.Logger,
        *,
        now: Callable[[], dt.datetime | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`now` is the database's own where it is None. `clock` says when a round is due, seconds."""
        self._log = log
        self._now = now
        self._clock = clock
        self._due = float("-inf")

    def keep(self, conn: Connection) -> None:
        """Do a round where one is due: once an hour, and at once where the last left days to be made."""
        if self._clock() >= self._due and self.build(conn):
            self._due = self._clock() + ROUND_S

    def build(self, conn: Connection) -> bool:
        """Do a round; return whether all is made. True where another collector is at it, too."""
        row = conn.execute(LOCK, (LOCK_KEY,)).fetchone()
        if row is None or not row[0]:
            return True
        try:
            conn.execute(START_OVER)
            conn.execute(MOVE_LATE, {"now": self._now(), "delay": DELAY})
            is_done = self._cover(conn)
            self._fold(conn)
            conn.execute(FORGET)
        finally:
            if not conn.closed:
                conn.execute(UNLOCK, (LOCK_KEY,))
        return is_done

    def _cover(self, conn: Connection) -> bool:
        """Make the filters of the next day, if any is due; return whether there is no other."""
        row = conn.execute(HORIZON).fetchone()
        if row is None:
            raise RuntimeError("crucible.trace_horizon has no row")
        covered, until = row
        if covered == until:
            return True
        if not _writers_end(conn):
            self._log.debug("hints of traces wait for a window that is being written")
            return False
        day = _next_day(conn, covered)
        if day is None or day >= until:
            conn.execute(COVER, (until,))
            return True
        with conn.transaction():
            count = _make_filters(conn, day, covered)
            conn.execute(COVER, (day + dt.timedelta(days=1),))
        self._log.debug("made the hints of %s: %d traces and correlation ids", day, count)
        return False

    def _fold(self, conn: Connection) -> int:
        """Add what came late to the filters of its days; return how much that was."""
        folded = 0
        while True:
            with conn.transaction():
                late = conn.execute(TAKE_LATE, {"most": LATE_BATCH}).fetchall()
                for day, entries in groupby(sorted(set(late)), key=itemgetter(0)):
                    _add_late(conn, day, np.array([hash_ for _, hash_ in entries], np.int64))
            folded += len(late)
            if len(late) < LATE_BATCH:
                return folded


def _writers_end(conn: Connection) -> bool:
    """Wait until every window that is being written now has ended; False where one goes on for long."""
    waits_until = time.monotonic() + WRITERS_WAIT_S
    writers = set(conn.execute(WRITERS).fetchall())
    while writers and time.monotonic() < waits_until:
        time.sleep(WRITERS_POLL_S)
        writers &= set(conn.execute(WRITERS).fetchall())
    return not writers


def _next_day(conn: Connection, since: dt.date | None) -> dt.date | None:
    start = "-infinity" if since is None else _midnight(since).isoformat()
    row = conn.execute(NEXT_DAY, {"since": start}).fetchone()
    return row[0] if row else None


def _make_filters(conn: Connection, day: dt.date, covered: dt.date | None) -> int:
    """Make the filters of the day anew, within the caller's transaction; return how many entries."""
    # Before its rows are read, so that the rows of all that is taken are among them.
    conn.execute("delete from crucible.late_traces where day = %s", (day,))
    # Of an earlier time, when the horizon was later; of days without rows by now, as well.
    conn.execute(
        "delete from crucible.trace_filters where day between coalesce(%(covered)s::date, day) and %(day)s",
        {"covered": covered, "day": day},
    )
    count = 0
    for hashes in _hashes(conn, day):
        made = filters.empty(len(hashes))
        filters.add(made, hashes)
        _insert(conn, day, int(hashes[0]), int(hashes[-1]), len(hashes), made)
        count += len(hashes)
    return count


def _hashes(conn: Connection, day: dt.date) -> Iterator[I64]:
    """The day's hashes in order, ENTRIES_MAX at a time, of which this side holds no more."""
    bounds = {"start": _midnight(day), "end": _midnight(day + dt.timedelta(days=1))}
    with psycopg.ServerCursor(conn, "crucible_hashes") as cursor:
        cursor.itersize = 1
        cursor.execute(HASHES, {"most": filters.ENTRIES_MAX, **bounds}, binary=True)
        for (packed,) in cursor:
            yield np.frombuffer(packed, ">i8").astype(np.int64)


def _add_late(conn: Connection, day: dt.date, hashes: I64) -> None:
    """Add hashes to the filters of the day that are for what came late, and new ones as needed."""
    about = {"day": day, "first": _FIRST, "last": _LAST}
    found = conn.execute(LATE_FILTER, about, binary=True).fetchone()
    size = 0
    if found is not None:
        place, count, stored = found
        size = filters.capacity(len(stored))
        hashes = hashes[~filters.has(stored, hashes)]
        fits, hashes = np.split(hashes, [max(0, size - count)])
        if len(fits):
            filled = bytearray(stored)
            filters.add(filled, fits)
            conn.execute(
                "update crucible.trace_filters set filter = %s, entry_count = %s where ctid = %s::tid",
                (filled, count + len(fits), place),
            )
    while len(hashes):
        wanted = max(len(hashes), size + 1)
        size = next((each for each in _LATE_SIZES if each >= wanted), _LATE_SIZES[-1])
        made = filters.empty(size)
        fits, hashes = np.split(hashes, [size])
        filters.add(made, fits)
        _insert(conn, day, _FIRST, _LAST, len(fits), made)


def _insert(
    conn: Connection, day: dt.date, first: int, last: int, count: int, filter_: bytearray
) -> None:
    row = {"day": day, "first": first, "last": last, "count": count, "filter": filter_}
    conn.execute(ADD_FILTER, row, binary=True)


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC)
