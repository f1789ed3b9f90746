"""Old rows in tests, and retention as time would have it: chosen at a start, kept by the maintenance thread.

Ages are in days before now, since retention counts from the database's clock.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable
from contextlib import closing
from typing import Any

import psycopg
import pyarrow as pa

from crucible_collector.retention import parse
from crucible_collector.store.connect import MAINTENANCE, connect
from crucible_collector.store.migrate import migrate
from crucible_collector.store.partitions import Connection, Partitions, days_of
from crucible_collector.store.retention import Retention
from rolled import VIEW_NAMES, put, rolled_up

LOG = logging.getLogger("tests.kept")
DAY_US = 86_400_000_000

JOBS = """
select job_id from timescaledb_information.jobs
where proc_name = 'policy_retention' and hypertable_schema = 'crucible' order by 1
"""


def at(age_days: float) -> int:
    """Microseconds since the epoch."""
    return int(dt.datetime.now(dt.UTC).timestamp() * 1e6 - age_days * DAY_US)


def put_old(dsn: str, *ages_days: float, makes_room: bool = True) -> None:
    """Store one point of value 1 and one span of each age, as a window does."""
    times = pa.array([at(age) for age in ages_days], pa.int64())
    if makes_room:
        with closing(connect(dsn, MAINTENANCE)) as conn:
            room = Partitions(migrate(dsn, LOG), LOG)
            for relation in ("points", "spans"):
                room.ensure(conn, relation, days_of(times.to_numpy()))
    time = times.view(pa.timestamp("us", "UTC"))
    count = len(ages_days)
    ones = pa.array([1] * count)
    points = {"series_id": ones, "time": time, "value": pa.array([1.0] * count)}
    spans = {
        "time": time,
        "duration_ns": pa.array([1_000_000] * count),
        "span_id": ones,
        "resource_id": ones,
        "scope_id": ones,
        "trace_id": pa.array([n.to_bytes(16) for n in range(count)], pa.binary(16)),
        "name": pa.array(["work"] * count),
        "event_name": pa.array(["work"] * count),
        "experiment_id": pa.array(["one"] * count),
        "run_id": pa.array(["a"] * count),
        "model": pa.array(["gpt"] * count),
        "status_code": pa.array([0] * count, pa.int16()),
        "input_tokens": pa.array([5] * count),
        "output_tokens": pa.array([7] * count),
        "cost_usd": pa.array([0.5] * count),
    }
    put(dsn, "points", pa.RecordBatch.from_pydict(points))
    put(dsn, "spans", pa.RecordBatch.from_pydict(spans))


def choose(dsn: str, setting: str) -> None:
    """What a start does that has the setting."""
    migrate(dsn, LOG, retention=parse(setting))


def keep(dsn: str) -> None:
    """What the maintenance thread and TimescaleDB's scheduler do until everything is as chosen."""
    with closing(connect(dsn, MAINTENANCE)) as conn:
        Retention(migrate(dsn, LOG), LOG).keep(conn)
        run_policies(conn)


def run_policies(conn: Connection) -> None:
    if conn.execute("select from pg_extension where extname = 'timescaledb'").fetchone() is None:
        return
    for job in conn.execute(JOBS).fetchall():
        conn.execute("call run_job(%s)", job)


def ages(dsn: str, relation: str = "points") -> list[float]:
    """How old the rows are, in days to a tenth, youngest first."""
    question = (
        "select round(extract(epoch from now() - time) / 86400, 1)::float8"
        f" from crucible.{relation} order by time desc"
    )
    with psycopg.connect(dsn) as conn:
        return [age for (age,) in conn.execute(question.encode()).fetchall()]


def all_rolled_up(dsn: str, names: Iterable[str] = VIEW_NAMES) -> dict[str, list[dict[str, Any]]]:
    return {name: rolled_up(dsn, name) for name in names}


def count(dsn: str, view: str) -> float:
    """How many of the rows that were stored a roll-up knows of."""
    with psycopg.connect(dsn) as conn:
        row = conn.execute(
            f"select coalesce(sum(count), 0)::float8 from crucible.{view}".encode()
        ).fetchone()
    assert row is not None
    return float(row[0])
