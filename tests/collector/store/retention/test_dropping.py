"""Dropping without TimescaleDB's policies: others go on meanwhile, and the mix after a move is kept, too."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import closing, suppress

import psycopg
import pytest

import databases
from crucible_collector.store.connect import INGEST, MAINTENANCE, connect
from crucible_collector.store.maintenance import Maintenance
from crucible_collector.store.migrate import migrate
from crucible_collector.store.retention import Retention, chosen, dropping
from crucible_collector.store.retention.targets import targets
from databases import TestServer
from kept import LOG, ages, all_rolled_up, choose, count, keep, put_old
from rolled import VIEW_NAMES, settle
from rows_of import execute

HOUR_S = 3600.0


def parts(dsn: str, relation: str) -> int:
    with psycopg.connect(dsn) as conn:
        row = conn.execute(
            "select count(*) from pg_inherits where inhparent = %s::regclass",
            (f"crucible.{relation}",),
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_parts_go_as_a_whole_and_rows_of_hours_and_days_one_by_one(plain_database: str) -> None:
    put_old(plain_database, 0.1, 9.5, 60)
    settle(plain_database)
    before = parts(plain_database, "spans"), parts(plain_database, "span_rollup_minutes")
    choose(plain_database, "spans=7d,span_rollup_1m=8d,span_rollup_1h=9d,span_latency_1h=7d")
    keep(plain_database)
    after = parts(plain_database, "spans"), parts(plain_database, "span_rollup_minutes")
    assert [there - left for there, left in zip(before, after, strict=True)] == [2, 2]
    assert [len(ages(plain_database, name)) for name in VIEW_NAMES if name.startswith("span")] == [
        1, 1, 3, 1, 3,
    ]  # fmt: skip


def test_many_rows_go_in_batches(plain_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dropping, "BATCH", 2)
    put_old(plain_database, 0.1, *range(10, 15))
    put_old(plain_database, *range(20, 25), makes_room=False)
    settle(plain_database)
    choose(plain_database, "points=7d,point_rollup_1m=8d,point_rollup_1h=8d,point_rollup_1d=9d")
    keep(plain_database)
    for relation in ("points", "point_rollup_1m", "point_rollup_1h", "point_rollup_1d"):
        assert len(ages(plain_database, relation)) == 1, relation


def test_who_is_in_the_way_is_not_waited_for_and_the_part_goes_later(
    plain_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    put_old(plain_database, 0.1, 9.5)
    choose(plain_database, "points=7d,spans=7d")
    step = Retention(migrate(plain_database, LOG), LOG, clock=lambda: 0.0)
    with closing(connect(plain_database, MAINTENANCE)) as conn:
        with psycopg.connect(plain_database) as reader, caplog.at_level(logging.INFO):
            reader.execute("select count(*) from crucible.spans")
            step.keep(conn)
            assert "old rows of spans are not dropped yet" in caplog.text
            assert ages(plain_database) == [0.1]
            assert len(ages(plain_database, "spans")) == 2
        step.keep(conn)
        assert ages(plain_database, "spans") == [0.1]
        put_old(plain_database, 9.5)
        step.keep(conn)
        assert len(ages(plain_database, "spans")) == 2, "done: the next time is in an hour"


def test_the_next_time_is_an_hour_later(plain_database: str) -> None:
    choose(plain_database, "points=7d,spans=7d")
    now = [0.0]
    step = Retention(migrate(plain_database, LOG), LOG, clock=lambda: now[0])
    with closing(connect(plain_database, MAINTENANCE)) as conn:
        step.keep(conn)
        put_old(plain_database, 9.5)
        for now[0], left in ((HOUR_S - 1, 1), (HOUR_S, 0)):
            step.keep(conn)
            assert len(ages(plain_database)) == left


def test_a_part_is_not_dropped_where_the_choice_has_changed_meanwhile(plain_database: str) -> None:
    """What another collector chose while this one waited for its turn."""
    put_old(plain_database, 9.5)
    choose(plain_database, "points=7d,spans=7d")
    capabilities = migrate(plain_database, LOG)
    with closing(connect(plain_database, MAINTENANCE)) as conn:
        found = targets(conn, capabilities)
        earlier = chosen.read(conn).kept
        choose(plain_database, "forever")
        assert dropping.drop(conn, found, earlier, LOG)
    assert len(ages(plain_database)) == len(ages(plain_database, "spans")) == 1


def test_several_drop_while_others_write_and_fold_without_a_deadlock(plain_database: str) -> None:
    database = plain_database
    put_old(database, *range(0, 40, 2))
    settle(database)
    choose(database, "points=7d,spans=7d,point_rollup_1m=9d")
    stopping = threading.Event()
    failures: list[BaseException] = []

    def write() -> None:
        try:
            while not stopping.is_set():
                # What PostgreSQL says to a COPY that a new partition overtakes; a window tries again.
                with suppress(psycopg.errors.CheckViolation):
                    put_old(database, 0.1, 6, 12, 33)
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            failures.append(error)

    def drop() -> None:
        try:
            for _ in range(3):
                keep(database)
                settle(database)
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            failures.append(error)

    writers = [threading.Thread(target=write) for _ in range(2)]
    droppers = [threading.Thread(target=drop) for _ in range(2)]
    for thread in writers + droppers:
        thread.start()
    for thread in droppers:
        thread.join()
    stopping.set()
    for thread in writers:
        thread.join()
    assert failures == []
    keep(database)
    assert max(ages(database)) < 8.1
    with psycopg.connect(database) as conn:
        row = conn.execute(
            "select deadlocks from pg_stat_database where datname = current_database()"
        ).fetchone()
    assert row == (0,)


def test_rows_of_a_day_whose_part_was_dropped_get_room_again_when_kept_longer(
    plain_database: str,
) -> None:
    work = Maintenance(
        lambda: connect(plain_database, MAINTENANCE), migrate(plain_database, LOG), LOG
    )
    with closing(connect(plain_database, MAINTENANCE)) as conn:
        put_old(plain_database, 9.5, makes_room=False)
        work.make_room(conn)
        choose(plain_database, "points=7d,spans=7d")
        keep(plain_database)
        choose(plain_database, "forever")
        put_old(plain_database, 9.5, makes_room=False)
        work.make_room(conn)
        row = conn.execute("select count(*) from crucible.points_default").fetchone()
    assert row == (0,)
    assert len(ages(plain_database)) == 1


def test_the_maintenance_thread_sees_to_it(plain_database: str) -> None:
    put_old(plain_database, 0.1, 9.5)
    choose(plain_database, "points=7d,spans=7d")
    stopping = threading.Event()
    dropped = threading.Event()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "old partitions of points" in record.getMessage():
                dropped.set()

    log = logging.getLogger("tests.maintained")
    log.setLevel(logging.INFO)
    log.addHandler(Listener())
    work = Maintenance(
        lambda: connect(plain_database, MAINTENANCE), migrate(plain_database, LOG), log
    )
    thread = threading.Thread(target=work.run, args=(stopping,))
    thread.start()
    try:
        assert dropped.wait(30)
    finally:
        stopping.set()
        thread.join()
    assert ages(plain_database) == [0.1]


def test_after_a_move_hypertables_have_policies_and_portable_roll_ups_are_dropped(
    timescale_server: TestServer,
) -> None:
    with timescale_server.database(migrated=False) as dsn:
        migrate(dsn, LOG, timescaledb="off")
        put_old(dsn, 0.1, 9.5, 60)
        assert migrate(dsn, LOG, moves=True).timescaledb is not None
        before = all_rolled_up(dsn)
        choose(dsn, "points=7d,spans=7d")
        keep(dsn)
        assert ages(dsn) == ages(dsn, "spans") == [0.1]
        settle(dsn)
        assert all_rolled_up(dsn) == before
        choose(dsn, "points=7d,point_rollup_1m=8d,point_rollup_1h=20d,point_rollup_1d=90d")
        keep(dsn)
        levels = ("point_rollup_1m", "point_rollup_1h", "point_rollup_1d")
        assert [count(dsn, level) for level in levels] == [1, 2, 3]


@pytest.fixture
def apache_database(timescale_server: TestServer) -> Iterator[str]:
    """The same TimescaleDB, as its Apache edition; skipped where the server is not ours to start."""
    if timescale_server.bin_dir is None:
        pytest.skip("the TimescaleDB server is not ours to start with another licence")
    licence = {"timescaledb.license": "apache"}
    with (
        databases.timescale_of(timescale_server.bin_dir, **licence) as server,
        server.database() as dsn,
    ):
        yield dsn


def test_the_apache_edition_has_its_chunks_dropped(apache_database: str) -> None:
    put_old(apache_database, 0.1, 2, 9.5, 60)
    settle(apache_database)
    before = all_rolled_up(apache_database)
    choose(apache_database, "points=7d,spans=7d")
    for _ in range(2):
        keep(apache_database)
        settle(apache_database)
        assert ages(apache_database) == ages(apache_database, "spans") == [0.1, 2.0]
        assert all_rolled_up(apache_database) == before
    choose(apache_database, "points=7d,spans=7d,point_rollup_1m=8d")
    keep(apache_database)
    assert [count(apache_database, f"point_rollup_1{unit}") for unit in "mhd"] == [2, 4, 4]


def test_a_connected_writer_goes_on_after_its_days_part_was_dropped(plain_database: str) -> None:
    put_old(plain_database, 9.5)
    choose(plain_database, "points=7d,spans=7d")
    with connect(plain_database, INGEST) as writer:
        statement = (
            "insert into crucible.points (series_id, time) values (1, now() - interval '9.5 d')"
        )
        writer.execute(statement.encode())
        keep(plain_database)
        writer.execute(statement.encode())
    assert parts(plain_database, "points") == 1, "the default one"
    execute(plain_database, "delete from crucible.retention")
    assert len(ages(plain_database)) == 1
