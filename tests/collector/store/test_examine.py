"""The doctor's questions to the database: a well one passes, and each fault is found and told."""

from __future__ import annotations

import datetime as dt
import logging
import time
from contextlib import closing

import psycopg
import pytest
from psycopg import conninfo

import databases
from crucible_collector.findings import Finding
from crucible_collector.store import examine_storage
from crucible_collector.store.connect import MAINTENANCE, connect
from crucible_collector.store.examine import examine
from crucible_collector.store.migrate import migrate
from crucible_collector.store.partitions import RELATIONS, Partitions
from crucible_collector.store.roles import READER
from databases import TestServer

LOG = logging.getLogger("test")
JOURNAL = "a" * 32
# No workers run in tests, which is a fault where there are jobs; see tests/databases.py.
OF_TESTS = "max_background_workers is 0"


@pytest.fixture
def well(database: str) -> str:
    """A store as a running collector keeps it."""
    with closing(connect(database, MAINTENANCE)) as conn:
        Partitions(migrate(database, LOG), LOG).ensure_ahead(conn, dt.datetime.now(dt.UTC))
        conn.execute(
            "insert into crucible.positions (journal_id, position, stored_until, heard_since,"
            " description) values (%s, 1, now(), now(), 'host:data')",
            (JOURNAL,),
        )
    return database


def found(dsn: str, skew_s: float = 0.0) -> list[Finding]:
    all_found = list(examine(dsn, lambda: time.time() - skew_s))
    return [finding for finding in all_found if OF_TESTS not in finding.says]


def faults(dsn: str) -> list[tuple[str, str]]:
    return [(one.check, one.level) for one in found(dsn) if one.level != "ok"]


def only(dsn: str, check: str) -> Finding:
    (finding,) = (one for one in found(dsn) if one.check == check)
    return finding


