"""A database of each released version comes up to this one's schema, with every row it holds.

What a release left behind is its migrations, which are frozen, and its functions and views, which
`released/` keeps under the name of its last migration. A release adds a file there: what it let people
stand on may then only be replaced in ways that PostgreSQL allows, or by a migration.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from collector.store.listings import LISTING, LISTING_PORTABLE, applied, listing
from crucible_collector.store import migrate as migrate_module
from crucible_collector.store.migrate import migrate, migrations
from databases import TestServer
from rolled import VIEWS, expected, rolled_up, settle
from stored import SCOPE, Stored, at

LOG = logging.getLogger("test")
FOLDER = Path(__file__).with_name("released")
RELEASED = sorted(path.stem for path in FOLDER.iterdir())
TABLES = """
select relname from pg_class
where relnamespace = 'crucible'::regnamespace and relkind in ('r', 'p') and not relispartition
  and relname <> 'migrations' order by 1
"""
COMMENTS = """
select pg_class.oid::regclass::text, attname, col_description(attrelid, attnum),
    obj_description(pg_class.oid, 'pg_class')
from pg_class join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped
where relnamespace = 'crucible'::regnamespace and relkind in ('r', 'p', 'v') and not relispartition
order by 1, 2
"""


def released(dsn: str, release: str, *, has_timescaledb: bool) -> None:
    """Make the schema as that release made it, with rows in all of its tables."""
    clause = "" if has_timescaledb else "partition by range (time)"
    with psycopg.connect(dsn, autocommit=True) as conn:
        if has_timescaledb:
            conn.execute("create extension if not exists timescaledb")
        conn.execute(migrate_module._folder("bootstrap.sql").read_bytes())
        for each in migrations():
            if each.name <= f"{release}.sql":
                conn.execute(each.text.replace(migrate_module.MARK, clause).encode())
                record(conn, each.name, each.sha256)
        conn.execute((FOLDER / f"{release}.sql").read_bytes())
        record(conn, migrate_module.OBJECTS_NAME, "of that release")
        fill(conn)


def record(conn: psycopg.Connection[Any], name: str, sha256: str) -> None:
    conn.execute("insert into crucible.migrations (name, sha256) values (%s, %s)", (name, sha256))


def fill(conn: psycopg.Connection[Any]) -> None:
    rows = Stored(conn)
    rows.resource()
    rows.insert(
        "scopes", {"scope_id": SCOPE, "name": "crucible", "version": "1", "first_seen": at(0)}
    )
    rows.experiment(name="Sweep")
    rows.run(experiment_id="sweep", status="completed", started_at=at(0), ended_at=at(90))
    rows.series(1, run_id="run-1", event_name="crucible_train.batch.stop")
    rows.points(1, [0.9, float("nan"), None, 0.5])
    rows.histogram(1)
    for second in (0.0, 70.0, -2 * 86_400.0):
        rows.span(time=at(second), run_id="run-1", duration_ns=5, model="m", cost_usd=0.5)
    rows.log()
    rows.insert("positions", {"journal_id": "a" * 32, "position": 7})
    rows.insert("requests", {"digest": "a" * 32, "received_at": at(0)})
    rows.insert(
        "ledger", {"journal_id": "a" * 32, "signal": "spans", "outcome": "stored", "count": 3}
    )


def contents(dsn: str, tables: list[str]) -> dict[str, list[dict[str, Any]]]:
    with psycopg.connect(dsn) as conn:
        return {
            table: [
                row[0]
                for row in conn.execute(
                    sql.SQL("select to_jsonb(r) from {} r order by to_jsonb(r)::text").format(
                        sql.Identifier("crucible", table)
                    )
                )
            ]
            for table in tables
        }


def asked(dsn: str, question: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as conn:
        return conn.execute(question.encode()).fetchall()


def assert_kept(dsn: str, before: dict[str, list[dict[str, Any]]]) -> None:
    """Every row is there with every value that it had; columns may have come to it."""
    after = contents(dsn, list(before))
    for table, rows in before.items():
        columns = {name for row in rows for name in row}
        kept = [{name: row[name] for name in columns} for row in after[table]]
        assert sorted(map(str, map(sorted_items, kept))) == sorted(
            map(str, map(sorted_items, rows))
        )


def sorted_items(row: dict[str, Any]) -> list[tuple[str, Any]]:
    return sorted(row.items())


@pytest.fixture(params=RELEASED)
def release(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_a_released_schema_comes_up_to_this_one_with_all_its_rows(
    any_server: TestServer, release: str, caplog: pytest.LogCaptureFixture
) -> None:
    has_timescaledb = any_server.kind == "timescale"
    with any_server.database(migrated=False) as dsn, any_server.database() as fresh:
        released(dsn, release, has_timescaledb=has_timescaledb)
        tables = [name for (name,) in asked(dsn, TABLES)]
        before = contents(dsn, tables)
        assert all(before.values()), "a table of the release has no row"
        capabilities = migrate(dsn, LOG)
        assert (capabilities.timescaledb is not None) == has_timescaledb
        assert applied(dsn) == applied(fresh)
        assert listing(dsn) == LISTING.read_text()
        portable = "" if has_timescaledb else LISTING_PORTABLE.read_text()
        assert listing(dsn, portable=True) == portable
        assert asked(dsn, COMMENTS) == asked(fresh, COMMENTS)
        assert_kept(dsn, before)
        assert_second_start_is_silent(dsn, caplog)


def assert_second_start_is_silent(dsn: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        caplog.clear()
        migrate(dsn, LOG)
        assert caplog.records == []


def test_rows_of_a_release_are_in_the_roll_ups(any_server: TestServer, release: str) -> None:
    with any_server.database(migrated=False) as dsn:
        released(dsn, release, has_timescaledb=any_server.kind == "timescale")
        migrate(dsn, LOG)
        settle(dsn)
        for family, level in VIEWS:
            assert rolled_up(dsn, family.view(level)) == expected(dsn, family, level)
        assert asked(dsn, "select sum(row_count) from crucible.span_rollup_1d") == [(3,)]


def test_a_released_plain_store_moves_to_timescaledb_in_one_migration(
    timescale_server: TestServer, release: str
) -> None:
    with timescale_server.database(migrated=False) as dsn:
        released(dsn, release, has_timescaledb=False)
        before = contents(dsn, [name for (name,) in asked(dsn, TABLES)])
        assert migrate(dsn, LOG, moves=True).timescaledb is not None
        assert listing(dsn) == LISTING.read_text()
        assert_kept(dsn, before)


def test_collectors_that_start_together_bring_it_up_once(
    any_server: TestServer, release: str
) -> None:
    with any_server.database(migrated=False) as dsn, ThreadPoolExecutor(3) as pool:
        released(dsn, release, has_timescaledb=any_server.kind == "timescale")
        starts = [pool.submit(migrate, dsn, LOG) for _ in range(3)]
        assert len({start.result() for start in starts}) == 1
        assert listing(dsn) == LISTING.read_text()
