"""Connections by intent: each has the settings that its work needs, whoever's server it is."""

from __future__ import annotations

from contextlib import closing

import psycopg
import pytest
from psycopg import conninfo

from crucible_collector.errors import SettingsError
from crucible_collector.store.connect import (
    INGEST,
    MAINTENANCE,
    READ,
    Intent,
    check_understood,
    connect,
    ingest_connection,
    reader_pool,
)


def setting(conn: psycopg.Connection[tuple[object, ...]], name: str) -> object:
    row = conn.execute("select current_setting(%s)", (name,)).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize("intent", [INGEST, READ, MAINTENANCE], ids=lambda intent: intent.name)
def test_every_connection_is_named_in_utc_and_has_its_settings(
    database: str, intent: Intent
) -> None:
    with closing(connect(database, intent)) as conn:
        assert setting(conn, "application_name") == intent.name
        assert {name: setting(conn, name) for name in intent.settings} == intent.settings
        assert setting(conn, "timezone") == "UTC"


def test_ingest_commits_synchronously_whatever_the_server_says(plain_database: str) -> None:
    with closing(ingest_connection(plain_database)) as conn:
        assert setting(conn, "synchronous_commit") == "on"
    assert "synchronous_commit" not in {**READ.settings, **MAINTENANCE.settings}


def test_the_callers_parameters_win(plain_database: str) -> None:
    dsn = conninfo.make_conninfo(plain_database, application_name="mine", keepalives_idle=99)
    with closing(connect(dsn, READ)) as conn:
        assert setting(conn, "application_name") == "mine"
        assert conn.info.get_parameters()["keepalives_idle"] == "99"


def test_a_dead_network_is_noticed(plain_database: str) -> None:
    with closing(connect(plain_database, INGEST)) as conn:
        parameters = conn.info.get_parameters()
    idle, interval, count = (
        int(parameters[f"keepalives_{name}"]) for name in ("idle", "interval", "count")
    )
    assert idle + interval * count <= 20
    assert int(parameters["tcp_user_timeout"]) <= 20_000


def test_readers_cannot_write(database: str) -> None:
    with reader_pool(database) as pool, pool.connection() as conn:
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            conn.execute("insert into crucible.points (series_id, time) values (1, now())")
        assert conn.execute("select count(*) from crucible.points").fetchone() == (0,)


def test_a_pool_lives_through_the_loss_of_its_connections(plain_database: str) -> None:
    with reader_pool(plain_database) as pool:
        with pool.connection() as conn:
            lost = conn.info.backend_pid
        with psycopg.connect(plain_database, autocommit=True) as killer:
            killer.execute("select pg_terminate_backend(%s, 5000)", (lost,))
        with pool.connection() as conn:
            assert conn.info.backend_pid != lost


@pytest.mark.parametrize(
    "dsn",
    ["hunter2", "postgresql://u:hunter2@db/x y", "postgresql://u:p@db/x?hunter2=1"],
    ids=["not a URL", "a space", "an unknown parameter"],
)
def test_a_url_that_is_none_is_told_without_its_parts(dsn: str) -> None:
    with pytest.raises(SettingsError, match=r"database_url = …: expected postgresql://") as raised:
        check_understood(dsn)
    assert "hunter2" not in str(raised.value)
