"""A store on plain PostgreSQL moves to TimescaleDB with every row, or stays as it was."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from crucible_collector.errors import DatabaseError
from crucible_collector.store.connect import INGEST, connect
from crucible_collector.store.maintenance import Maintenance
from crucible_collector.store.migrate import migrate
from crucible_collector.store.partitions import RELATIONS
from crucible_collector.store.servers import Capabilities
from databases import TestServer

LOG = logging.getLogger("test")
SPAN = """
insert into crucible.spans (time, duration_ns, span_id, resource_id, scope_id, trace_id, name, run_id,
    attributes)
select now() - n * interval '7 hours', n, n, 1, 1, md5(n::text)::uuid, 'work', 'run-' || n % 3,
    jsonb_build_object('n', n)
from generate_series(1, 40) n
"""
OTHERS = """
insert into crucible.points (series_id, time, value) select n, now() - n * interval '1 day', 'nan'
from generate_series(0, 9) n;
insert into crucible.histograms (series_id, time, count, bounds, counts)
values (1, now(), 3, array[1.5], array[1, 2]);
insert into crucible.logs (time, resource_id, scope_id, body) values (now(), 1, 1, '"said"');
insert into crucible.anomalies (time, score, period_id, metric, detector, severity)
values (now(), 'inf', md5('p')::uuid, 'loss', 'ewma', 'critical');
"""


@pytest.fixture
def plain_store(timescale_server: TestServer) -> Iterator[str]:
    """A store with rows in partitions and in the default one, on a server that has TimescaleDB."""
    with timescale_server.database(migrated=False) as dsn:
        migrate(dsn, LOG, timescaledb="off")
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute(SPAN)
            conn.execute(OTHERS)
            Maintenance(lambda: conn, Capabilities(""), LOG).make_room(conn)
            conn.execute(SPAN.replace("interval '7 hours'", "interval '400 days'"))
        yield dsn


def contents(dsn: str) -> dict[str, list[Any]]:
    with psycopg.connect(dsn) as conn:
        return {
            name: conn.execute(
                f"select row_to_json(r)::text from crucible.{name} r order by 1".encode()
            ).fetchall()
            for name in RELATIONS
        }


FACTS = (
    # Columns: type, default, compression, comment.
    (
        "select relname, attname, format_type(atttypid, atttypmod), attnotnull, attcompression,"
        " pg_get_expr(adbin, adrelid), col_description(attrelid, attnum)"
        " from pg_attribute join moved on moved.oid = attrelid"
        " left join pg_attrdef on adrelid = attrelid and adnum = attnum"
        " where attnum > 0 order by relname, attnum"
    ),
    (  # But for what continuous roll-ups have added to points: here they stay as they were.
        "select pg_get_indexdef(indexrelid) from pg_index join moved on moved.oid = indrelid"
        " where indexrelid is distinct from to_regclass('crucible.points_time') order by 1"
    ),
    (
        "select relname, relkind, relowner::regrole::text, obj_description(oid, 'pg_class') from moved"
        " order by 1"
    ),
    (
        "select relname, grantee::regrole::text, privilege_type from moved, aclexplode(relacl)"
        " where grantee <> relowner order by 1, 2, 3"
    ),
    (
        "select hypertable_name, column_name, time_interval from timescaledb_information.dimensions"
        " where hypertable_schema = 'crucible' and hypertable_name in (select relname from moved) order by 1"
    ),
)
MOVED = f"""
with moved as (
    select * from pg_class
    where relnamespace = 'crucible'::regnamespace
      and (relname in {RELATIONS} or relkind = 'v' and relname !~ 'rollup')
)
"""


def facts(dsn: str) -> list[list[Any]]:
    """What there is to know of the relations by time and of the views on them."""
    with psycopg.connect(dsn) as conn:
        return [conn.execute((MOVED + question).encode()).fetchall() for question in FACTS]


def test_every_row_moves_and_nothing_differs_from_a_store_made_there(
    plain_store: str, timescale_server: TestServer
) -> None:
    before = contents(plain_store)
    assert [len(rows) for rows in before.values()] == [80, 10, 1, 1, 1]
    assert migrate(plain_store, LOG, moves=True).timescaledb is not None
    assert contents(plain_store) == before
    with timescale_server.database() as made_there:
        for moved, fresh in zip(facts(plain_store), facts(made_there), strict=True):
            assert moved == fresh


def test_roll_ups_stay_as_they_are(plain_store: str) -> None:
    """They outlive the rows that they were made of, so they are not made anew."""
    names = ("point_rollup_1d", "span_rollup_1h", "span_latency_1d", "event_rate", "llm_cost")

    def sums() -> list[list[Any]]:
        with psycopg.connect(plain_store) as conn:
            return [
                conn.execute(
                    f"select row_to_json(r)::text from crucible.{name} r order by 1".encode()
                ).fetchall()
                for name in names
            ]

    with psycopg.connect(plain_store, autocommit=True) as conn:
        conn.execute(
            "insert into crucible.point_rollup_parts (series_id, time, count, sum)"
            " values (1, now(), 2, 3.5)"
        )
        conn.execute(
            "insert into crucible.span_rollup_parts (time, row_count, count, usage_count)"
            " values (now(), 2, 2, 1)"
        )
    before = sums()
    assert [len(rows) for rows in before] == [1, 1, 0, 1, 1]
    migrate(plain_store, LOG, moves=True)
    assert sums() == before


def test_a_moved_store_takes_rows_and_moves_no_second_time(
    plain_store: str, caplog: pytest.LogCaptureFixture
) -> None:
    migrate(plain_store, LOG, moves=True)
    with psycopg.connect(plain_store, autocommit=True) as conn:
        conn.execute(SPAN)
    before = contents(plain_store)
    with caplog.at_level(logging.INFO):
        migrate(plain_store, LOG, moves=True)
    assert caplog.records == []
    assert contents(plain_store) == before


def test_a_start_that_is_not_told_to_leaves_it_and_says_how(
    plain_store: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert migrate(plain_store, LOG).timescaledb is None
    assert "crucible-collector migrate moves it" in caplog.text


def test_with_timescaledb_off_it_stays(plain_store: str) -> None:
    assert migrate(plain_store, LOG, moves=True, timescaledb="off").timescaledb is None


def test_a_connected_collector_is_not_pulled_away_under(plain_store: str) -> None:
    before = contents(plain_store)
    with (
        connect(plain_store, INGEST),
        pytest.raises(DatabaseError, match=r"collectors are connected \(1\)"),
    ):
        migrate(plain_store, LOG, moves=True)
    assert contents(plain_store) == before
    assert migrate(plain_store, LOG).timescaledb is None


@pytest.mark.parametrize("schema", ["public", "crucible"])
def test_somebodys_own_view_stops_the_move_with_its_name_and_stays(
    plain_store: str, schema: str
) -> None:
    view = f"{schema}.mine"
    with psycopg.connect(plain_store, autocommit=True) as conn:
        conn.execute(f"create view {view} as select * from crucible.loss_curve".encode())
        with pytest.raises(
            DatabaseError, match=r"the views (public|crucible)\.mine|the views mine"
        ):
            migrate(plain_store, LOG, moves=True)
        conn.execute(f"select * from {view}".encode())
    assert migrate(plain_store, LOG).timescaledb is None


def test_what_others_were_granted_stays_granted(plain_store: str) -> None:
    with psycopg.connect(plain_store, autocommit=True) as conn:
        conn.execute("create role dashboard")
        try:
            conn.execute("grant select on crucible.spans, crucible.loss_curve to dashboard")
            migrate(plain_store, LOG, moves=True)
            for name in ("spans", "loss_curve"):
                assert conn.execute(
                    "select has_table_privilege('dashboard', %s, 'select')", (f"crucible.{name}",)
                ).fetchone() == (True,)
        finally:
            conn.execute("drop owned by dashboard")
            conn.execute("drop role dashboard")
