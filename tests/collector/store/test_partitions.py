"""Room for days: made ahead, never in a writer's or reader's way for long, rows always right."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import psycopg
import pytest

from crucible_collector.store import partitions
from crucible_collector.store.connect import MAINTENANCE, connect
from crucible_collector.store.migrate import migrate
from crucible_collector.store.partitions import (
    RELATIONS,
    Connection,
    Partitions,
    days_of,
    default_days,
)
from crucible_collector.store.servers import Capabilities
from databases import TestServer

LOG = logging.getLogger("test")
DAY = dt.date(2026, 3, 4)
NOON = dt.datetime(2026, 3, 4, 12, tzinfo=dt.UTC)
PLAIN = Capabilities(server_version="")


@pytest.fixture
def conn(database: str) -> Iterator[Connection]:
    with closing(connect(database, MAINTENANCE)) as opened:
        yield opened


@pytest.fixture
def plain_conn(plain_database: str) -> Iterator[Connection]:
    with closing(connect(plain_database, MAINTENANCE)) as opened:
        yield opened


def made_by(dsn: str) -> Partitions:
    return Partitions(migrate(dsn, LOG), LOG)


def put(conn: Connection, *times: dt.datetime) -> None:
    with conn.cursor() as cursor:
        cursor.executemany(
            "insert into crucible.points (series_id, time, value) values (1, %s, 1)",
            [(each,) for each in times],
        )


def places(conn: Connection) -> list[str]:
    rows = conn.execute("select tableoid::regclass::text from crucible.points order by time")
    return [row[0] for row in rows.fetchall()]


def parts(conn: Connection, relation: str) -> set[str]:
    rows = conn.execute(
        "select inhrelid::regclass::text from pg_inherits where inhparent = %s::regclass",
        (f"crucible.{relation}",),
    )
    return {row[0] for row in rows.fetchall()}


def test_days_are_those_of_utc_and_only_those_with_data() -> None:
    day_us = 86_400_000_000
    times = np.array([0, day_us - 1, 3 * day_us, -1], dtype=np.int64)
    assert days_of(times) == [dt.date(1969, 12, 31), dt.date(1970, 1, 1), dt.date(1970, 1, 4)]
    assert days_of(times[:2]) == [dt.date(1970, 1, 1)]
    assert days_of(times[:0]) == []


def test_rows_use_the_room_made_for_them(database: str, conn: Connection) -> None:
    for relation in RELATIONS:
        assert made_by(database).ensure(conn, relation, [DAY])
    before = parts(conn, "points")
    put(conn, NOON)
    assert parts(conn, "points") == before
    assert not places(conn)[0].endswith("_default")


def test_making_room_twice_changes_nothing(database: str, conn: Connection) -> None:
    assert made_by(database).ensure(conn, "spans", [DAY])
    before = parts(conn, "spans")
    assert made_by(database).ensure(conn, "spans", [DAY])
    assert parts(conn, "spans") == before


def test_today_and_tomorrow_are_made_ahead(database: str, conn: Connection) -> None:
    before = {relation: len(parts(conn, relation)) for relation in RELATIONS}
    assert made_by(database).ensure_ahead(conn, NOON)
    assert {relation: len(parts(conn, relation)) - before[relation] for relation in RELATIONS} == (
        dict.fromkeys(RELATIONS, 2)
    )


def test_collectors_that_make_the_same_room_agree(database: str) -> None:
    days = [DAY + dt.timedelta(days=ahead) for ahead in range(3)]
    made: list[bool] = []

    def make() -> None:
        with closing(connect(database, MAINTENANCE)) as own:
            rooms = Partitions(capabilities, LOG, clock=lambda: 0.0)
            while not rooms.ensure(own, "spans", days):
                rooms = Partitions(capabilities, LOG)
            made.append(True)

    capabilities = migrate(database, LOG)
    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with psycopg.connect(database) as own:
        assert made == [True] * 4
        assert len({p for p in parts(own, "spans") if not p.endswith("_default")}) == len(days)


def test_a_part_has_the_indexes_of_its_relation_once(
    plain_database: str, plain_conn: Connection
) -> None:
    count = "select count(*) from pg_index where indrelid = %s::regclass"
    for relation in RELATIONS:
        made_by(plain_database).ensure(plain_conn, relation, [DAY])
        whole = plain_conn.execute(count, (f"crucible.{relation}",)).fetchone()
        part = plain_conn.execute(count, (f"crucible.{relation}_20260304",)).fetchone()
        assert part == whole


def test_rows_without_room_are_stored_and_move_when_it_is_made(plain_conn: Connection) -> None:
    next_day = NOON + dt.timedelta(days=1)
    put(plain_conn, NOON, next_day)
    assert places(plain_conn) == ["crucible.points_default"] * 2
    assert default_days(plain_conn, "points") == [DAY, DAY + dt.timedelta(days=1)]
    assert Partitions(PLAIN, LOG).ensure(plain_conn, "points", [DAY])
    assert places(plain_conn) == ["crucible.points_20260304", "crucible.points_default"]
    assert default_days(plain_conn, "points") == [DAY + dt.timedelta(days=1)]


def test_the_last_microsecond_of_a_day_belongs_to_it(plain_conn: Connection) -> None:
    midnight = dt.datetime(2026, 3, 5, tzinfo=dt.UTC)
    assert Partitions(PLAIN, LOG).ensure(plain_conn, "points", [DAY])
    put(plain_conn, midnight - dt.timedelta(microseconds=1), midnight)
    assert places(plain_conn) == ["crucible.points_20260304", "crucible.points_default"]


def test_a_day_with_too_many_rows_to_move_stays_where_it_is(
    plain_conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "MOVED_ROWS_MAX", 2)
    put(plain_conn, NOON, NOON, NOON)
    assert not Partitions(PLAIN, LOG).ensure(plain_conn, "points", [DAY])
    assert places(plain_conn) == ["crucible.points_default"] * 3
    assert parts(plain_conn, "points") == {"crucible.points_default"}


def test_an_open_reader_delays_the_room_and_not_the_writer(
    plain_database: str, plain_conn: Connection
) -> None:
    now_s = 0.0
    rooms = Partitions(PLAIN, LOG, clock=lambda: now_s)
    with psycopg.connect(plain_database) as reader:
        reader.execute("select * from crucible.points").fetchall()
        assert not rooms.ensure(plain_conn, "points", [DAY])
        put(plain_conn, NOON)
    now_s = partitions.RETRY_S - 1
    assert not rooms.ensure(plain_conn, "points", [DAY]), "tried again too soon"
    now_s = partitions.RETRY_S
    assert rooms.ensure(plain_conn, "points", [DAY])
    assert places(plain_conn) == ["crucible.points_20260304"]


def test_one_day_in_the_way_does_not_keep_the_others_from_room(
    plain_conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "MOVED_ROWS_MAX", 0)
    put(plain_conn, NOON)
    assert not Partitions(PLAIN, LOG).ensure(
        plain_conn, "points", [DAY, DAY + dt.timedelta(days=1)]
    )
    assert "crucible.points_20260305" in parts(plain_conn, "points")


def test_room_follows_a_shorter_chunk_interval(timescale_server: TestServer) -> None:
    with timescale_server.database() as dsn, closing(connect(dsn, MAINTENANCE)) as conn:
        conn.execute("select set_chunk_time_interval('crucible.spans', interval '6 hours')")
        assert made_by(dsn).ensure(conn, "spans", [DAY])
        assert len(parts(conn, "spans")) == 4


def test_room_accepts_chunks_that_lie_across_it(timescale_server: TestServer) -> None:
    """After the interval was changed, an old chunk may cover part of a new one's range."""
    with timescale_server.database() as dsn, closing(connect(dsn, MAINTENANCE)) as conn:
        put(conn, NOON)
        conn.execute("select set_chunk_time_interval('crucible.points', interval '7 days')")
        assert made_by(dsn).ensure(conn, "points", [DAY])
        put(conn, NOON, NOON + dt.timedelta(days=1))
        assert conn.execute("select count(*) from crucible.points").fetchone() == (3,)
