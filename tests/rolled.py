"""Roll-ups of a database in tests: rows put in as windows put them, brought to rest, and read.

`expected` computes from the stored rows, in Python and without looking at any SQL of ours, what every
roll-up has to say about them.
"""

from __future__ import annotations

import datetime as dt
import logging
import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql

from crucible_collector.enrich.partials import partials
from crucible_collector.store import rollups
from crucible_collector.store.connect import MAINTENANCE, connect
from crucible_collector.store.copy import copy, encode
from crucible_collector.store.migrate import migrate
from crucible_collector.store.partitions import Connection, Partitions
from crucible_collector.store.rollups.families import FAMILIES
from crucible_collector.store.rollups.family import Family, Level
from crucible_collector.store.rollups.fold import Folding
from rows_of import rows_of

LOG = logging.getLogger("tests.rolled")
FINITE_MAX = 1e100
OF_SAMPLED = (
    "error_variance",
    "count_trace_variance",
    "duration_trace_variance",
    "input_token_trace_variance",
    "output_token_trace_variance",
    "cost_trace_variance",
    "uncertain_event_traces",
    "uncertain_traces",
)
USAGE = ("input_tokens", "output_tokens", "cost_usd")
Row = dict[str, Any]
VIEWS = [(family, level) for family in FAMILIES for level in family.levels]
VIEW_NAMES = [family.view(level) for family, level in VIEWS]


def put(dsn: str, relation: str, batch: pa.RecordBatch) -> None:
    """Store rows, and what they add to portable roll-ups, in one transaction, as a window does."""
    with psycopg.connect(dsn) as conn:
        copy(conn, relation, batch.schema.names, encode(batch))
        if rollups.kind_of(conn) == "portable":
            for each in partials(relation, batch):
                copy(conn, each.relation, each.batch.schema.names, encode(each.batch))


def folding(dsn: str, *, parts_max: int = 200_000) -> Folding:
    return Folding(Partitions(migrate(dsn, LOG), LOG), LOG, parts_max=parts_max)


def settle(dsn: str) -> None:
    """Have everything refreshed or folded, as time would."""
    with closing(connect(dsn, MAINTENANCE)) as conn:
        if rollups.kind_of(conn) == "portable":
            folding(dsn).fold(conn)
        else:
            for view in VIEW_NAMES:
                run_job(conn, view)


def drop_rollups(dsn: str) -> None:
    """Leave the database as it was before there were roll-ups; the next start makes them."""
    with closing(connect(dsn, MAINTENANCE)) as conn:
        is_portable = rollups.kind_of(conn) == "portable"
        for family in FAMILIES:
            views = [f"materialized view crucible.{family.view(each)}" for each in family.levels]
            tables = [f"table crucible.{family.table(each)}" for each in family.levels]
            dropped = [f"table crucible.{family.parts}", *tables] if is_portable else views[::-1]
            for each in dropped:
                conn.execute(f"drop {each} cascade".encode())


def run_job(conn: Connection, view: str) -> None:
    """What TimescaleDB's scheduler does with the view's refresh when its time has come."""
    row = conn.execute(
        "select job_id from timescaledb_information.jobs"
        " where hypertable_schema = 'crucible' and hypertable_name = %s"
        " and proc_name = 'policy_refresh_continuous_aggregate'",
        (view,),
    ).fetchone()
    assert row is not None
    conn.execute("call run_job(%s)", row)


def rolled_up(dsn: str, view: str) -> list[Row]:
    """All rows of a roll-up, ordered by what they are grouped by."""
    family = next(family for family, level in VIEWS if family.view(level) == view)
    return in_order(family, rows_of(dsn, view))


def in_order(family: Family, rows: Iterable[Row]) -> list[Row]:
    names = ["time", *(key.name for key in family.keys)]
    return sorted(rows, key=lambda row: [(row[name] is not None, row[name]) for name in names])


def expected(dsn: str, family: Family, level: Level) -> list[Row]:
    """What the view of `family` at `level` has to say about the rows that are stored."""
    grouped: defaultdict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows_of(dsn, family.source, "time"):
        if family.source == "points" and row["value"] is None:
            continue
        grouped[_key(family, level, row)].append(row)
    names = ["time", *(key.name for key in family.keys)]
    summed = _SUMMED[family.name]
    found = (
        {**dict(zip(names, key, strict=True)), **summed(rows)} for key, rows in grouped.items()
    )
    return in_order(family, found)


