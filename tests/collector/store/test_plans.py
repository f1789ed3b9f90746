"""Each question that the indexes exist for reads about as many rows as it returns, of the days it asks for.

Four days of data, in rows of realistic size; the reader's own settings; on both kinds of server.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from crucible_collector.store.connect import MAINTENANCE, READ, connect
from crucible_collector.store.maintenance import Maintenance
from crucible_collector.store.migrate import migrate
from crucible_collector.store.partitions import Connection, Partitions
from databases import TestServer
from planned import Planned

LOG = logging.getLogger("test")
START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
DAYS, SPANS_A_DAY, RUNS, SERIES = 4, 6_000, 400, 40
PAGE = 50  # rows asked for
BRIN_RANGE_ROWS = 1_500  # what a page range of a BRIN index holds of these rows

FILL = """
insert into crucible.spans (time, duration_ns, span_id, resource_id, scope_id, trace_id, name,
    event_name, status_code, run_id, experiment_id, correlation_id, attributes)
select %(start)s::timestamptz + n * %(every)s::interval, 1, n, 1, 1, md5((n / 8)::text)::uuid, 'x',
    case when n %% 1000 = 0 then 'crucible_train.epoch.stop' else 'crucible_train.batch.stop' end,
    case when n %% 500 = 0 then 2 else 0 end,
    case when n %% 50 = 5 then 'run-long' when n %% 10 > 0 then 'run-' || n %% %(runs)s end,
    'experiment-' || n / 10 %% 40,
    case when n %% 10 = 0 then 'correlation-' || n / 1000 end,
    jsonb_build_object('filler', repeat('y', 200))
from generate_series(0, %(count)s - 1) n
"""
FILL_POINTS = """
insert into crucible.points (series_id, time, step, value)
select n %% %(series)s, %(start)s::timestamptz + n * %(every)s::interval, n, n
from generate_series(0, %(count)s - 1) n
"""
FILL_RUN = """
with run as (
    insert into crucible.runs (run_id, first_seen, last_seen) values ('run-long', %(start)s, %(start)s))