def execute(dsn: str, *statements: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        for statement in statements:
            conn.execute(statement.encode())


def test_a_store_that_is_well_passes_every_check(well: str, any_server: TestServer) -> None:
    checks = {one.check: one.level for one in found(well)}
    assert set(checks.values()) == {"ok"}, found(well)
    expected = {"connection", "clock", "server", "timescaledb", "schema", "roles", "room", "lag"}
    assert expected <= set(checks)
    assert ("licence" in checks) == (any_server.kind == "timescale")


def test_nothing_is_written(well: str) -> None:
    """The whole examination happens in a session that may only read."""
    reading = conninfo.make_conninfo(well, options="-c default_transaction_read_only=on")
    assert faults(reading) == []


def test_a_database_that_is_away_is_told_without_its_password() -> None:
    (finding,) = found("postgresql://me:secret@127.0.0.1:1/none")
    assert (finding.check, finding.level) == ("connection", "wrong")
    assert "Connection refused" in finding.says
    assert "secret" not in f"{finding.says}{finding.remedy}"


def test_what_is_no_database_url_is_told_too() -> None:
    (finding,) = found("postgresql://me:secret@host:1:2/none")
    assert (finding.check, finding.level) == ("connection", "wrong")
    assert "secret" not in finding.says


def test_an_empty_database_is_to_be_migrated(empty_database: str) -> None:
    schema = only(empty_database, "schema")
    assert (schema.level, schema.remedy) == (
        "wrong",
        "run crucible-collector migrate, or start a collector",
    )


def test_a_newer_database_asks_for_a_newer_collector(well: str) -> None:
    execute(well, "insert into crucible.migrations values ('9999_later.sql', 'x')")
    schema = only(well, "schema")
    assert (schema.level, schema.remedy) == ("wrong", "upgrade this collector")


@pytest.mark.parametrize(("skew_s", "level"), [(0.2, "ok"), (-5, "warning"), (600, "wrong")])
def test_clocks_that_differ_are_found(well: str, skew_s: float, level: str) -> None:
    (clock,) = (one for one in found(well, skew_s) if one.check == "clock")
    assert clock.level == level
    assert clock.facts["skew_s"] == pytest.approx(skew_s, abs=0.1)


def test_rights_that_are_missing_are_named(well: str) -> None:
    execute(well, f"revoke select on crucible.spans from {READER}")
    roles = only(well, "roles")
    assert (roles.level, roles.says) == ("warning", "not granted: SELECT on spans")


def test_a_day_without_room_is_named(
    plain_server: TestServer, timescale_server: TestServer
) -> None:
    """Migrated, and no collector has run since."""
    today = dt.datetime.now(dt.UTC).date()
    for server in (plain_server, timescale_server):
        with server.database() as dsn:
            room = only(dsn, "room")
            assert room.level == "warning"
            assert f"spans of {today}" in room.says


def test_rows_in_a_default_partition_are_counted(plain_server: TestServer) -> None:
    with plain_server.database() as dsn:
        execute(
            dsn,
            "insert into crucible.points (series_id, time) values (1, now()), (1, now())",
        )
        told = [one.says for one in found(dsn) if one.check == "room"]
    assert "2 rows of points lie in its default partition" in told


def test_a_collector_that_has_fallen_silent_or_behind_is_told_apart_from_one_that_ended(
    well: str,
) -> None:
    execute(
        well,
        "insert into crucible.positions (journal_id, position, updated_at, stored_until, heard_since,"
        " description) values"
        " (gen_random_uuid(), 1, now() - interval '10 minutes', now(), now(), 'silent'),"
        " (gen_random_uuid(), 1, now(), now() - interval '5 minutes', now(), 'slow'),"
        " (gen_random_uuid(), 1, now() - interval '9 days', now() - interval '9 days', null, 'ended')",
    )
    told = {one.says.split()[0]: (one.level, one.says) for one in found(well) if one.check == "lag"}
    assert told["host:data"][0] == "ok"
    assert told["ended"] == ("ok", "ended ended with nothing left to write")
    assert told["silent"][0] == "warning"
    assert "last heard of 600 s ago" in told["silent"][1]
    assert told["slow"] == ("warning", "slow is 300 s behind what it has received")


def test_a_store_that_could_be_on_timescaledb_is_told(timescale_server: TestServer) -> None:
    with timescale_server.database(migrated=False) as dsn:
        migrate(dsn, LOG, timescaledb="off")
        timescale = only(dsn, "timescaledb")
    assert timescale.level == "warning"
    assert "crucible-collector migrate" in timescale.remedy


def test_a_job_that_failed_is_told_with_its_error(timescale_server: TestServer) -> None:
    with timescale_server.database() as dsn:
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute("select add_retention_policy('crucible.logs', interval '90 days')")
            row = conn.execute(
                "select job_id from timescaledb_information.jobs where hypertable_name = 'logs'"
            ).fetchone()
            assert row is not None
            conn.execute(
                "insert into _timescaledb_internal.bgw_job_stat (job_id, last_start, last_finish,"
                " next_start, last_successful_finish, last_run_success, total_runs, total_duration,"
                " total_duration_failures, total_successes, total_failures, total_crashes,"
                " consecutive_failures, consecutive_crashes) values (%s, now(), now(), now(), '-infinity',"
                " false, 1, '1s', '1s', 0, 1, 0, 1, 0)",
                (row[0],),
            )
        failed = [one for one in found(dsn) if one.check == "jobs" and one.level == "wrong"]
    assert [one.facts["job_id"] for one in failed] == [row[0]]
    assert failed[0].remedy == f"once the reason is gone: call run_job({row[0]})"


def test_too_few_processes_for_the_jobs_are_told(timescale_server: TestServer) -> None:
    if timescale_server.bin_dir is None:
        pytest.skip("the TimescaleDB server is not ours to start with other settings")
    stock = {"timescaledb.max_background_workers": "16", "max_worker_processes": "8"}
    with (
        databases.timescale_of(timescale_server.bin_dir, **stock) as server,
        server.database() as dsn,
    ):
        every = found(dsn)
    told = [one for one in every if "max_worker_processes" in one.says]
    assert [one.level for one in told] == ["warning"], "\n".join(map(str, every))
    assert told[0].remedy == "set max_worker_processes to 27 or more, and restart the server"


def test_jobs_that_no_worker_runs_are_told(timescale_server: TestServer) -> None:
    with timescale_server.database() as dsn:
        execute(dsn, "select add_retention_policy('crucible.logs', interval '90 days')")
        told = [one for one in examine(dsn) if one.check == "jobs" and one.level == "wrong"]
    assert [OF_TESTS in one.says for one in told] == [True]


def test_the_largest_part_of_each_relation_is_told(well: str) -> None:
    sizes = only(well, "sizes")
    assert sizes.level == "ok"
    largest = sizes.facts["largest"]
    assert isinstance(largest, list)
    assert {each["relation"] for each in largest} == {f"crucible.{name}" for name in RELATIONS}
    assert len(largest) == len(RELATIONS)


def test_indexes_larger_than_memory_are_told(
    well: str, any_server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examine_storage, "MEMORY", "select 1::bigint, 1::bigint")
    sizes = only(well, "sizes")
    assert sizes.level == "warning"
    assert sizes.remedy.startswith("raise shared_buffers")
    assert ("set_chunk_time_interval" in sizes.remedy) == (any_server.kind == "timescale")


def test_a_user_with_little_right_is_told_what_it_could_not_see(plain_database: str) -> None:
    """And gets the rest: one check that fails costs only itself."""
    nobody = conninfo.make_conninfo(plain_database, options="-c role=pg_monitor")
    checks = {one.check: one.level for one in found(nobody)}
    assert checks["schema"] == "skipped"
    assert checks["server"] == "ok"
