"""The doctor on retention: what is kept, what a day takes, and what should be gone and is not."""

from __future__ import annotations

import datetime as dt
from typing import Any

import psycopg
import pytest

from crucible_collector.findings import Finding
from crucible_collector.store.examine import examine
from databases import TestServer
from kept import choose, keep, put_old
from rolled import settle
from rows_of import execute

DAY = dt.timedelta(days=1)


def told(dsn: str, past: dt.timedelta | None = None) -> list[Finding]:
    return [one for one in examine(dsn, past=past) if one.check == "retention"]


# Run by hand, a job leaves no word about itself; this is what the scheduler would have written.
RAN = """
insert into _timescaledb_internal.bgw_job_stat (job_id, last_start, last_finish, next_start,
    last_successful_finish, last_run_success, total_runs, total_duration, total_duration_failures,
    total_successes, total_failures, total_crashes, consecutive_failures, consecutive_crashes)
select job_id, now(), now(), now(), now(), true, 1, '1s', '0s', 1, 0, 0, 0, 0
from timescaledb_information.jobs where proc_name = 'policy_retention' and hypertable_schema = 'crucible'
"""


def relations(finding: Finding) -> dict[str, Any]:
    found = finding.facts["relations"]
    assert isinstance(found, list)
    return {each["relation"]: each for each in found}


def test_a_store_that_keeps_everything_says_so(database: str) -> None:
    (finding,) = told(database, 30 * DAY)
    assert (finding.level, finding.says) == ("ok", "everything is kept for ever")


def test_it_says_how_long_since_when_and_what_a_day_takes(
    database: str, any_server: TestServer
) -> None:
    put_old(database, 0.1, 1.5, 3, 60)
    settle(database)
    choose(database, "spans=7d,points=30d")
    keep(database)
    if any_server.kind == "timescale":
        execute(database, RAN)
    (finding,) = told(database)
    assert finding.level == "ok"
    assert finding.says.startswith("spans 7d, points 30d; all else for ever, last dropped 20")
    assert "; a day takes " in finding.says
    spans, latency = (relations(finding)[name] for name in ("spans", "span_latency_1d"))
    assert spans["kept_s"] == 7 * 86_400
    assert spans["bytes_a_day"] > 0
    assert spans["last_dropped_at"] is not None
    oldest = dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(spans["oldest"])
    assert 2.9 * DAY < oldest < 4.1 * DAY
    assert latency["kept_s"] is None
    assert dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(latency["oldest"]) > 59 * DAY


@pytest.mark.parametrize("relation", ["logs", "point_rollup_1d"])
def test_rows_that_should_be_gone_are_told(plain_database: str, relation: str) -> None:
    """Nobody with the right to has dropped them."""
    below = "points=7d,point_rollup_1m=7d,point_rollup_1h=7d"
    put_old(plain_database, 0.1)
    execute(
        plain_database,
        "create table crucible.logs_old partition of crucible.logs"
        " for values from ('2020-01-01 00:00:00+00') to ('2020-01-02 00:00:00+00')",
    )
    execute(
        plain_database,
        "insert into crucible.logs (time, resource_id, scope_id) values ('2020-01-01 10:00Z', 1, 1);"
        " insert into crucible.point_rollup_days (series_id, time, count)"
        " values (1, '2020-01-01', 1)",
    )
    choose(plain_database, "logs=7d" if relation == "logs" else f"{below},{relation}=7d")
    (finding,) = told(plain_database)
    assert finding.level == "warning"
    assert finding.says == f"{relation} has rows of 2020-01-01 and is kept 7d"
    keep(plain_database)
    assert [one.level for one in told(plain_database)] == ["ok"]


def test_a_choice_that_is_not_in_force_yet_is_told(timescale_server: TestServer) -> None:
    with timescale_server.database() as dsn:
        choose(dsn, "logs=30d")
        (finding,) = told(dsn)
        assert finding.says == "logs is to be kept 30d, its policy says forever"
        keep(dsn)
        assert [one.level for one in told(dsn)] == ["ok"]


def test_records_that_are_taken_and_soon_dropped_are_told(database: str) -> None:
    choose(database, "spans=7d,logs=60d")
    keep(database)
    assert [one.level for one in told(database, 6 * DAY)] == ["ok"]
    (finding,) = told(database, 30 * DAY)
    assert finding.level == "warning"
    assert finding.says.startswith(
        "records up to 30 days old are taken but dropped are spans after 7d:"
    )


def test_what_cannot_be_in_the_table_is_told(database: str) -> None:
    execute(database, "insert into crucible.retention (relation, kept) values ('spans', '25 h')")
    (finding,) = told(database)
    assert finding.level == "wrong"
    assert finding.says == "crucible.retention has spans = 25h: at least 27h, until span_latency_1h is made of it"  # fmt: skip


def test_a_database_of_an_earlier_version_is_not_asked(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("drop table crucible.retention")
    assert told(database) == []