def _key(family: Family, level: Level, row: Row) -> tuple[Any, ...]:
    time: dt.datetime = row["time"]
    width = {"1m": "minute", "1h": "hour", "1d": "day"}[level.suffix]
    begin = dt.datetime(time.year, time.month, time.day, tzinfo=dt.UTC)
    if width != "day":
        begin = begin.replace(hour=time.hour, minute=time.minute if width == "minute" else 0)
    names = [key.name for key in family.keys if key.name != "bucket"]
    key = (begin, *(row[name] for name in names))
    if family.name != "span_latency":
        return key
    return (*key, _bucket(row["duration_ns"]))


def _bucket(duration_ns: int) -> int:
    return math.ceil(math.log(duration_ns) / math.log(1.01 / 0.99)) if duration_ns > 0 else -1


def _point_row(rows: list[Row]) -> Row:
    finite = [row for row in rows if abs(row["value"]) <= FINITE_MAX]
    values = [row["value"] for row in finite]
    return {
        "count": len(values),
        "non_finite_count": len(rows) - len(values),
        "sum": math.fsum(values),
        "sum_squares": math.fsum(value * value for value in values),
        "min": min(values, default=None),
        "max": max(values, default=None),
        "first": values[0] if values else None,
        "first_time": finite[0]["time"] if values else None,
        "last": values[-1] if values else None,
        "last_time": finite[-1]["time"] if values else None,
    }


def _counts(rows: list[Row], variance: str) -> Row:
    return {
        "row_count": len(rows),
        "count": math.fsum(1 / row["sample_probability"] for row in rows),
        "count_variance": math.fsum(row[variance] or 0 for row in rows),
    }


def _span_row(rows: list[Row]) -> Row:
    made = _counts(rows, "count_variance")
    made["error_count"] = made["count"] if rows[0]["status_code"] == 2 else 0
    used = [r for r in rows if any(r[column] is not None for column in USAGE)]
    made["usage_count"] = math.fsum(1 / row["sample_probability"] for row in used)
    made["probability_min"] = min(row["sample_probability"] for row in rows)
    made["last_time"] = max(row["time"] for row in rows)
    made["duration_min_ns"] = min(row["duration_ns"] for row in rows)
    for what, unit, column in (
        ("duration", "_ns", "duration_ns"),
        ("input_token", "", "input_tokens"),
        ("output_token", "", "output_tokens"),
        ("cost", "_usd", "cost_usd"),
    ):
        there = [r for r in rows if r[column] is not None and abs(r[column]) <= FINITE_MAX]
        pairs = [(row[column], row["sample_probability"]) for row in there]
        made[f"{what}_sum{unit}"] = math.fsum(x / p for x, p in pairs)
        made[f"{what}_unseen{unit}"] = math.fsum(x * (1 - p) / p for x, p in pairs)
        made[f"{what}_variance"] = math.fsum(row[f"{what}_variance"] or 0 for row in rows)
        made[f"{what}_max{unit}"] = max((x for x, _ in pairs), default=None)
    for name in OF_SAMPLED:
        made[name] = math.fsum(row[name] or 0 for row in rows) or None
    return made


def _anomaly_row(rows: list[Row]) -> Row:
    return {
        "flag_count": len(rows),
        "period_count": sum(row["starts_period"] for row in rows),
        "score_max": max(row["score"] for row in rows),
    }


_SUMMED: dict[str, Callable[[list[Row]], Row]] = {
    "point_rollup": _point_row,
    "span_rollup": _span_row,
    "span_latency": lambda rows: _counts(rows, "latency_variance"),
    "anomaly_rollup": _anomaly_row,
}


def percentiles(dsn: str, fractions: list[float], *, view: str = "span_latency_1h") -> list[float]:
    """Percentiles of all durations in ns, by the function that the database has for it."""
    question = sql.SQL(
        "select crucible.duration_percentiles(%s, array_agg(bucket), array_agg(count)) from {}"
    ).format(sql.Identifier("crucible", view))
    with psycopg.connect(dsn) as conn:
        row = conn.execute(question, (fractions,)).fetchone()
    assert row is not None
    found: list[float] = row[0]
    return found


def rows_read(plan: dict[str, Any]) -> float:
    """By all scans of a plan, whether they kept them or not."""
    inner: float = sum(rows_read(each) for each in plan.get("Plans", []))
    if "Relation Name" not in plan:
        return inner
    removed = plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
    loops: int = plan["Actual Loops"]
    return inner + loops * float(plan["Actual Rows"] + removed)
