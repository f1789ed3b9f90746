"""Roles: the reader reads everything and nothing else, the writer writes, the owner may migrate."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest
from psycopg import conninfo, sql

from crucible_collector.store import roles
from crucible_collector.store.connect import MAINTENANCE, connect
from crucible_collector.store.maintenance import Maintenance
from crucible_collector.store.migrate import migrate
from crucible_collector.store.partitions import Partitions
from crucible_collector.store.roles import OWNER, PRIVILEGES, READER, ROLES, WRITER, role_state
from databases import TestServer

LOG = logging.getLogger("test")
RELATIONS = """
select oid::regclass::text, relkind from pg_class
where relnamespace = 'crucible'::regnamespace and relkind in ('r', 'p', 'v', 'm')
  and not relispartition
"""


def acting_as(dsn: str, role: str) -> str:
    return conninfo.make_conninfo(dsn, options=f"-c role={role}")


@contextmanager
def user(dsn: str, name: str, member_of: str, attributes: str = "") -> Iterator[str]:
    """A role of the server that is gone afterwards, with what it owns; yields a DSN that acts as it."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(f"create role {name} {attributes}".encode())
        conn.execute(
            sql.SQL("grant create on database {} to {}").format(
                sql.Identifier(str(conn.info.dbname)), sql.Identifier(name)
            )
        )
        if member_of:
            conn.execute(f"grant {member_of} to {name}".encode())
        try:
            yield acting_as(dsn, name)
        finally:
            conn.execute(f"drop owned by {name} cascade".encode())
            conn.execute(f"drop role {name}".encode())


def relations(dsn: str) -> list[tuple[str, str]]:
    with psycopg.connect(dsn) as conn:
        return conn.execute(RELATIONS).fetchall()


def test_the_reader_reads_every_relation_and_view(database: str) -> None:
    names = [name for name, _ in relations(database)]
    assert len(names) > 15
    with psycopg.connect(acting_as(database, READER), autocommit=True) as conn:
        for name in names:
            conn.execute(sql.SQL("select * from {} limit 1").format(sql.SQL(name)))


def test_the_reader_changes_nothing(database: str) -> None:
    verbs = ("insert into {} default values", "delete from {}", "truncate {}", "drop table {}")
    tables = [name for name, kind in relations(database) if kind in {"r", "p"}]
    attempts = [verb.format(name) for name in tables for verb in verbs]
    attempts += [
        "create table crucible.mine ()",
        "create schema mine",
        "create table public.mine ()",
    ]
    with psycopg.connect(acting_as(database, READER), autocommit=True) as conn:
        for attempt in attempts:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(attempt.encode())


def test_the_reader_reads_nothing_but_the_schema(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("create table public.others (secret text)")
    with (
        psycopg.connect(acting_as(database, READER)) as conn,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        conn.execute("select * from public.others")


def test_the_writer_starts_on_an_up_to_date_database_and_writes(database: str) -> None:
    writer = acting_as(database, WRITER)
    capabilities = migrate(writer, LOG)
    with closing(connect(writer, MAINTENANCE)) as conn:
        conn.execute("insert into crucible.points (series_id, time, value) values (1, now(), 1)")
        conn.execute("update crucible.points set value = 2")
        work = Maintenance(lambda: conn, capabilities, LOG)
        work.make_room(conn)
        work.summarise(conn)
        work.forget_requests(conn)
        conn.execute("delete from crucible.points")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("alter table crucible.points add column mine int")


def test_a_writer_that_may_not_make_partitions_is_told_once_and_its_rows_go_to_the_default(
    plain_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    writer = acting_as(plain_database, WRITER)
    room = Partitions(migrate(writer, LOG), LOG)
    today = dt.datetime.now(dt.UTC).date()
    with closing(connect(writer, MAINTENANCE)) as conn:
        for _ in range(3):
            assert not room.ensure(conn, "points", [today])
        conn.execute("insert into crucible.points (series_id, time, value) values (1, now(), 1)")
        place = conn.execute("select tableoid::regclass::text from crucible.points").fetchone()
    assert place == ("crucible.points_default",)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "grant crucible_owner to it" in caplog.text


def test_any_member_of_the_owner_migrates_and_makes_partitions_that_any_other_may_drop(
    plain_server: TestServer,
) -> None:
    day = dt.date(2026, 3, 4)
    with (
        plain_server.database() as dsn,
        user(dsn, "one_member", OWNER) as one,
        user(dsn, "other_member", OWNER) as other,
    ):
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute("update crucible.migrations set sha256 = 'old' where name = 'objects'")
        capabilities = migrate(one, LOG)
        with closing(connect(one, MAINTENANCE)) as conn:
            assert Partitions(capabilities, LOG).ensure(conn, "points", [day])
        with closing(connect(other, MAINTENANCE)) as conn:
            conn.execute("drop table crucible.points_20260304")


def test_a_user_who_may_create_roles_makes_them_and_the_store_is_the_owners(
    any_server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under other names: every database of the server shares the roles."""
    names = {role: f"fresh_{role}" for role in (OWNER, WRITER, READER)}
    monkeypatch.setattr(roles, "ROLES", {names[role]: login for role, login in ROLES.items()})
    monkeypatch.setattr(roles, "PRIVILEGES", {names[role]: p for role, p in PRIVILEGES.items()})
    monkeypatch.setattr(roles, "OWNER", names[OWNER])
    monkeypatch.setattr(roles, "WRITER", names[WRITER])
    monkeypatch.setattr(roles, "READER", names[READER])
    with (
        any_server.database(migrated=False) as dsn,
        user(dsn, "founder", "", "createrole login") as founder,
    ):
        if any_server.kind == "timescale":
            with psycopg.connect(dsn, autocommit=True) as conn:
                conn.execute("create extension timescaledb")
        try:
            migrate(founder, LOG)
            with psycopg.connect(founder, autocommit=True) as conn:
                assert role_state(conn).is_complete
                owner = conn.execute(
                    "select relowner::regrole::text from pg_class"
                    " where oid = 'crucible.spans'::regclass"
                ).fetchone()
                assert owner == (names[OWNER],)
        finally:
            with psycopg.connect(dsn, autocommit=True) as conn:
                for name in names.values():
                    conn.execute(f"drop owned by {name} cascade".encode())
                    conn.execute(f"drop role {name}".encode())


def test_a_user_who_may_not_is_told_once_what_to_ask_for(
    plain_server: TestServer, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        plain_server.database(migrated=False) as dsn,
        user(dsn, "humble", "") as humble,
        caplog.at_level(logging.INFO),
    ):
        migrate(humble, LOG)
        told = caplog.text
        caplog.clear()
        migrate(humble, LOG)
    assert 'grant crucible_owner to "humble"; then crucible-collector migrate' in told
    assert "could not" not in caplog.text


def test_rights_taken_away_come_back_at_the_next_start(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(
            sql.SQL("revoke select on crucible.spans from {}").format(sql.Identifier(READER))
        )
        assert role_state(conn).not_granted == ("SELECT on spans",)
        migrate(database, LOG)
        assert role_state(conn).is_complete
