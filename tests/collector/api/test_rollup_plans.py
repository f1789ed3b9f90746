"""Questions that roll-ups answer read no raw rows but at the ends of the period, whatever its length.

Ten days of spans and points, in roll-ups that are at rest; on both kinds of server. What is counted
are the rows that the plan's scans of raw relations looked at.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from crucible_collector.store.connect import READ, connect
from crucible_collector.store.migrate import migrate
from crucible_collector.store.partitions import Connection, Partitions
from crucible_collector.store.pieces import cut
from crucible_collector.store.read import compose
from crucible_collector.store.rollups import kind_of
from crucible_collector.store.rollups.family import DAY, HOUR, MINUTE
from databases import TestServer
from rolled import drop_rollups, settle

LOG = logging.getLogger("tests.rollup_plans")
START = datetime.fromisoformat("2026-03-01T00:00:00+00:00")
DAYS, SPANS_A_DAY, RUNS, SERIES = 10, 4_320, 20, 10  # a span each 20 s
A_MINUTE, AN_HOUR = SPANS_A_DAY // 1_440, SPANS_A_DAY // 24
SAMPLED = "rare.stop"

FILL = """
insert into crucible.spans (time, duration_ns, span_id, resource_id, scope_id, trace_id, name,
    event_name, status_code, run_id, experiment_id, model, sample_probability, cost_usd)
select %(start)s::timestamptz + n * %(every)s::interval, 1000 * n, n, 1, 1, md5((n / 8)::text)::uuid,
    'x', case when n %% 1000 = 0 then %(sampled)s else 'work.stop' end, 0, 'run-' || n %% %(runs)s,
    'sweep-' || n %% 2, 'model-' || n %% 3, case when n %% 1000 = 0 then 0.5 else 1 end, 0.25
from generate_series(0, %(count)s - 1) n
"""
FILL_POINTS = """
insert into crucible.points (series_id, time, step, value)
select n %% %(series)s, %(start)s::timestamptz + n * %(every)s::interval, n, n
from generate_series(0, %(count)s - 1) n
"""


@dataclass
class Plans:
    conn: Connection

    def scans(self, question: str, parameters: dict[str, Any]) -> list[tuple[str, int]]:
        """Which relations' rows were looked at, and how many."""
        text, bound = compose(question, DULL | parameters, kind_of(self.conn))
        statement = f"explain (analyze, format json) {text}".encode()
        row = self.conn.execute(statement, bound).fetchone()
        assert row is not None
        return list(scans_of(row[0][0]["Plan"], self.raw_relations()))

    def raw_relations(self) -> dict[str, str]:
        """Chunks and partitions of spans and points, by the relation that they are of."""
        rows = self.conn.execute(RAW_RELATIONS).fetchall()
        return dict(rows)


# The chunks of a continuous aggregate are not of these.
RAW_RELATIONS = """
select c.relname, p.relname
from pg_inherits join pg_class c on c.oid = inhrelid join pg_class p on p.oid = inhparent
join pg_namespace n on n.oid = p.relnamespace
where n.nspname = 'crucible' and p.relname in ('spans', 'points')
"""
DULL: dict[str, Any] = {
    **dict.fromkeys(("experiment", "story", "run", "event", "model", "status", "last_key")),
    **{f"by_{name}": False for name in ("experiment", "run", "event", "model", "status")},
    "width": None,
    "terms": "traces",
    "last_name": None,
    "series": 3,
    "limit": 101,
    "skip": 0,
}


def scans_of(plan: dict[str, Any], raw: dict[str, str]) -> Iterator[tuple[str, int]]:
    for inner in plan.get("Plans", []):
        yield from scans_of(inner, raw)
    name = plan.get("Relation Name")
    if name in raw and "Scan" in plan["Node Type"] and "Bitmap Index" not in plan["Node Type"]:
        removed = plan.get("Rows Removed by Filter", 0)
        removed += plan.get("Rows Removed by Index Recheck", 0)
        yield raw[name], int((plan["Actual Rows"] + removed) * plan["Actual Loops"])


