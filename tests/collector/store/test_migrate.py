"""Migrations: once each, in order, the same on every start, never edited once released."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import conninfo

from collector.store.listings import LISTING, LISTING_PORTABLE, applied, listing
from crucible_collector.errors import DatabaseError
from crucible_collector.store import migrate as migrate_module
from crucible_collector.store import servers
from crucible_collector.store.migrate import (
    Migration,
    frozen,
    migrate,
    migrations,
    not_applied,
)
from databases import TestServer
from rolled import drop_rollups

LOG = logging.getLogger("test")
SILENT_COLUMNS = """
select format('%I.%I', relname, attname)
from pg_class
join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped
where relnamespace = 'crucible'::regnamespace and relkind in ('r', 'p', 'v', 'm') and not relispartition
  and col_description(pg_class.oid, attnum) is null
order by 1
"""

WAITING = """
select count(*) from pg_locks
where locktype = 'advisory' and not granted
  and database = (select oid from pg_database where datname = current_database())
"""


def test_schema_is_the_sum_of_its_migrations_on_both_kinds_of_server(database: str) -> None:
    """schema.txt is what a reader (and the next migration) may rely on: keep it in step."""
    assert listing(database) == LISTING.read_text()


def test_tables_of_roll_ups_are_there_only_where_nobody_else_keeps_them(
    plain_database: str, timescale_server: TestServer
) -> None:
    assert listing(plain_database, portable=True) == LISTING_PORTABLE.read_text()
    with timescale_server.database() as dsn:
        assert not listing(dsn, portable=True)


def test_every_relation_and_column_has_a_comment(database: str) -> None:
    with psycopg.connect(database) as conn:
        silent = conn.execute(
            "select relname from pg_class where relnamespace = 'crucible'::regnamespace"
            " and relkind in ('r', 'p', 'v') and not relispartition"
            " and obj_description(oid, 'pg_class') is null"
        ).fetchall()
        silent_columns = conn.execute(SILENT_COLUMNS).fetchall()
    assert silent == []
    assert silent_columns == []


def test_migrations_are_frozen() -> None:
    """Once released, write a new migration; before that, put the new hash into frozen.txt."""
    assert {each.name: each.sha256 for each in migrations()} == frozen()


def test_migrations_are_numbered_without_gaps() -> None:
    numbers = [int(each.name.split("_")[0]) for each in migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_second_start_changes_nothing(database: str, caplog: pytest.LogCaptureFixture) -> None:
    before = applied(database)
    with caplog.at_level(logging.INFO):
        migrate(database, LOG)
    assert applied(database) == before
    assert caplog.records == []


def test_collectors_that_start_together_migrate_once(empty_database: str) -> None:
    failures: list[BaseException] = []

    def start() -> None:
        try:
            migrate(empty_database, LOG)
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert_complete(empty_database)


def assert_complete(dsn: str) -> None:
    """Every migration is applied, and everything that is replaced when it changes is there."""
    names = [name for name, _ in applied(dsn) if name.endswith(".sql")]
    assert names == [each.name for each in migrations()]
    with psycopg.connect(dsn) as conn:
        assert not_applied(conn) == []


def test_capabilities_tell_the_kind_of_server(any_server: TestServer) -> None:
    with any_server.database(migrated=False) as dsn:
        capabilities = migrate(dsn, LOG)
    assert (capabilities.timescaledb is not None) == (any_server.kind == "timescale")
    assert int(capabilities.server_version.split(".")[0]) >= 15


def test_an_edited_migration_is_refused(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("update crucible.migrations set sha256 = 'other' where name like '0002%'")
    with pytest.raises(DatabaseError, match=r"0002_identity\.sql was applied with other contents"):
        migrate(database, LOG)


def test_a_newer_collectors_database_is_refused(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("insert into crucible.migrations values ('9999_later.sql', 'x')")
    with pytest.raises(DatabaseError, match=r"9999_later\.sql, which this version does not know"):
        migrate(database, LOG)


def test_a_migration_that_fails_leaves_those_before_it_and_nothing_of_its_own(
    any_server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Migration("9999_broken.sql", "create table crucible.half (a int); select 1 / 0;")
    known = migrations()
    monkeypatch.setattr(migrate_module, "migrations", lambda: (*known, broken))
    with any_server.database(migrated=False) as dsn:
        with pytest.raises(psycopg.errors.DivisionByZero):
            migrate(dsn, LOG)
        assert [name for name, _ in applied(dsn)] == [each.name for each in known]
        with psycopg.connect(dsn) as conn:
            assert conn.execute("select to_regclass('crucible.half')").fetchone() == (None,)


def test_functions_come_back_when_their_text_changed(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("update crucible.migrations set sha256 = 'old' where name = 'objects'")
        conn.execute("comment on table crucible.spans is null")
        migrate(database, LOG)
        comment = conn.execute(
            "select obj_description('crucible.spans'::regclass, 'pg_class')"
        ).fetchone()
    assert comment != (None,)


def views_on_rollups(dsn: str) -> list[tuple[str, str]]:
    with psycopg.connect(dsn) as conn:
        return conn.execute(
            "select relname, coalesce(obj_description(oid, 'pg_class'), '') from pg_class"
            " where relnamespace = 'crucible'::regnamespace"
            " and relname in ('llm_cost', 'event_rate', 'metric_by_minute') order by 1"
        ).fetchall()


def test_views_on_roll_ups_come_back_when_their_text_changed(database: str) -> None:
    before = views_on_rollups(database)
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("update crucible.migrations set sha256 = 'old' where name like 'objects_on%'")
        conn.execute("comment on view crucible.event_rate is null")
        assert not_applied(conn) == ["objects_on_rollups"]
        migrate(database, LOG)
        assert not_applied(conn) == []
    assert views_on_rollups(database) == before


def test_views_on_roll_ups_are_made_with_them(database: str) -> None:
    before = views_on_rollups(database)
    drop_rollups(database)
    assert views_on_rollups(database) == []
    migrate(database, LOG)
    assert views_on_rollups(database) == before
    assert len(before) == 3


def test_another_encoding_is_refused_with_the_remedy(plain_server: TestServer) -> None:
    with psycopg.connect(plain_server.admin_dsn, autocommit=True) as conn:
        conn.execute("create database latin template template0 encoding 'LATIN1'")
        try:
            with pytest.raises(DatabaseError, match="encoding LATIN1; UTF8 is needed"):
                migrate(plain_server.dsn("latin"), LOG)
        finally:
            conn.execute("drop database latin")


def test_an_old_server_is_refused(plain_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "MAJOR_MIN", 99)
    with pytest.raises(DatabaseError, match="version 99 or newer is needed"):
        migrate(plain_database, LOG)


def test_an_old_timescaledb_is_refused(
    timescale_server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "TIMESCALEDB_MIN", (99, 1))
    with (
        timescale_server.database() as dsn,
        pytest.raises(DatabaseError, match=r"99\.1 or newer is needed: alter extension"),
    ):
        migrate(dsn, LOG)


def test_a_role_without_rights_is_told_so(any_server: TestServer) -> None:
    with any_server.database(migrated=False) as dsn, psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("create role weak")
        try:
            weak = conninfo.make_conninfo(dsn, options="-c role=weak")
            with pytest.raises(DatabaseError, match="the role may not do what the store needs"):
                migrate(weak, LOG)
        finally:
            conn.execute("drop role weak")


def test_a_database_that_is_only_read_is_told(plain_server: TestServer) -> None:
    with plain_server.database(migrated=False) as dsn:
        reading = conninfo.make_conninfo(dsn, options="-c default_transaction_read_only=on")
        with pytest.raises(DatabaseError, match="only read: cannot execute CREATE SCHEMA"):
            migrate(reading, LOG)


def test_a_start_waits_for_another_and_then_does_what_is_left(empty_database: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        with psycopg.connect(empty_database) as other:
            other.execute("select pg_advisory_xact_lock(%s)", (migrate_module.LOCK_KEY,))
            start = pool.submit(migrate, empty_database, LOG)
            while other.execute(WAITING).fetchone() == (0,):
                assert not start.done()
            assert applied(empty_database) == []
        start.result()
    assert_complete(empty_database)


def test_a_start_does_not_wait_for_ever_for_another(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate_module, "LOCK_TIMEOUT", "50ms")
    with psycopg.connect(empty_database) as other:
        other.execute("select pg_advisory_xact_lock(%s)", (migrate_module.LOCK_KEY,))
        with pytest.raises(DatabaseError, match="kept the database locked for 50ms"):
            migrate(empty_database, LOG)


def test_a_store_made_without_timescaledb_stays_without(timescale_server: TestServer) -> None:
    with timescale_server.database(migrated=False) as dsn:
        assert migrate(dsn, LOG, timescaledb="off").timescaledb is None
        assert migrate(dsn, LOG, timescaledb="auto").timescaledb is None
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute("insert into crucible.points (series_id, time) values (1, now())")
            assert conn.execute(
                "select relname from pg_class join crucible.points on points.tableoid = pg_class.oid"
            ).fetchone() == ("points_default",)
