"""Roll-ups as TimescaleDB's continuous aggregates: hours from minutes, days from hours, real-time.

Real-time means: what is newer than the last refresh is computed from the level below when asked for.
What is older than that and arrives late is there after the next refresh, so these come often; they
read only ranges that changed.

A refresh over a range whose rows below are dropped already empties that range here, too. So a
refresh reaches back to a day after the oldest rows that retention lets be, and no further; where
nothing is dropped, it reaches back to everything.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from crucible_collector.errors import DatabaseError
from crucible_collector.store.rollups.families import FAMILIES
from crucible_collector.store.rollups.family import (
    DAY,
    HOUR,
    MINUTE,
    SCHEMA,
    Family,
    Level,
    Measure,
)

COMMUNITY = "timescale"
# A refresh of a long time takes long: what retention drops meanwhile must not lie in what it comes to.
CLEAR_OF_RETENTION = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Refresh:
    """How often, and how much of the newest is left to be computed when asked for.

    `at_once`: how many buckets are made of what one look at the level below finds.
    """

    every: dt.timedelta
    end: dt.timedelta
    width: dt.timedelta
    at_once: int


# A minute is left alone for five: exporters' batches, retries and the journal take seconds each, and
# what comes before its minute was first refreshed is visible at once.
_REFRESHES = {
    MINUTE: _Refresh(
        dt.timedelta(minutes=1), dt.timedelta(minutes=5), dt.timedelta(minutes=1), at_once=1440
    ),
    HOUR: _Refresh(
        dt.timedelta(minutes=5), dt.timedelta(hours=1), dt.timedelta(hours=1), at_once=168
    ),
    DAY: _Refresh(dt.timedelta(minutes=15), dt.timedelta(days=1), dt.timedelta(days=1), at_once=31),
}
# What a refresh finds the points of its minutes by; every minute it would read the day's otherwise,
# 0.6 s for 745,000. Spans have an index on time, and points need none for any other question.
POINTS_TIME = """
create index if not exists points_time on crucible.points
    using brin (time) with (pages_per_range = 64, autosummarize = off)
"""

JOB = """
-- Which job refreshes this aggregate, and how far does it reach back? No index: jobs are few.
select job_id, config ->> 'start_offset'
from timescaledb_information.jobs
where proc_name = 'policy_refresh_continuous_aggregate'
  and hypertable_schema = 'crucible' and hypertable_name = %(view)s
