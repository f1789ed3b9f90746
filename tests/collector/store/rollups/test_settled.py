"""What is refreshed is read where it lies: the same rows as the view's, and never any too few."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import closing

import pytest
from psycopg_pool import ConnectionPool

from collector.store.rollups.test_continuous import put_point
from crucible_collector.store.connect import MAINTENANCE, connect
from crucible_collector.store.partitions import Connection
from crucible_collector.store.pieces import Piece, cut
from crucible_collector.store.read import Reader, compose
from crucible_collector.store.rollups import continuous
from crucible_collector.store.rollups.continuous import Settled
from crucible_collector.store.rollups.family import DAY, HOUR, MINUTE
from databases import TestServer
from rolled import drop_rollups, settle

T0 = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
UNTIL = T0 + dt.timedelta(hours=1)


@pytest.fixture
def timescale_database(timescale_server: TestServer) -> Iterator[str]:
    with timescale_server.database() as dsn:
        yield dsn


@pytest.fixture
def conn(timescale_database: str) -> Iterator[Connection]:
    with closing(connect(timescale_database, MAINTENANCE)) as opened:
        yield opened


def relation_of(piece: Piece) -> str:
    lying = {"point_rollup_1m": Settled("somewhere.else", UNTIL)}
    asked = {"sums": (piece,), "width": None, "series": 5, "limit": 1, "skip": 0}
    text, _ = compose("series_aggregate", asked, "continuous", lying)
    return text


def test_a_piece_is_read_where_it_lies_only_if_all_of_it_is_refreshed() -> None:
    minute = dt.timedelta(minutes=1)
    assert "from somewhere.else" in relation_of(Piece(MINUTE, T0, UNTIL))
    for open_or_later in (UNTIL + minute, None):
        assert "from crucible.point_rollup_1m" in relation_of(Piece(MINUTE, T0, open_or_later))
    assert "from crucible.point_rollup_1h" in relation_of(Piece(HOUR, T0, UNTIL))


def test_nothing_is_said_of_a_roll_up_that_was_never_refreshed(conn: Connection) -> None:
    assert continuous.settled(conn) == {}


def test_what_is_refreshed_has_the_rows_of_the_view(
    timescale_database: str, conn: Connection
) -> None:
    for age_h in (60, 50, 49.5, 30):
        put_point(timescale_database, dt.timedelta(hours=age_h), age_h)
    settle(timescale_database)
    found = continuous.settled(conn)
    assert {"point_rollup_1m", "point_rollup_1h", "point_rollup_1d"} <= found.keys()
    for view, lying in found.items():
        before = f"where time < '{lying.until.isoformat()}' order by 1, 2"
        of_view = conn.execute(f"select * from crucible.{view} {before}".encode()).fetchall()
        there = conn.execute(f"select * from {lying.relation} {before}".encode()).fetchall()
        assert there == of_view
        later = f"select count(*) from {lying.relation} where time >= '{lying.until.isoformat()}'"
        assert conn.execute(later.encode()).fetchone() == (0,)


def test_a_reader_notices_roll_ups_that_were_made_anew(
    timescale_database: str, conn: Connection
) -> None:
    put_point(timescale_database, dt.timedelta(hours=60), 2.5)
    settle(timescale_database)
    now = dt.datetime.now(dt.UTC)
    period = cut(now - dt.timedelta(days=5), now - dt.timedelta(days=1), (DAY, HOUR, MINUTE))

    def answer(reader: Reader) -> list[str]:
        return reader.json_rows(
            "series_aggregate", sums=period, width=None, series=5, limit=10, skip=0
        )

    with ConnectionPool(timescale_database, min_size=1, max_size=1) as pool:
        reader = Reader(pool)
        first = answer(reader)
        assert '"count":1' in first[0]
        drop_rollups(timescale_database)
        continuous.create(conn)
        assert answer(reader) == first
