"""Maintenance: indexes learn, old digests go, room is there; a database away is waited for."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from crucible_collector.store import maintenance
from crucible_collector.store.connect import MAINTENANCE, connect
from crucible_collector.store.maintenance import Maintenance
from crucible_collector.store.migrate import migrate
from crucible_collector.store.partitions import Connection

LOG = logging.getLogger("test")
NOW = dt.datetime(2026, 3, 4, 12, tzinfo=dt.UTC)


@pytest.fixture
def conn(database: str) -> Iterator[Connection]:
    with closing(connect(database, MAINTENANCE)) as opened:
        yield opened


def upkeep(dsn: str) -> Maintenance:
    return Maintenance(
        lambda: connect(dsn, MAINTENANCE), migrate(dsn, LOG), LOG, clock=NOW.timestamp
    )


def put_spans(conn: Connection, count: int) -> None:
    conn.execute(
        "insert into crucible.spans (time, duration_ns, span_id, resource_id, scope_id, trace_id, name)"
        " select %s::timestamptz, 1, n, 1, 1, md5(n::text)::uuid, repeat('x', 400)"
        " from generate_series(1, %s) n",
        (NOW, count),
    )


def ranges_read(conn: Connection, trace_id: uuid.UUID) -> int:
    """How many rows a look-up of a trace has to look at."""
    conn.execute("set enable_seqscan = off")
    rows = conn.execute(
        "explain (analyze, format json) select * from crucible.spans where trace_id = %s",
        (trace_id,),
    ).fetchone()
    assert rows is not None
    return rechecked(rows[0][0]["Plan"])


def rechecked(plan: dict[str, object]) -> int:
    inner = plan.get("Plans", [])
    assert isinstance(inner, list)
    own = plan.get("Rows Removed by Index Recheck", 0)
    assert isinstance(own, int | float)
    return int(own) + sum(map(rechecked, inner))


def test_summarised_spans_are_skipped_by_a_look_up(database: str, conn: Connection) -> None:
    put_spans(conn, 5_000)
    absent = uuid.UUID(int=1)
    assert ranges_read(conn, absent) > 4_000
    work = upkeep(database)
    assert work.summarise(conn) > 0
    assert ranges_read(conn, absent) < 1_000
    assert work.summarise(conn) == 0


def test_every_span_is_found_by_its_trace_before_and_after(database: str, conn: Connection) -> None:
    conn.execute("set enable_seqscan = off")
    work = upkeep(database)
    for total in (1_500, 3_000):
        put_spans(conn, 1_500)
        work.summarise(conn)
        put_spans(conn, 10)
        found = conn.execute(
            "select count(*) from crucible.spans where trace_id = md5('7')::uuid"
        ).fetchone()
        assert found == (2 * total // 1_500,)


def test_a_relation_that_is_being_vacuumed_is_left_alone(database: str, conn: Connection) -> None:
    put_spans(conn, 2_000)
    with psycopg.connect(database) as other:
        other.execute("lock table crucible.spans in share update exclusive mode")
        assert upkeep(database).summarise(conn) == 0
    assert upkeep(database).summarise(conn) > 0


def test_digests_go_when_nobody_will_resend_them(
    database: str, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "FORGET_BATCH", 2)
    kept = NOW - maintenance.REQUESTS_KEPT
    with conn.cursor() as cursor:
        cursor.executemany(
            "insert into crucible.requests (digest, received_at) values (gen_random_uuid(), %s)",
            [(kept - dt.timedelta(seconds=age),) for age in (5, 4, 3, 2, 1, 0, -1)],
        )
    assert upkeep(database).forget_requests(conn) == 5
    rest = conn.execute("select min(received_at), count(*) from crucible.requests").fetchone()
    assert rest == (kept, 2)


def test_entries_of_the_feed_go_after_a_week(
    database: str, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "FORGET_BATCH", 2)
    kept = NOW - maintenance.FEED_KEPT
    with conn.cursor() as cursor:
        cursor.executemany(
            "insert into crucible.anomaly_feed (written_at, period_id, kind, body)"
            " values (%s, gen_random_uuid(), 'opened', '{}')",
            [(kept - dt.timedelta(seconds=age),) for age in (5, 4, 3, 2, 1, 0, -1)],
        )
    assert upkeep(database).forget_feed(conn) == 5
    rest = conn.execute("select min(written_at), count(*) from crucible.anomaly_feed").fetchone()
    assert rest == (kept, 2)


def test_a_scan_whose_collector_died_has_failed(conn: Connection) -> None:
    silent = maintenance.SCAN_SILENT
    with conn.cursor() as cursor:
        cursor.executemany(
            "insert into crucible.anomaly_scans (scan_id, request, state, updated_at)"
            " values (%s, '{}', %s, now() - %s)",
            [
                (uuid.UUID(int=1), "running", silent),
                (uuid.UUID(int=2), "running", silent - dt.timedelta(seconds=30)),
                (uuid.UUID(int=3), "completed", silent),
            ],
        )
    assert maintenance.fail_scans(conn) == 1
    rows = conn.execute(
        "select state, finished_at is not null from crucible.anomaly_scans order by scan_id"
    ).fetchall()
    assert rows == [("failed", True), ("running", False), ("completed", False)]


def test_rows_in_a_default_partition_get_their_day(plain_database: str) -> None:
    with closing(connect(plain_database, MAINTENANCE)) as conn:
        put_spans(conn, 3)
        upkeep(plain_database).make_room(conn)
        places = conn.execute(
            "select distinct tableoid::regclass::text from crucible.spans"
        ).fetchall()
    assert places == [("crucible.spans_20260304",)]


def test_the_thread_does_its_steps_again_after_the_database_was_away(
    plain_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "RETRY_S", 0.01)
    attempts = iter([psycopg.OperationalError("away"), None])
    worked = threading.Event()
    stopping = threading.Event()

    def open_connection() -> Connection:
        failure = next(attempts)
        if failure:
            raise failure
        return connect(plain_database, MAINTENANCE)

    work = Maintenance(open_connection, migrate(plain_database, LOG), LOG, clock=NOW.timestamp)
    summarise = work.summarise

    def summarise_and_tell(conn: Connection) -> int:
        count = summarise(conn)
        worked.set()
        return count

    monkeypatch.setattr(work, "summarise", summarise_and_tell)
    thread = threading.Thread(target=work.run, args=(stopping,))
    thread.start()
    try:
        assert worked.wait(30)
    finally:
        stopping.set()
        thread.join()
    with psycopg.connect(plain_database) as conn:
        found = conn.execute("select to_regclass('crucible.spans_20260305')").fetchone()
    assert found == ("crucible.spans_20260305",)
