"""TimescaleDB's own policies follow the choice, and refreshes stay clear of what is gone."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from crucible_collector.store.connect import MAINTENANCE, connect
from crucible_collector.store.migrate import migrate
from crucible_collector.store.retention import Retention, policies
from crucible_collector.store.roles import OWNER
from databases import TestServer
from kept import LOG, ages, choose, count, keep, put_old
from rolled import settle
from rows_of import execute

DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)
POLICIES = """
select hypertable_name, config ->> 'drop_after', schedule_interval, owner::text
from timescaledb_information.jobs
where proc_name = 'policy_retention' and hypertable_schema = 'crucible' order by 1
"""
REACH = """
select hypertable_name, config ->> 'start_offset' from timescaledb_information.jobs
where proc_name = 'policy_refresh_continuous_aggregate' and config ->> 'start_offset' is not null
"""
NUMBERS = "select job_id from timescaledb_information.jobs order by 1"


@pytest.fixture
def dsn(timescale_server: TestServer) -> Iterator[str]:
    with timescale_server.database() as made:
        yield made


def asked(dsn: str, question: str) -> list[Any]:
    with psycopg.connect(dsn) as conn:
        return conn.execute(question.encode()).fetchall()


def test_each_relation_has_its_policy_which_the_owner_runs_hourly(dsn: str) -> None:
    choose(dsn, "logs=36h,spans=30d,span_rollup_1m=90d")
    keep(dsn)
    assert asked(dsn, POLICIES) == [
        ("logs", "1 day 12:00:00", HOUR, OWNER),
        ("span_rollup_1m", "90 days", HOUR, OWNER),
        ("spans", "30 days", HOUR, OWNER),
    ]
    assert dict(asked(dsn, REACH)) == {
        "span_rollup_1m": "29 days",
        "span_latency_1h": "29 days",
        "span_rollup_1h": "89 days",
    }
    choose(dsn, "forever")
    keep(dsn)
    assert asked(dsn, POLICIES) == []


def test_what_is_as_chosen_is_left_alone(dsn: str) -> None:
    choose(dsn, "logs=36h,spans=30d")
    keep(dsn)
    before = asked(dsn, NUMBERS)
    keep(dsn)
    assert asked(dsn, NUMBERS) == before
    choose(dsn, "logs=36h,spans=20d")
    keep(dsn)
    assert len(set(asked(dsn, NUMBERS)) - set(before)) == 3, "spans, and the two made of them"


def test_an_extension_in_a_schema_of_its_own_is_found_there(timescale_server: TestServer) -> None:
    """Whatever the schema's name."""
    with timescale_server.database(migrated=False) as dsn:
        execute(
            dsn,
            'create schema "Time series"; grant usage on schema "Time series" to public;'
            'create extension timescaledb schema "Time series"',
        )
        choose(dsn, "spans=30d")
        capabilities = migrate(dsn, LOG)
        with closing(connect(dsn, MAINTENANCE)) as conn:
            Retention(capabilities, LOG).keep(conn)
        assert asked(dsn, POLICIES) == [("spans", "30 days", HOUR, OWNER)]


def test_policies_of_ones_own_stay_and_refreshes_are_clear_of_them(dsn: str) -> None:
    put_old(dsn, 0.1, 60)
    settle(dsn)
    execute(dsn, "select add_retention_policy('crucible.points', interval '20 days')")
    keep(dsn)
    assert ages(dsn) == [0.1]
    assert dict(asked(dsn, REACH)) == {"point_rollup_1m": "19 days"}
    settle(dsn)
    assert count(dsn, "point_rollup_1m") == 2
    choose(dsn, "spans=30d")
    keep(dsn)
    assert [name for name, *_ in asked(dsn, POLICIES)] == ["spans"], (
        "the setting is the whole of it"
    )
    settle(dsn)
    assert count(dsn, "point_rollup_1m") == 2


def test_one_of_ones_own_that_is_too_short_is_told_and_nothing_is_changed(
    dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    execute(dsn, "select add_retention_policy('crucible.points', interval '1 hour')")
    with closing(connect(dsn, MAINTENANCE)) as conn:
        Retention(migrate(dsn, LOG), LOG).keep(conn)
    (says,) = caplog.messages
    assert says.startswith("nothing is dropped: points is to be dropped after 1:00:00")
    assert [name for name, *_ in asked(dsn, POLICIES)] == ["points"]


def test_refreshes_reach_no_further_than_rows_are_whole_and_further_day_by_day() -> None:
    month = {"spans": 30 * DAY}
    assert policies.reach(month, {}) == month
    assert policies.reach(month, {"spans": 7 * DAY + 5 * HOUR}) == {"spans": 7 * DAY}
    assert policies.reach(month, {"spans": 8 * DAY}) == {"spans": 8 * DAY}
    assert policies.reach(month, {"spans": 31 * DAY}) == month
    assert policies.reach({}, {"spans": 400 * DAY}) == {"spans": 400 * DAY}
    assert policies.reach({}, {"spans": 27 * HOUR}) == {"spans": 27 * HOUR}, "not a day: refused"


def test_collectors_that_start_together_make_each_policy_once(dsn: str) -> None:
    choose(dsn, "spans=30d,points=30d")
    capabilities = migrate(dsn, LOG)
    failures: list[BaseException] = []
    together = threading.Barrier(3)

    def start() -> None:
        try:
            with closing(connect(dsn, MAINTENANCE)) as conn:
                together.wait()
                Retention(capabilities, LOG).keep(conn)
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [name for name, *_ in asked(dsn, POLICIES)] == ["points", "spans"]


def test_rows_are_not_dropped_where_they_cannot_be_rolled_up(dsn: str) -> None:
    """An aggregate that fails keeps its rows: the policy is made after everything is refreshed."""
    put_old(dsn, 0.1, 60)
    settle(dsn)
    put_old(dsn, 50)
    execute(
        dsn,
        "create or replace function crucible.duration_bucket(duration_ns bigint) returns int"
        " language plpgsql immutable as $$ begin raise 'broken'; end $$",
    )
    choose(dsn, "spans=7d")
    with pytest.raises(psycopg.Error):
        keep(dsn)
    assert asked(dsn, POLICIES) == []
    assert len(ages(dsn, "spans")) == 3
