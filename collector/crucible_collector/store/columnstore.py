"""TimescaleDB's columnstore: which columns each relation is laid out by, and when rows go there.

The narrowest roll-ups go there, too, after a week: by minute they would take three times the room of
the spans that they are made of, and sums over columns are four times faster (3.7 million rows: 1.76 s,
then 0.43).

A chunk goes there a day after it has ended, when the last of what was late has mostly come; rows that
come later still are taken, and join with the next round of the policy.

Chunks are merged on their way, up to seven days to one. A question without a time bound is planned over every chunk
there is, about 2 ms each: 12 days of spans in 12 chunks took 28 ms of planning and 78 to run, in two
they took 4 and 23. The day that is written to stays a chunk of its own, whose indexes fit in memory.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from crucible_collector.store.rollups import continuous
from crucible_collector.store.rollups.families import LATENCIES, POINTS, SPANS
from crucible_collector.store.rollups.family import HOUR, MINUTE

SCHEMA = "crucible"
AFTER = dt.timedelta(days=1)
# A refresh of what is there already has to unpack it, and most of what is late is not a week late.
ROLLUPS_AFTER = dt.timedelta(days=7)
MERGED = dt.timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Layout:
    """How rows lie: a segment's are kept together, in batches of a thousand in that order.

    `sparse`: what is known of each batch without unpacking it, besides the least and largest of the
    order's columns.
    """

    segment_by: str
    order_by: str
    sparse: str


# `make bench-storage` compares settings: bytes that are left, and the time of the API's own questions.
# Spans of a run lie together, newest first: the order in which they are asked for. Traces, correlation
# ids and rare events are found by Bloom filters, errors and slow spans by the least and largest.
_RECORDS = "run_id", "time desc, time_ns_rest desc"
LAYOUTS: Mapping[str, Layout] = {
    "spans": Layout(
        *_RECORDS,
        "bloom(trace_id), bloom(correlation_id), bloom(event_name), minmax(status_code),"
        " minmax(duration_ns)",
    ),
    "logs": Layout(*_RECORDS, "bloom(trace_id), bloom(correlation_id), minmax(severity_number)"),
    "points": Layout("series_id", "time, time_ns_rest", "minmax(step)"),
    "histograms": Layout("series_id", "time, time_ns_rest", ""),
    "anomalies": Layout("", "time desc, time_ns_rest desc", "bloom(run_id), bloom(series_id)"),
}

# The widest are small, and quicker as rows: a day has too little of a run to fill a batch (the cost of
# 90 days by model took 143 ms instead of 67).
ROLLUP_LAYOUTS: Mapping[str, Layout] = {
    SPANS.view(MINUTE): Layout("run_id", "time, event_name", ""),
    POINTS.view(MINUTE): Layout("series_id", "time", ""),
    LATENCIES.view(HOUR): Layout("", "time, event_name", ""),
}

ENABLED = """
-- Which relations and continuous aggregates have a columnstore? TimescaleDB's catalogue.
select hypertable_name, compression_enabled
from timescaledb_information.hypertables
where hypertable_schema = 'crucible'
union all
select view_name, compression_enabled
from timescaledb_information.continuous_aggregates
where view_schema = 'crucible'
"""

POLICY = """
-- After how long do chunks go to the columnstore? Null where nothing sends them.
select (config ->> 'compress_after')::interval
from timescaledb_information.jobs
where proc_name in ('policy_compression', 'policy_columnstore')
  and hypertable_schema = 'crucible' and hypertable_name = %(relation)s
"""

Connection = psycopg.Connection[Any]


def ensure(conn: Connection, log: logging.Logger) -> list[str]:
    """Give each hypertable and roll-up its layout and policy; return those that had none.

    What has a columnstore stays as it is: an administrator may have other data and other questions.
    To be called with the lock that collectors migrate under, once the roll-ups are there. Does
    nothing where the licence is not TimescaleDB's own.
    """
    if continuous.licence(conn) != continuous.COMMUNITY:
        return []
    found = dict(conn.execute(ENABLED.encode()).fetchall())
    made = []
    for kind, layouts, after in (
        ("table", LAYOUTS, AFTER),
        ("materialized view", ROLLUP_LAYOUTS, ROLLUPS_AFTER),
    ):
        missing = [relation for relation in layouts if found.get(relation) is False]
        for relation in missing:
            _enable(conn, kind, relation, layouts[relation])
            _send(conn, relation, after)
        if missing:
            hours = after // dt.timedelta(hours=1)
            log.info(
                "%s go to the columnstore %d hours after their chunk has ended",
                ", ".join(missing),
                hours,
            )
        made += missing
    return made


def policy(conn: Connection, relation: str) -> dt.timedelta | None:
    """After how long the relation's chunks go to the columnstore; None: they do not."""
    row = conn.execute(POLICY.encode(), {"relation": relation}).fetchone()
    return None if row is None else row[0]


def _enable(conn: Connection, kind: str, relation: str, layout: Layout) -> None:
    given = {
        "timescaledb.segmentby": layout.segment_by,
        "timescaledb.orderby": layout.order_by,
        "timescaledb.sparse_index": layout.sparse,
        # The chunks of roll-ups are ten days long as they are.
        "timescaledb.compress_chunk_time_interval": f"{MERGED.days} days" * (kind == "table"),
    }
    options = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.SQL(name), sql.Literal(value))
        for name, value in given.items()
        if value
    )
    conn.execute(
        sql.SQL("alter {} {} set (timescaledb.enable_columnstore, {})").format(
            sql.SQL(kind), sql.Identifier(SCHEMA, relation), options
        )
    )


def _send(conn: Connection, relation: str, after: dt.timedelta) -> None:
    schema = continuous.extension_schema(conn)
    conn.execute(
        sql.SQL("call {}.add_columnstore_policy(%s::regclass, after => %s::interval)").format(
            sql.SQL(schema)
        ),
        (f"{SCHEMA}.{relation}", after),
    )
