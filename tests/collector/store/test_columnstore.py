"""The columnstore: chosen once, answers alike, takes what is late, and leaves administrators' choices."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from crucible_collector.store import columnstore
from crucible_collector.store.columnstore import AFTER, LAYOUTS, ROLLUP_LAYOUTS, ROLLUPS_AFTER
from crucible_collector.store.connect import MAINTENANCE, connect
from crucible_collector.store.migrate import migrate
from crucible_collector.store.partitions import Connection, Partitions
from crucible_collector.store.rollups.families import LATENCIES, SPANS
from databases import TestServer
from rolled import Row, expected, rolled_up, settle
from rows_of import rows_of

LOG = logging.getLogger("test")
# A Monday, long ago: every policy finds the whole week old enough.
MONDAY = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)

SETTINGS = """
select segmentby, orderby, index::text
from timescaledb_information.hypertable_columnstore_settings
where hypertable = format('crucible.%%I', %s::text)::regclass
"""
CHUNKS = """
select range_start, range_end, is_compressed
from timescaledb_information.chunks
where hypertable_schema = 'crucible' and hypertable_name = %s
order by range_start
"""


@pytest.fixture
def database(timescale_server: TestServer) -> Iterator[str]:
    with timescale_server.database() as dsn:
        yield dsn


@pytest.fixture
def conn(database: str) -> Iterator[Connection]:
    with closing(connect(database, MAINTENANCE)) as opened:
        yield opened


def put_spans(conn: Connection, days: int, *, hour: int = 1, runs: int = 3) -> None:
    """Some spans of each run a day, in traces of ten; every hundredth is an error."""
    partitions = Partitions(migrate(conn.info.dsn, LOG), LOG)
    partitions.ensure(conn, "spans", [(MONDAY + day * DAY).date() for day in range(days)])
    conn.execute(
        "insert into crucible.spans (time, duration_ns, span_id, resource_id, scope_id, trace_id, name,"
        " event_name, run_id, correlation_id, status_code, attributes)"
        " select %s::timestamptz + day * interval '1 day' + %s * interval '1 hour' + n * interval '1 ms',"
        " 1000 + n, day * 1000 + n, 1, 1, md5((day * 1000 + n / 10)::text)::uuid, 'work', 'work.stop',"
        " 'run-' || n %% %s, 'c-' || (day * 1000 + n / 10), case n %% 100 when 0 then 2 else 0 end,"
        " jsonb_build_object('n', n)"
        " from generate_series(0, %s) day, generate_series(1, 300) n",
        (MONDAY, hour, runs, days - 1),
    )


def run_policy(conn: Connection, relation: str) -> None:
    """What TimescaleDB's scheduler does when the policy's time has come."""
    row = conn.execute(
        "select job_id from timescaledb_information.jobs where hypertable_name = %s"
        " and proc_name in ('policy_compression', 'policy_columnstore')",
        (relation,),
    ).fetchone()
    assert row is not None
    conn.execute("call run_job(%s)", row)


def in_columnstore(conn: Connection, relation: str) -> list[bool]:
    return [found for _, _, found in conn.execute(CHUNKS, (relation,)).fetchall()]


def has_rows_outside(conn: Connection) -> bool:
    """Whether chunks of spans that have a columnstore hold rows beside it (catalogue's flag 8)."""
    row = conn.execute(
        "select bool_or(chunk.status & 8 <> 0) from _timescaledb_catalog.chunk"
        " join _timescaledb_catalog.hypertable on hypertable.id = hypertable_id"
        " where hypertable.table_name = 'spans'"
    ).fetchone()
    assert row is not None
    return bool(row[0])


def newest_of_run(conn: Connection, run: str) -> list[Any]:
    return conn.execute(
        "select * from crucible.spans where run_id = %s order by time desc, time_ns_rest desc,"
        " span_id desc limit 100",
        (run,),
    ).fetchall()


def test_every_relation_by_time_has_its_layout_and_goes_there_by_itself(conn: Connection) -> None:
    for relation, layout in LAYOUTS.items():
        row = conn.execute(SETTINGS, (relation,)).fetchone()
        assert row is not None, relation
        segment, order, sparse = row
        assert (segment or "") == layout.segment_by
        assert order.replace('"', "").lower().replace(",", ", ") == layout.order_by
        for wanted in filter(None, layout.sparse.replace(" ", "").split(",")):
            kind, column = wanted.rstrip(")").split("(")
            assert f'"type": "{kind}"' in sparse
            assert f'"{column}"' in sparse
        assert columnstore.policy(conn, relation) == AFTER


def test_the_narrowest_roll_ups_have_one_too_a_week_later(conn: Connection) -> None:
    enabled: dict[str, bool] = dict(conn.execute(columnstore.ENABLED.encode()).fetchall())
    for view in ROLLUP_LAYOUTS:
        assert enabled[view], view
        assert columnstore.policy(conn, view) == ROLLUPS_AFTER


def test_roll_ups_in_the_columnstore_take_what_is_late_with_a_refresh(
    database: str, conn: Connection
) -> None:
    put_spans(conn, 3)
    settle(database)
    for view in ROLLUP_LAYOUTS:
        run_policy(conn, view)
    packed = conn.execute(
        "select count(*) from timescaledb_information.chunks"
        " where hypertable_name like '_materialized%' and is_compressed"
    ).fetchone()
    assert packed is not None
    assert packed[0] >= 2  # of spans and of latencies
    put_spans(conn, 3)
    put_spans(conn, 3, hour=7)
    settle(database)
    for family in (SPANS, LATENCIES):
        for level in family.levels:
            found = rolled_up(database, family.view(level))
            assert counts(found) == counts(expected(database, family, level))
            assert sum(row["row_count"] for row in found) == 3 * 3 * 300


def counts(rows: list[Row]) -> list[tuple[object, ...]]:
    return [(row["time"], row["event_name"], row["status_code"], row["row_count"]) for row in rows]


def test_rows_are_the_same_in_the_columnstore(database: str, conn: Connection) -> None:
    put_spans(conn, 3)
    everything = rows_of(database, "spans", "time, span_id")
    newest = newest_of_run(conn, "run-1")
    run_policy(conn, "spans")
    assert all(in_columnstore(conn, "spans"))
    assert rows_of(database, "spans", "time, span_id") == everything
    assert newest_of_run(conn, "run-1") == newest


def test_a_week_of_days_becomes_one_chunk(conn: Connection) -> None:
    put_spans(conn, 7)
    assert len(in_columnstore(conn, "spans")) == 7
    run_policy(conn, "spans")
    assert conn.execute(CHUNKS, ("spans",)).fetchall() == [(MONDAY, MONDAY + 7 * DAY, True)]


def test_what_is_late_is_there_at_once_and_joins_with_the_next_round(
    database: str, conn: Connection
) -> None:
    put_spans(conn, 3)
    run_policy(conn, "spans")
    put_spans(conn, 3, hour=7)
    everything = rows_of(database, "spans", "time, span_id")
    assert len(everything) == 2 * 3 * 300
    assert has_rows_outside(conn)
    run_policy(conn, "spans")
    assert not has_rows_outside(conn)
    assert rows_of(database, "spans", "time, span_id") == everything


def test_a_trace_is_looked_for_in_few_batches(conn: Connection) -> None:
    """The Bloom filters of the columnstore are used: without them every batch is unpacked."""
    put_spans(conn, 7, runs=100)
    run_policy(conn, "spans")
    trace = conn.execute("select trace_id from crucible.spans limit 1").fetchone()
    assert trace is not None
    rows = conn.execute(
        "explain (costs off) select * from crucible.spans where trace_id = %s", trace
    ).fetchall()
    assert "bloom1_contains" in str(rows)


def test_a_start_leaves_what_an_administrator_has_chosen(database: str, conn: Connection) -> None:
    put_spans(conn, 1)
    conn.execute("alter table crucible.spans set (timescaledb.segmentby = 'experiment_id')")
    conn.execute("call remove_columnstore_policy('crucible.spans')")
    migrate(database, LOG)
    row = conn.execute(SETTINGS, ("spans",)).fetchone()
    assert row is not None
    assert row[0] == "experiment_id"
    assert columnstore.policy(conn, "spans") is None


def test_relations_with_rows_in_the_columnstore_can_be_given_columns(conn: Connection) -> None:
    """What later migrations will do."""
    put_spans(conn, 2)
    run_policy(conn, "spans")
    conn.execute("alter table crucible.spans add column later float8")
    assert conn.execute("select count(*), count(later) from crucible.spans").fetchone() == (600, 0)


def test_a_store_of_an_earlier_version_gets_it_at_the_next_start(
    database: str, conn: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    put_spans(conn, 1)
    conn.execute("call remove_columnstore_policy('crucible.spans')")
    conn.execute("alter table crucible.spans set (timescaledb.enable_columnstore = false)")
    with caplog.at_level(logging.INFO, LOG.name):
        migrate(database, LOG)
    assert "spans go to the columnstore 24 hours after their chunk has ended" in caplog.text
    run_policy(conn, "spans")
    assert all(in_columnstore(conn, "spans"))
