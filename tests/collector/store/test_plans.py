"""Each question that the indexes exist for reads about as many rows as it returns, of the days it asks for.

Four days of data, in rows of realistic size; the reader's own settings; on both kinds of server.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from crucible_collector.store.connect import MAINTENANCE, READ, connect
from crucible_collector.store.maintenance import Maintenance
from crucible_collector.store.migrate import migrate
from crucible_collector.store.partitions import Connection, Partitions
from crucible_collector.store.read import query_text
from databases import TestServer

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


# What a question of the API is given where a case does not say.
NAMES = """
    run event status trace correlation correlation_trace experiment from_time to_time last_time
    last_rest last_trace last_span last_series metric rank from_step to_step series
"""
NOTHING = dict.fromkeys(NAMES.split()) | {"skip": 0, "limit": 101}


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


def rows_by_day(
    reader: Connection, days: dict[str, int], question: str, **parameters: object
) -> dict[int, int]:
    """How many rows the answer reads of each day that its plan has a scan for."""
    row = reader.execute(
        f"explain (analyze, format json) {query_text(question)}".encode(), NOTHING | parameters
    ).fetchone()
    assert row is not None
    found: defaultdict[int, int] = defaultdict(int)
    for scan in scans(row[0][0]["Plan"]):
        if scan["Relation Name"] in days:
            found[days[scan["Relation Name"]]] += rows_read(scan)
    return dict(found)


def scans(plan: dict[str, Any]) -> list[dict[str, Any]]:
    inner = [scan for each in plan.get("Plans", []) for scan in scans(each)]
    return [plan] if "Relation Name" in plan and not inner else inner


def at(day: float) -> dt.datetime:
    return START + day * dt.timedelta(days=1)


TRACE = "c4ca4238a0b923820dcc509a6f75849b"  # md5('1'): spans 8 to 15
BOUNDED: list[tuple[str, dict[str, object], set[int]]] = [
    ("events", {"run": "run-long", "from_time": at(1), "to_time": at(2)}, {1}),
    ("events", {"run": "run-long", "from_time": at(1.9), "to_time": at(2.1)}, {1, 2}),
    ("events", {"from_time": at(2.5), "to_time": at(2.6)}, {2}),
    ("events", {"status": 2, "from_time": at(3)}, {3}),
    ("series_points", {"series": 5, "from_time": at(1), "to_time": at(2)}, {1}),
    ("series_points", {"series": 5, "to_time": at(0.5)}, {0}),
    ("trace", {"trace": TRACE, "from_time": at(0), "to_time": at(0.01)}, {0}),
    ("events_of_trace", {"trace": TRACE, "from_time": at(0), "to_time": at(0.01)}, {0}),
    (
        "correlation_events",
        {"correlation": "correlation-7", "from_time": at(1), "to_time": at(2)},
        {1},
    ),
]


@pytest.mark.parametrize(
    ("question", "parameters", "asked"),
    BOUNDED,
    ids=[f"{question}-{'-'.join(parameters)}-{asked}" for question, parameters, asked in BOUNDED],
)
def test_a_bound_in_time_leaves_other_days_out_of_the_plan(
    reader: Connection,
    days: dict[str, int],
    question: str,
    parameters: dict[str, object],
    asked: set[int],
) -> None:
    assert set(rows_by_day(reader, days, question, **parameters)) == asked


def test_without_a_bound_every_day_is_planned(reader: Connection, days: dict[str, int]) -> None:
    """Else the test above would hold whatever it was asked."""
    for question, asked in (("events", {"run": "run-long"}), ("series_points", {"series": 5})):
        assert set(rows_by_day(reader, days, question, **asked)) == set(range(DAYS))


A_DAY = SPANS_A_DAY // 50  # of the long run


@pytest.mark.parametrize(("limit", "day_count"), [(101, 1), (A_DAY + 100, 2)])
def test_the_newest_events_of_a_run_come_from_the_newest_days_alone(
    reader: Connection, days: dict[str, int], limit: int, day_count: int
) -> None:
    read = rows_by_day(reader, days, "events", run="run-long", limit=limit)
    newest = [read[day] for day in reversed(range(DAYS))]
    assert sum(newest[:day_count]) <= limit + DAYS
    # Beside a default partition, partitions are merged: each gives one row before the first is known.
    assert max(newest[day_count:]) <= 1


def test_the_next_page_of_a_run_begins_on_its_day(reader: Connection, days: dict[str, int]) -> None:
    cursor = {"last_time": at(1.5), "last_rest": 999, "last_trace": TRACE, "last_span": 0}
    read = rows_by_day(reader, days, "events", run="run-long", limit=51, **cursor)
    assert set(read) == {0, 1}
    assert read[1] <= 51 + DAYS
    assert read[0] <= 1