insert into crucible.series (series_id, metric, source, kind, run_id, first_seen, last_seen)
values (5, 'loss', 'event', 'measurement', 'run-long', %(start)s, %(start)s)
"""


@pytest.fixture(scope="module")
def reader(module_server: TestServer) -> Iterator[Connection]:
    with module_server.database() as dsn:
        fill(dsn)
        with closing(connect(dsn, READ)) as conn:
            yield conn


def fill(dsn: str) -> None:
    capabilities = migrate(dsn, LOG)
    facts = {
        "start": START,
        "count": DAYS * SPANS_A_DAY,
        "every": dt.timedelta(days=1) / SPANS_A_DAY,
        "runs": RUNS,
        "series": SERIES,
    }
    with closing(connect(dsn, MAINTENANCE)) as conn:
        days = [START.date() + dt.timedelta(days=day) for day in range(DAYS)]
        for relation in ("spans", "points"):
            assert Partitions(capabilities, LOG).ensure(conn, relation, days)
        conn.execute(FILL, facts)
        conn.execute(FILL_POINTS, facts)
        conn.execute(FILL_RUN, facts)
        Maintenance(lambda: conn, capabilities, LOG).summarise(conn)
        conn.execute("analyze crucible.spans")
        conn.execute("analyze crucible.points")


NEWEST = f"order by time desc limit {PAGE}"
QUESTIONS = {
    "newest": ("spans", f"true {NEWEST}", PAGE),
    "of a run": ("spans", f"run_id = 'run-3' {NEWEST}", PAGE),
    "of an experiment, outside runs": (
        "spans",
        f"run_id is null and experiment_id = 'experiment-7' {NEWEST}",
        PAGE,
    ),
    "of a rare name": ("spans", f"event_name = 'crucible_train.epoch.stop' {NEWEST}", PAGE),
    "of the most frequent name": (
        "spans",
        f"event_name = 'crucible_train.batch.stop' {NEWEST}",
        PAGE + 10,
    ),
    "failed": ("spans", f"status_code = 2 {NEWEST}", PAGE),
    "of a trace": (
        "spans",
        "trace_id = md5('1000')::uuid order by time, span_id",
        BRIN_RANGE_ROWS,
    ),
    "under a correlation id": (
        "spans",
        "correlation_id = 'correlation-7' order by time, span_id",
        2 * BRIN_RANGE_ROWS,
    ),
    "of a series": ("points", f"series_id = 5 order by time limit {PAGE}", PAGE),
    "latest of a series": ("points", "series_id = 5 order by time desc limit 1", 1),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_reads_little_more_than_its_answer(reader: Connection, question: str) -> None:
    relation, condition, read_max = QUESTIONS[question]
    row = reader.execute(
        f"explain (analyze, format json) select * from crucible.{relation} where {condition}"
    ).fetchone()
    assert row is not None
    # Beside a default partition, partitions are merged: each gives one row before the first is known.
    assert 0 < rows_read(row[0][0]["Plan"]) <= read_max + DAYS


def rows_read(plan: dict[str, Any]) -> int:
    """Rows that the scans of the plan looked at, whether they passed or not."""
    inner = sum(map(rows_read, plan.get("Plans", [])))
    if inner or "Relation Name" not in plan:  # a ChunkAppend bears the name and reads nothing
        return inner
    removed = plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
    return int((plan["Actual Rows"] + removed) * plan["Actual Loops"])


@pytest.fixture(scope="module")
def days(reader: Connection) -> dict[str, int]:
    """The day, counted from START, that each partition or chunk is of; a default partition has none."""
    found: dict[str, int] = {}
    for relation in ("spans", "points"):
        rows = reader.execute(
            "select relname, extract(day from min(time) - %s)::int"
            f" from crucible.{relation} r join pg_class on pg_class.oid = r.tableoid group by 1".encode(),
            (START,),
        )
        found |= dict(rows.fetchall())
    assert sorted(found.values()) == sorted([*range(DAYS)] * 2)
    return found


@pytest.fixture
def planned(reader: Connection) -> Planned:
    return Planned(reader)


def by_day(planned: Planned, days: dict[str, int]) -> dict[int, int]:
    """How many rows the answer read of each day that its plans have a scan for."""
    return {days[part]: count for part, count in planned.rows_read(set(days)).items()}


def at(day: float) -> str:
    return (START + day * dt.timedelta(days=1)).isoformat()


TRACE = "/traces/c4ca4238a0b923820dcc509a6f75849b"  # md5('1'): spans 8 to 15
BOUNDED: list[tuple[str, dict[str, object], set[int]]] = [
    ("/events", {"run": "run-long", "from_": at(1), "to": at(2)}, {1}),
    ("/events", {"run": "run-long", "from_": at(1.9), "to": at(2.1)}, {1, 2}),
    ("/events", {"from_": at(2.5), "to": at(2.6)}, {2}),
    ("/events", {"status": "error", "from_": at(3)}, {3}),
    ("/events", {"trace": TRACE[8:], "from_": at(0), "to": at(0.01)}, {0}),
    ("/series/0000000000000005/points", {"from_": at(1), "to": at(2)}, {1}),
    ("/series/0000000000000005/points", {"to": at(0.5)}, {0}),
    ("/runs/run-long/series/loss", {"from_": at(1), "to": at(2)}, {1}),
    (TRACE, {"from_": at(0), "to": at(0.01)}, {0}),
    ("/correlations/correlation-7", {"from_": at(1), "to": at(2)}, {1}),
]


@pytest.mark.parametrize(
    ("path", "parameters", "asked"),
    BOUNDED,
    ids=[f"{path}-{'-'.join(parameters)}-{asked}" for path, parameters, asked in BOUNDED],
)
def test_a_bound_in_time_leaves_other_days_out_of_the_plan(
    planned: Planned,
    days: dict[str, int],
    path: str,
    parameters: dict[str, object],
    asked: set[int],
) -> None:
    planned.ask(path, **parameters)
    assert set(by_day(planned, days)) == asked


@pytest.mark.parametrize("path", ["/events?run=run-long", "/series/0000000000000005/points"])
def test_without_a_bound_every_day_is_planned(
    planned: Planned, days: dict[str, int], path: str
) -> None:
    """Else the test above would hold whatever it was asked."""
    planned.ask(path)
    assert set(by_day(planned, days)) == set(range(DAYS))


A_DAY = SPANS_A_DAY // 50  # of the long run


@pytest.mark.parametrize(("limit", "day_count"), [(100, 1), (A_DAY + 100, 2)])
def test_the_newest_events_of_a_run_come_from_the_newest_days_alone(
    planned: Planned, days: dict[str, int], limit: int, day_count: int
) -> None:
    planned.ask("/events", run="run-long", limit=limit)
    assert_read_to_the_limit(by_day(planned, days), limit, day_count)


def test_the_next_page_of_a_run_begins_where_the_first_ended(
    planned: Planned, days: dict[str, int]
) -> None:
    first = planned.ask("/events", run="run-long", limit=A_DAY + 10)
    planned.ask("/events", run="run-long", limit=100, cursor=first["meta"]["next_cursor"])
    read = by_day(planned, days)
    assert_read_to_the_limit({day + 1: read.pop(day) for day in (0, 1, 2)}, 100, 1)
    assert read == {}  # the newest day is left out


def assert_read_to_the_limit(read: dict[int, int], limit: int, day_count: int) -> None:
    newest = [read[day] for day in sorted(read, reverse=True)]
    assert sum(newest[:day_count]) <= limit + 1 + DAYS
    # Beside a default partition, partitions are merged: each gives one row before the first is known.
    assert max(newest[day_count:]) <= 1
