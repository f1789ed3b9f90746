"""`crucible-collector migrate` as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest

from crucible_collector.cli import EXIT_FAILED, EXIT_SETTINGS
from crucible_collector.store import migrate as migrate_module
from crucible_collector.store.migrate import migrations
from databases import TestServer
from harness import collector
from kept import ages, put_old, run_policies

TIMEOUT_S = 120


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "crucible_collector", *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ},
    )


def applied(dsn: str) -> list[str]:
    with psycopg.connect(dsn) as conn:
        rows = conn.execute("select name from crucible.migrations order by name").fetchall()
    return [name for (name,) in rows]


def everything() -> list[str]:
    """What is remembered as applied where nothing is missing."""
    return [*(each.name for each in migrations()), "objects", "objects_on_rollups"]


def test_an_empty_database_is_brought_up_to_date_and_a_second_time_changes_nothing(
    empty_database: str, any_server: TestServer
) -> None:
    first = run("migrate", "--database-url", empty_database)
    assert (first.returncode, first.stdout[:12]) == (0, "up to date: "), first.stderr
    assert ("TimescaleDB" in first.stdout) == (any_server.kind == "timescale")
    assert applied(empty_database) == everything()
    second = run("migrate", "--database-url", empty_database)
    assert (second.returncode, second.stdout) == (0, first.stdout)
    assert "migrated the database" not in second.stderr


def test_rooms_are_made_ahead(plain_server: TestServer) -> None:
    with plain_server.database(migrated=False) as dsn:
        assert run("migrate", "--database-url", dsn).returncode == 0
        with psycopg.connect(dsn) as conn:
            row = conn.execute(
                "select count(*) from pg_inherits where inhparent = 'crucible.spans'::regclass"
            ).fetchone()
    assert row == (3,)  # today, tomorrow and the default


@pytest.mark.parametrize("command", ["migrate", "serve"])
def test_a_database_that_is_newer_is_refused_in_one_line_with_exit_code_2(
    plain_database: str, command: str, tmp_path: Path
) -> None:
    with psycopg.connect(plain_database, autocommit=True) as conn:
        conn.execute("insert into crucible.migrations values ('9999_later.sql', 'x')")
    places = ["--data-dir", str(tmp_path / "data"), "--database-url", plain_database]
    ports = [f"--{name}=127.0.0.1:0" for name in ("grpc", "http", "api")]
    answer = run(command, *places, *ports, "--log-level", "error")
    assert (answer.returncode, answer.stdout) == (EXIT_SETTINGS, "")
    (line,) = answer.stderr.splitlines()
    assert line == (
        "crucible-collector: the database has migration 9999_later.sql, which this version does not"
        " know: it was made by a newer collector; use that one"
    )


def test_one_that_is_away_is_told_in_one_line_with_exit_code_1() -> None:
    answer = run("migrate", "--database-url", "postgresql://me:secret@127.0.0.1:1/none")
    assert answer.returncode == EXIT_FAILED
    assert answer.stderr.startswith("crucible-collector: the database does not answer: ")
    assert "secret" not in answer.stderr


def test_it_waits_for_another_that_is_at_it(plain_server: TestServer) -> None:
    """And then finds nothing left to do, or does it."""
    with plain_server.database(migrated=False) as dsn, psycopg.connect(dsn) as other:
        other.execute("select pg_advisory_xact_lock(%s)", (migrate_module.LOCK_KEY,))
        answers: list[subprocess.CompletedProcess[str]] = []
        waiting = [
            threading.Thread(target=lambda: answers.append(run("migrate", "--database-url", dsn)))
            for _ in range(2)
        ]
        for thread in waiting:
            thread.start()
        with psycopg.connect(dsn, autocommit=True) as watch:
            while watch.execute(
                "select count(*) from pg_locks where locktype = 'advisory' and not granted"
            ).fetchone() != (2,):
                assert not answers
        other.commit()
        for thread in waiting:
            thread.join()
        assert [answer.returncode for answer in answers] == [0, 0]
        assert applied(dsn) == everything()


def test_what_is_no_longer_kept_goes_without_a_collector_and_the_choice_stays(
    database: str,
) -> None:
    put_old(database, 0.1, 60)
    first = run("migrate", "--database-url", database, "--retention", "points=7d,spans=7d")
    assert first.returncode == 0, first.stderr
    assert "retention: spans 7d, points 7d; all else for ever" in first.stderr
    with psycopg.connect(database, autocommit=True) as conn:
        run_policies(conn)
    assert ages(database) == ages(database, "spans") == [0.1]
    second = run("migrate", "--database-url", database)
    assert (second.returncode, "retention" in second.stderr) == (0, False)
    with psycopg.connect(database) as conn:
        kept = "select count(*) from crucible.retention where kept = interval '7 days'"
        assert conn.execute(kept).fetchone() == (2,)


def test_the_collectors_own_database_is_migrated_while_no_collector_runs(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    answer = run("migrate", "--data-dir", str(data_dir))
    assert answer.returncode == 0, answer.stderr
    with collector(data_dir) as running:
        refused = run("migrate", "--data-dir", str(data_dir))
        assert refused.returncode == EXIT_FAILED
        assert "in use by another collector" in refused.stderr.splitlines()[-1]
        assert running.get("/readyz")


def test_a_plain_store_moves_where_timescaledb_has_come(timescale_server: TestServer) -> None:
    with timescale_server.database(migrated=False) as dsn:
        plain = run("migrate", "--database-url", dsn, "--timescaledb", "off")
        assert "TimescaleDB" not in plain.stdout
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute(
                "insert into crucible.points (series_id, time, value) values (1, now(), 7)"
            )
        moved = run("migrate", "--database-url", dsn)
        assert (moved.returncode, "with TimescaleDB" in moved.stdout) == (0, True), moved.stderr
        with psycopg.connect(dsn) as conn:
            assert conn.execute("select value from crucible.points").fetchall() == [(7.0,)]