@pytest.fixture(scope="module")
def plans(module_server: TestServer) -> Iterator[Plans]:
    facts = {
        "start": START,
        "every": timedelta(days=1) / SPANS_A_DAY,
        "count": DAYS * SPANS_A_DAY,
        "runs": RUNS,
        "series": SERIES,
        "sampled": SAMPLED,
    }
    with module_server.database() as dsn:
        with psycopg.connect(dsn, autocommit=True) as conn:
            partitions = Partitions(migrate(dsn, LOG), LOG)
            drop_rollups(dsn)
            days = [(START + timedelta(days=day)).date() for day in range(DAYS)]
            for relation in ("spans", "points"):
                assert partitions.ensure(conn, relation, days)
            conn.execute(FILL, facts)
            conn.execute(FILL_POINTS, facts)
        migrate(dsn, LOG)
        settle(dsn)
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute("vacuum analyze")
        with closing(connect(dsn, READ)) as reading:
            yield Plans(reading)


ALL = (DAY, HOUR, MINUTE)
WHOLE_DAYS = (START + timedelta(days=1), START + timedelta(days=8))
ODD_ENDS = (START + timedelta(days=1, seconds=30.5), START + timedelta(days=8, seconds=59))
PERIODS = {"whole days": WHOLE_DAYS, "odd ends": ODD_ENDS}
QUESTIONS: dict[str, tuple[str, dict[str, Any], int, int]] = {
    # question, parameters, raw rows of whole days, of odd ends
    "errors by event": ("event_aggregate", {"by_event": True}, 0, 2 * A_MINUTE),
    "cost by model and day": (
        "event_aggregate",
        {"by_model": True, "width": timedelta(days=1)},
        0,
        2 * A_MINUTE,
    ),
    "of a run": ("event_aggregate", {"run": "run-7"}, 0, 2 * A_MINUTE),
    "percentiles by hour": (
        "event_aggregate_percentiles",
        {"by_event": True, "width": timedelta(hours=1)},
        0,
        2 * A_MINUTE + 2 * AN_HOUR,
    ),
    "a series by hour": ("series_aggregate", {"width": timedelta(hours=1)}, 0, 2 * A_MINUTE),
}


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("asked", QUESTIONS)
def test_raw_rows_are_read_at_the_ends_alone(plans: Plans, asked: str, period: str) -> None:
    question, parameters, *read_max = QUESTIONS[asked]
    start, end = PERIODS[period]
    pieces = {"sums": cut(start, end, ALL), "latencies": cut(start, end, (DAY, HOUR))}
    read = sum(rows for _, rows in plans.scans(question, parameters | pieces))
    assert read <= read_max[period == "odd ends"]


def test_a_period_at_odd_ends_touches_the_chunks_of_its_ends_alone(plans: Plans) -> None:
    """The bounds of each piece are constants to the planner, which leaves the other chunks out."""
    start, end = ODD_ENDS
    text, bound = compose(
        "event_aggregate", DULL | {"sums": cut(start, end, ALL)}, kind_of(plans.conn)
    )
    row = plans.conn.execute(f"explain (format json) {text}".encode(), bound).fetchone()
    assert row is not None
    found = {name for name in named(row[0][0]["Plan"]) if name in plans.raw_relations()}
    assert len(found) <= 3  # a default partition is always one


def named(plan: dict[str, Any]) -> Iterator[str]:
    yield plan.get("Relation Name", "")
    for inner in plan.get("Plans", []):
        yield from named(inner)


def test_counts_and_how_durations_lie_read_roll_ups_alone(plans: Plans) -> None:
    start, end = WHOLE_DAYS
    keys = [[None, None, None, SAMPLED, None, None]]
    asked = {
        "sums": cut(start, end, ALL),
        "latencies": cut(start, end, (DAY, HOUR)),
        "by_event": True,
        "groups": json.dumps(keys),
    }
    for question in ("event_counts", "event_spreads"):
        assert sum(rows for _, rows in plans.scans(question, asked)) == 0


def test_the_measure_sees_raw_rows(plans: Plans) -> None:
    start, end = WHOLE_DAYS
    read = plans.scans("event_aggregate", {"sums": cut(start, end, ())})
    assert sum(rows for relation, rows in read if relation == "spans") == 7 * SPANS_A_DAY
    by_hour = {"width": timedelta(hours=1), "sums": cut(start, end, ())}
    read = plans.scans("series_aggregate", by_hour)
    points = sum(rows for relation, rows in read if relation == "points")
    assert points >= 7 * SPANS_A_DAY / SERIES