"""


SETTLED = """
-- Where do the rows of each roll-up lie, and up to when is it refreshed? TimescaleDB's catalogue, and the
-- function that the views themselves ask.
select view_name, relation, until
from (
    select view_name, format('%%I.%%I', schema_name, table_name) as relation,
        _timescaledb_functions.to_timestamp(_timescaledb_functions.cagg_watermark(id)) as until
    from timescaledb_information.continuous_aggregates
    join _timescaledb_catalog.hypertable on schema_name = materialization_hypertable_schema
        and table_name = materialization_hypertable_name
    where view_schema = 'crucible'
) found
-- Before the first refresh it is the earliest time there is.
where until > '1970-01-01Z' and has_table_privilege(relation, 'select')
"""


@dataclass(frozen=True, slots=True)
class Settled:
    """The relation that has all rows of a roll-up before `until`, and no others to be asked for."""

    relation: str
    until: dt.datetime


def settled(conn: psycopg.Connection[Any]) -> dict[str, Settled]:
    """By view, where what is refreshed lies; what the user may not read there is left out.

    A view adds to that what is not refreshed, computed from the level below, which adds what is not
    refreshed there. Who knows that a period is refreshed saves planning all of this: 5 of 10 ms.
    """
    rows = conn.cursor(row_factory=tuple_row).execute(SETTLED.encode(), {}).fetchall()
    return {view: Settled(relation, until) for view, relation, until in rows}


def licence(conn: psycopg.Connection[Any]) -> str | None:
    """`timescale` for the Community edition, `apache` for one without continuous aggregates."""
    row = conn.execute("select current_setting('timescaledb.license', true)").fetchone()
    return row[0] if row else None


def create(conn: psycopg.Connection[Any]) -> None:
    """Make every aggregate, empty of what is stored already: the first refresh fills them."""
    schema = extension_schema(conn)
    conn.execute(POINTS_TIME.encode())
    for family in FAMILIES:
        for index, level in enumerate(family.levels):
            below = family.levels[index - 1] if index else None
            conn.execute(_definition(family, level, below, schema).encode())
            for columns in family.indexes:
                listed = ", ".join((*columns, "time"))
                conn.execute(f"create index on {SCHEMA}.{family.view(level)} ({listed})".encode())


def _definition(family: Family, level: Level, below: Level | None, schema: str) -> str:
    if below is None:
        keys = [f"{key.raw} as {key.name}" for key in family.keys]
        measures = [_from_rows(each, schema) for each in family.measures]
        source, where = family.source, f" where {family.where}" if family.where else ""
    else:
        keys = [key.name for key in family.keys]
        measures = [_from_below(each, schema) for each in family.measures]
        source, where = family.view(below), ""
    columns = [f"{schema}.time_bucket('{level.width}', time) as time", *keys, *measures]
    places = ", ".join(str(place) for place in range(1, len(keys) + 2))
    return (
        f"create materialized view {SCHEMA}.{family.view(level)}"  # noqa: S608
        " with (timescaledb.continuous, timescaledb.materialized_only = false,"
        " timescaledb.create_group_indexes = false)"
        f" as select {', '.join(columns)} from {SCHEMA}.{source}{where}"
        f" group by {places} with no data"
    )


def _from_rows(measure: Measure, schema: str) -> str:
    raw = measure.raw
    if measure.by:
        raw = f"{schema}.{measure.rule}({raw}, time) filter (where {measure.where})"
    return f"{raw} as {measure.name}"


def _from_below(measure: Measure, schema: str) -> str:
    name = measure.name
    if measure.by:
        by = measure.by
        return f"{schema}.{measure.rule}({name}, {by}) filter (where {by} is not null) as {name}"
    # The sum of bigints is numeric.
    return f"{measure.rule}({name})::{measure.type} as {name}"


def refresh_by_themselves(conn: psycopg.Connection[Any], kept: Mapping[str, dt.timedelta]) -> None:
    """Have TimescaleDB refresh every aggregate, clear of what retention drops.

    `kept` says for how long the rows of a relation (spans, points, or a roll-up) are kept; what it
    does not name is kept for ever. To be called again, and before retention is, when that changes.
    DatabaseError where rows are dropped before what is made of them could be refreshed.
    """
    schema = extension_schema(conn)
    for family in FAMILIES:
        below = family.source
        for level in family.levels:
            start = _reach(kept.get(below), below, level)
            _refresh_by_itself(conn, schema, family.view(level), level, start)
            below = family.view(level)


def complete_after(level: Level) -> dt.timedelta:
    """For how long rows have to be there until this level of theirs is refreshed for good."""
    refresh = _REFRESHES[level]
    return CLEAR_OF_RETENTION + refresh.end + 2 * refresh.width  # the least window there may be


def _reach(kept: dt.timedelta | None, below: str, level: Level) -> dt.timedelta | None:
    if kept is None:
        return None
    least = complete_after(level)
    if kept < least:
        raise DatabaseError(
            f"{below} is to be dropped after {kept}, before its roll-up by {level.width} is"
            f" complete: keep it for {least} at least"
        )
    return kept - CLEAR_OF_RETENTION


def _refresh_by_itself(
    conn: psycopg.Connection[Any], schema: str, view: str, level: Level, start: dt.timedelta | None
) -> None:
    found = conn.execute(JOB.encode(), {"view": view}).fetchone()
    refresh = _REFRESHES[level]
    name = f"{SCHEMA}.{view}"
    if found is not None:
        same = conn.execute(
            "select %s::interval is not distinct from %s::interval", (found[1], start)
        ).fetchone()
        if same is not None and same[0]:
            return
        conn.execute(
            sql.SQL("select {}.remove_continuous_aggregate_policy(%s::regclass)").format(
                sql.SQL(schema)
            ),
            (name,),
        )
    conn.execute(
        sql.SQL(
            "select {}.add_continuous_aggregate_policy(%s::regclass, start_offset => %s::interval,"
            " end_offset => %s::interval, schedule_interval => %s::interval,"
            # The newest first would hide what is older until the refresh comes to it.
            " refresh_newest_first => false, buckets_per_batch => %s)"
        ).format(sql.SQL(schema)),
        (name, start, refresh.end, refresh.every, refresh.at_once),
    )


def extension_schema(conn: psycopg.Connection[Any]) -> str:
    """Where TimescaleDB's functions are, quoted for SQL; DatabaseError where it is gone."""
    row = conn.execute(
        "select quote_ident(nspname) from pg_extension join pg_namespace"
        " on pg_namespace.oid = extnamespace where extname = 'timescaledb'"
    ).fetchone()
    if row is None:
        raise DatabaseError("the database has lost its extension timescaledb")
    return str(row[0])
