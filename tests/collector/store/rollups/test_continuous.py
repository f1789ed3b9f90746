"""Continuous aggregates: what is late comes in with a refresh, what retention took stays in them."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pyarrow as pa
import pytest

import databases
from crucible_collector.errors import DatabaseError
from crucible_collector.store.connect import MAINTENANCE, connect
from crucible_collector.store.examine import examine
from crucible_collector.store.maintenance import Maintenance
from crucible_collector.store.migrate import migrate
from crucible_collector.store.partitions import Connection
from crucible_collector.store.rollups import continuous
from crucible_collector.store.rollups.families import POINTS
from databases import TestServer
from rolled import VIEW_NAMES, drop_rollups, expected, put, rolled_up, run_job, settle

LOG = logging.getLogger("tests.continuous")
DAY = dt.timedelta(days=1)
POINT_VIEWS = [name for name in VIEW_NAMES if name.startswith("point")]

POLICIES = """
select hypertable_name, config ->> 'start_offset', config ->> 'end_offset', schedule_interval
from timescaledb_information.jobs
where proc_name = 'policy_refresh_continuous_aggregate' order by 1
"""


@pytest.fixture
def timescale_database(timescale_server: TestServer) -> Iterator[str]:
    with timescale_server.database() as dsn:
        yield dsn


@pytest.fixture
def conn(timescale_database: str) -> Iterator[Connection]:
    with closing(connect(timescale_database, MAINTENANCE)) as opened:
        yield opened


def put_point(dsn: str, age: dt.timedelta, value: float) -> None:
    time_us = int((dt.datetime.now(dt.UTC) - age).timestamp() * 1_000_000)
    columns = {
        "series_id": pa.array([5]),
        "time": pa.array([time_us]).view(pa.timestamp("us", "UTC")),
        "value": pa.array([value]),
    }
    put(dsn, "points", pa.RecordBatch.from_pydict(columns))


def totals(conn: Connection) -> list[Any]:
    """The sum of all values, by each level."""
    found = []
    for view in POINT_VIEWS:
        row = conn.execute(f"select sum(sum) from crucible.{view}".encode()).fetchone()
        assert row is not None
        found.append(row[0])
    return found


def test_rows_that_come_two_days_late_are_there_after_each_levels_next_refresh(
    timescale_database: str, conn: Connection
) -> None:
    put_point(timescale_database, DAY / 24, 1.0)
    settle(timescale_database)
    put_point(timescale_database, 2 * DAY, 10.0)
    assert totals(conn) == [1.0] * 3, "hidden by the watermark: else this test shows nothing"
    for done, view in enumerate(POINT_VIEWS, 1):
        run_job(conn, view)
        assert totals(conn)[:done] == [11.0] * done


def test_new_rows_are_there_at_once(timescale_database: str, conn: Connection) -> None:
    put_point(timescale_database, 3 * DAY, 1.0)
    settle(timescale_database)
    put_point(timescale_database, dt.timedelta(seconds=20), 10.0)
    assert totals(conn) == [11.0] * 3


def test_what_retention_took_stays_rolled_up(timescale_database: str, conn: Connection) -> None:
    """Also where a row arrives so late that its neighbours of old are dropped already."""
    kept = {"points": 10 * DAY, "point_rollup_1m": 20 * DAY, "point_rollup_1h": 40 * DAY}
    continuous.refresh_by_themselves(conn, kept)
    for age_days in (0.01, 2, 8, 8.5):
        put_point(timescale_database, age_days * DAY, 1.0)
    settle(timescale_database)
    # What is 8 days old now will be beyond retention's reach, as far as refreshing is concerned.
    kept = {"points": 6 * DAY, "point_rollup_1m": 9 * DAY, "point_rollup_1h": 40 * DAY}
    continuous.refresh_by_themselves(conn, kept)
    conn.execute("select drop_chunks('crucible.points', older_than => interval '6 days')")
    assert conn.execute("select count(*) from crucible.points").fetchone() == (2,)
    settle(timescale_database)
    assert totals(conn) == [4.0] * 3
    put_point(timescale_database, 8 * DAY, 100.0)
    put_point(timescale_database, dt.timedelta(0), 100.0)
    settle(timescale_database)
    assert totals(conn) == [104.0] * 3


def test_minutes_dropped_before_hours_leave_hours_and_days(
    timescale_database: str, conn: Connection
) -> None:
    for age_days in (0.01, 60):
        put_point(timescale_database, age_days * DAY, 1.0)
    settle(timescale_database)
    kept = {"points": 6 * DAY, "point_rollup_1m": 9 * DAY, "point_rollup_1h": 40 * DAY}
    continuous.refresh_by_themselves(conn, kept)
    conn.execute("select drop_chunks('crucible.points', older_than => interval '6 days')")
    conn.execute("select drop_chunks('crucible.point_rollup_1m', older_than => interval '9 days')")
    put_point(timescale_database, 4 * DAY, 1.0)
    settle(timescale_database)
    assert totals(conn) == [2.0, 3.0, 3.0]


def test_refreshes_follow_retention(conn: Connection) -> None:
    before = conn.execute(POLICIES).fetchall()
    assert [view for view, *_ in before] == sorted(VIEW_NAMES)
    assert {start for _, start, *_ in before} == {None}
    continuous.refresh_by_themselves(conn, {"points": 30 * DAY})
    reach = {view: start for view, start, *_ in conn.execute(POLICIES).fetchall()}
    assert reach == dict.fromkeys(VIEW_NAMES) | {"point_rollup_1m": "29 days"}
    jobs = "select job_id from timescaledb_information.jobs order by 1"
    numbers = conn.execute(jobs).fetchall()
    continuous.refresh_by_themselves(conn, {"points": 30 * DAY})
    assert conn.execute(jobs).fetchall() == numbers
    continuous.refresh_by_themselves(conn, {})
    assert conn.execute(POLICIES).fetchall() == before


def test_retention_that_would_take_rows_before_their_roll_up_is_refused(conn: Connection) -> None:
    before = conn.execute(POLICIES).fetchall()
    with pytest.raises(DatabaseError, match="point_rollup_1h is to be dropped after 2 days"):
        continuous.refresh_by_themselves(conn, {"point_rollup_1h": 2 * DAY})
    assert conn.execute(POLICIES).fetchall() == before


def test_rows_from_before_the_roll_ups_are_in_them(timescale_server: TestServer) -> None:
    with timescale_server.database() as dsn:
        drop_rollups(dsn)
        put_point(dsn, 2 * DAY, 1.0)
        assert migrate(dsn, LOG).rollups == "continuous"
        family = POINTS
        for level in family.levels:
            assert rolled_up(dsn, family.view(level)) == expected(dsn, family, level)
        settle(dsn)
        for level in family.levels:
            assert rolled_up(dsn, family.view(level)) == expected(dsn, family, level)


@pytest.fixture
def apache_server(timescale_server: TestServer) -> Iterator[TestServer]:
    """The same TimescaleDB, as its Apache edition; skipped where the server is not ours to start."""
    if timescale_server.bin_dir is None:
        pytest.skip("the TimescaleDB server is not ours to start with another licence")
    licence = {"timescaledb.license": "apache"}
    with databases.timescale_of(timescale_server.bin_dir, **licence) as server:
        yield server


def test_without_the_licence_roll_ups_are_portable_and_the_log_says_so(
    apache_server: TestServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), apache_server.database(migrated=False) as dsn:
        capabilities = migrate(dsn, LOG)
        assert (capabilities.timescaledb is not None, capabilities.rollups) == (True, "portable")
        assert "under the licence 'apache', without continuous aggregates" in caplog.text
        put_point(dsn, 2 * DAY, 1.0)
        put_point(dsn, DAY / 24, 1.0)
        settle(dsn)
        put_point(dsn, 2 * DAY, 1.0)
        settle(dsn)
        for level in POINTS.levels:
            view = POINTS.view(level)
            assert rolled_up(dsn, view) == expected(dsn, POINTS, level)
        with psycopg.connect(dsn) as conn:
            found = conn.execute(
                "select count(*) from timescaledb_information.hypertables"
                " where hypertable_name like '%_rollup_minutes'"
            ).fetchone()
        assert found == (2,)


def test_the_doctor_asks_the_apache_edition_for_no_room_that_it_cannot_make(
    apache_server: TestServer,
) -> None:
    with apache_server.database(migrated=False) as dsn:
        with closing(connect(dsn, MAINTENANCE)) as conn:
            Maintenance(lambda: connect(dsn, MAINTENANCE), migrate(dsn, LOG), LOG).make_room(conn)
        levels = {finding.check: finding.level for finding in examine(dsn)}
        assert (levels["licence"], levels["room"], levels["jobs"]) == ("warning", "ok", "ok")


def test_a_licence_lost_is_told(
    timescale_database: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(continuous, "licence", lambda _conn: "apache")
    with caplog.at_level(logging.WARNING):
        assert migrate(timescale_database, LOG).rollups == "continuous"
    assert "set timescaledb.license to 'timescale'" in caplog.text


def test_a_refresh_finds_the_points_of_a_minute_without_reading_the_day(
    timescale_database: str, conn: Connection
) -> None:
    conn.execute(
        "insert into crucible.points (series_id, time, value)"
        " select n % 50, timestamptz '2026-11-20 00:00Z' + n * interval '100 ms', n"
        " from generate_series(1, 100000) n"
    )
    Maintenance(
        lambda: connect(timescale_database, MAINTENANCE), migrate(timescale_database, LOG), LOG
    ).summarise(conn)
    conn.execute("analyze crucible.points")
    rows = conn.execute(
        "explain (analyze, format json) select series_id, sum(value) from crucible.points"
        " where time >= '2026-11-20 01:00Z' and time < '2026-11-20 01:01Z' group by 1"
    ).fetchone()
    assert rows is not None
    assert "points_time" in str(rows[0])
    assert rechecked(rows[0][0]["Plan"]) < 20_000


def rechecked(plan: dict[str, Any]) -> int:
    """Rows that were read in vain."""
    inner = sum(map(rechecked, plan.get("Plans", [])))
    return int(plan.get("Rows Removed by Index Recheck", 0)) + inner
