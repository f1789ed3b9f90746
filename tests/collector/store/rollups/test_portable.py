"""Portable roll-ups: folding takes parts away and adds their sums in one step, whoever folds."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from crucible_collector.store import maintenance
from crucible_collector.store.connect import MAINTENANCE, connect
from crucible_collector.store.maintenance import Maintenance
from crucible_collector.store.migrate import migrate
from crucible_collector.store.partitions import Connection
from crucible_collector.store.rollups import fold
from crucible_collector.store.rollups.families import POINTS
from databases import TestServer
from rolled import VIEWS, drop_rollups, expected, folding, put, rolled_up, settle

LOG = logging.getLogger("tests.portable")
START = dt.datetime(2026, 11, 20, 23, 58, tzinfo=dt.UTC)


@pytest.fixture
def conn(plain_database: str) -> Iterator[Connection]:
    with closing(connect(plain_database, MAINTENANCE)) as opened:
        yield opened


def points(count: int, *, every_s: float = 30.0, series: int = 1) -> pa.RecordBatch:
    begin_us = int(START.timestamp()) * 1_000_000
    micro = [begin_us + round(every_s * 1e6 * n) for n in range(count)]
    return pa.RecordBatch.from_pydict(
        {
            "series_id": pa.array([series] * count),
            "time": pa.array(micro).view(pa.timestamp("us", "UTC")),
            "value": pa.array([float(n) for n in range(count)]),
        }
    )


def count_of(conn: Connection, relation: str) -> Any:
    row = conn.execute(f"select count(*) from crucible.{relation}".encode()).fetchone()
    assert row is not None
    return row[0]


def assert_rolled_up(dsn: str) -> None:
    for family, level in VIEWS:
        assert rolled_up(dsn, family.view(level)) == expected(dsn, family, level)


def test_folding_leaves_one_row_a_key_and_bucket_and_no_parts(
    plain_database: str, conn: Connection
) -> None:
    for _ in range(3):
        put(plain_database, "points", points(8))
        assert folding(plain_database).fold(conn) == 4
    assert count_of(conn, "point_rollup_parts") == 0
    counts = [count_of(conn, POINTS.table(level)) for level in POINTS.levels]
    assert counts == [4, 2, 2]
    assert_rolled_up(plain_database)


def test_more_parts_than_a_statement_takes_are_folded_by_several(
    plain_database: str, conn: Connection
) -> None:
    put(plain_database, "points", points(50))
    assert folding(plain_database, parts_max=7).fold(conn) == 25
    assert count_of(conn, "point_rollup_parts") == 0
    assert_rolled_up(plain_database)


def test_folded_parts_leave_nothing_to_be_read(plain_database: str, conn: Connection) -> None:
    for series in range(20):
        put(plain_database, "points", points(1_000, every_s=60, series=series))
    size = "select pg_relation_size('crucible.point_rollup_parts') > 0"
    assert conn.execute(size).fetchone() == (True,)
    # An autovacuum that looks at any table just then keeps what is dead from being cleared: the next
    # fold does it.
    for round_ in range(5):
        folding(plain_database).fold(conn)
        if conn.execute(size).fetchone() == (False,):
            return
        put(plain_database, "points", points(1, series=100 + round_))
    pytest.fail("five folds left what they had folded")


def test_minutes_lie_in_the_partition_of_their_day(plain_database: str, conn: Connection) -> None:
    put(plain_database, "points", points(8))
    folding(plain_database).fold(conn)
    found = conn.execute(
        "select distinct tableoid::regclass::text from crucible.point_rollup_minutes order by 1"
    ).fetchall()
    assert found == [(f"crucible.point_rollup_minutes_202611{day}",) for day in (20, 21)]


def test_minutes_in_the_default_partition_are_brought_to_their_day(
    plain_database: str, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(plain_database, "points", points(8))
    with monkeypatch.context() as patched:
        patched.setattr(fold, "by_day", lambda _family: None)
        folding(plain_database).fold(conn)
    assert count_of(conn, "point_rollup_minutes_default") == 4
    folding(plain_database).fold(conn)
    assert count_of(conn, "point_rollup_minutes_default") == 0
    assert_rolled_up(plain_database)


def test_one_folds_at_a_time_and_the_others_leave_it(plain_database: str, conn: Connection) -> None:
    put(plain_database, "points", points(8))
    with psycopg.connect(plain_database) as other:
        other.execute("select pg_advisory_xact_lock(%s)", (fold.LOCK_KEY,))
        assert folding(plain_database).fold(conn) == 0
    assert folding(plain_database).fold(conn) == 4


def test_windows_and_folding_do_not_wait_for_each_other(
    plain_database: str, conn: Connection
) -> None:
    put(plain_database, "points", points(8))
    with psycopg.connect(plain_database) as writer:
        writer.execute(
            "insert into crucible.point_rollup_parts (time, series_id, count, sum)"
            " values (%s, 1, 1, 5)",
            (START,),
        )
        conn.execute("set statement_timeout = '10s'")
        assert folding(plain_database).fold(conn) == 4
    assert folding(plain_database).fold(conn) == 1
    row = conn.execute("select sum(count), sum(sum) from crucible.point_rollup_1d").fetchone()
    assert row == (9, 28.0 + 5.0)


def test_a_fold_that_fails_changes_nothing(plain_database: str, conn: Connection) -> None:
    put(plain_database, "points", points(8))
    conn.execute("alter table crucible.point_rollup_days add check (count < 4)")
    with pytest.raises(psycopg.errors.CheckViolation):
        folding(plain_database).fold(conn)
    assert count_of(conn, "point_rollup_minutes") == 0
    assert_rolled_up(plain_database)


def test_rows_from_before_the_roll_ups_are_in_them(plain_server: TestServer) -> None:
    with plain_server.database() as dsn:
        drop_rollups(dsn)
        with psycopg.connect(dsn) as conn:
            conn.execute(
                "insert into crucible.points (series_id, time, value)"
                " select 7, %s::timestamptz + n * interval '20 seconds', n"
                " from generate_series(1, 30) n",
                (START,),
            )
        assert migrate(dsn, LOG).rollups == "portable"
        assert_rolled_up(dsn)
        settle(dsn)
        assert_rolled_up(dsn)


def test_a_store_that_moves_to_timescaledb_keeps_its_roll_ups(timescale_server: TestServer) -> None:
    with timescale_server.database(migrated=False) as dsn:
        migrate(dsn, LOG, timescaledb="off")
        put(dsn, "points", points(8))
        settle(dsn)
        put(dsn, "points", points(8))
        capabilities = migrate(dsn, LOG, moves=True)
        assert (capabilities.timescaledb is not None, capabilities.rollups) == (True, "portable")
        put(dsn, "points", points(4000))
        settle(dsn)
        assert_rolled_up(dsn)
        with psycopg.connect(dsn, autocommit=True) as conn:
            assert count_of(conn, "point_rollup_minutes_20261122") > 0


def test_the_maintenance_thread_folds(
    plain_database: str, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "FOLD_S", 0.01)
    put(plain_database, "points", points(8))
    work = Maintenance(
        lambda: connect(plain_database, MAINTENANCE), migrate(plain_database, LOG), LOG
    )
    folded, stopping = threading.Event(), threading.Event()
    fold_them = work._folding.fold

    def fold_and_tell(on: Connection) -> int:
        count = fold_them(on)
        folded.set()
        return count

    monkeypatch.setattr(work._folding, "fold", fold_and_tell)
    thread = threading.Thread(target=work.run, args=(stopping,))
    thread.start()
    try:
        assert folded.wait(30)
    finally:
        stopping.set()
        thread.join()
    assert count_of(conn, "point_rollup_parts") == 0
    assert_rolled_up(plain_database)
