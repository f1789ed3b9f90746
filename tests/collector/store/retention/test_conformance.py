"""Whoever drops, rows go when they are older than chosen, and what was made of them stays."""

from __future__ import annotations

import logging
from contextlib import closing

import psycopg
import pytest
from psycopg import conninfo

from crucible_collector.errors import DatabaseError
from crucible_collector.retention import RELATIONS, parse
from crucible_collector.store.connect import MAINTENANCE, connect
from crucible_collector.store.migrate import migrate
from crucible_collector.store.retention import Retention, chosen
from crucible_collector.store.roles import WRITER
from kept import LOG, ages, all_rolled_up, choose, count, keep, put_old
from rolled import settle
from rows_of import execute

COUNTED = ("point_rollup_1m", "point_rollup_1h", "point_rollup_1d",
           "span_rollup_1m", "span_rollup_1h", "span_rollup_1d",
           "span_latency_1h", "span_latency_1d")  # fmt: skip


def test_nothing_goes_unless_somebody_chose_so(database: str) -> None:
    put_old(database, 0.1, 400, 4000)
    keep(database)
    choose(database, "none")
    keep(database)
    choose(database, "forever")
    keep(database)
    assert ages(database) == ages(database, "spans") == [0.1, 400.0, 4000.0]


def test_what_is_dropped_stays_in_the_roll_ups_and_what_comes_late_gets_there(
    database: str,
) -> None:
    put_old(database, 0.1, 2, 5, 9.5, 60)
    settle(database)
    before = all_rolled_up(database)
    choose(database, "spans=7d,points=7d")
    keep(database)
    assert ages(database) == ages(database, "spans") == [0.1, 2.0, 5.0]
    settle(database)
    assert all_rolled_up(database) == before
    put_old(database, 2)
    for _ in range(2):
        settle(database)
        keep(database)
        assert {view: count(database, view) for view in COUNTED} == dict.fromkeys(COUNTED, 6)


def test_what_was_never_settled_is_rolled_up_before_it_is_dropped(database: str) -> None:
    put_old(database, 0.1, 9.5, 60)
    choose(database, "spans=7d,points=7d")
    keep(database)
    assert ages(database) == ages(database, "spans") == [0.1]
    settle(database)
    assert {view: count(database, view) for view in COUNTED} == dict.fromkeys(COUNTED, 3)


@pytest.mark.parametrize("longer", ["spans=90d,points=90d", "forever"])
def test_keeping_longer_from_now_on_does_not_empty_what_rows_are_gone_from(
    database: str, longer: str
) -> None:
    put_old(database, 0.1, 9.5, 20)
    settle(database)
    choose(database, "spans=7d,points=7d")
    keep(database)
    settle(database)
    before = all_rolled_up(database)
    choose(database, longer)
    keep(database)
    settle(database)
    assert all_rolled_up(database) == before
    put_old(database, 4, 30)
    keep(database)
    settle(database)
    assert ages(database) == [0.1, 4.0, 30.0]
    assert count(database, "span_rollup_1m") >= 4


def test_roll_ups_go_level_by_level(database: str) -> None:
    put_old(database, 0.1, 3, 40, 80, 300)
    settle(database)
    choose(
        database,
        "points=2d,point_rollup_1m=15d,point_rollup_1h=60d,point_rollup_1d=120d,"
        "spans=2d,span_rollup_1m=15d,span_latency_1h=60d",
    )
    for _ in range(2):
        keep(database)
        settle(database)
        found = {view: count(database, view) for view in COUNTED}
        assert found == {
            "point_rollup_1m": 2,
            "point_rollup_1h": 3,
            "point_rollup_1d": 4,
            "span_rollup_1m": 2,
            "span_rollup_1h": 5,
            "span_rollup_1d": 5,
            "span_latency_1h": 3,
            "span_latency_1d": 5,
        }


def test_no_row_goes_before_its_time_nor_stays_more_than_a_part_longer(database: str) -> None:
    written = [hours / 24 + 0.01 for hours in range(0, 24 * 7, 3)]
    put_old(database, *written)
    choose(database, "points=60h,spans=60h")
    keep(database)
    found = ages(database)
    kept = [age for age in written if age <= 2.5]
    assert found[: len(kept)] == pytest.approx(kept, abs=0.06)
    assert max(found) <= 3.5
    assert found == ages(database, "spans")


def test_rows_that_come_after_their_part_was_dropped_go_the_next_time(database: str) -> None:
    put_old(database, 0.1, 9.5)
    choose(database, "points=7d,spans=7d")
    keep(database)
    put_old(database, 9.5)
    put_old(database, 9.4, makes_room=False)
    assert len(ages(database)) == 3
    keep(database)
    assert ages(database) == ages(database, "spans") == [0.1]


def test_what_was_chosen_lies_in_the_database_until_another_start_says_otherwise(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    def lies() -> dict[str, str | None]:
        with psycopg.connect(database) as conn:
            rows = conn.execute("select relation, kept::text from crucible.retention").fetchall()
        return dict(rows)

    assert lies() == {}
    with caplog.at_level(logging.INFO):
        choose(database, "spans=30d,logs=36h")
        assert lies() == dict.fromkeys(RELATIONS) | {"spans": "30 days", "logs": "1 day 12:00:00"}
        choose(database, "spans=30d,logs=36h")
        migrate(database, LOG)
        choose(database, "none")
        assert lies()["spans"] == "30 days"
        choose(database, "logs=3d")
        assert lies() == dict.fromkeys(RELATIONS) | {"logs": "3 days"}
        choose(database, "forever")
    assert caplog.messages == [
        "retention: spans 30d, logs 36h; all else for ever",
        "retention: logs 3d; all else for ever",
        "retention: everything is kept for ever",
    ]


def test_what_somebody_wrote_there_that_cannot_be_drops_nothing_and_is_told(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    put_old(database, 60)
    execute(
        database,
        "insert into crucible.retention (relation, kept) values ('spans', '9 d'),"
        " ('span_rollup_1m', '3 d')",
    )
    with closing(connect(database, MAINTENANCE)) as conn:
        with pytest.raises(DatabaseError, match=r"crucible\.retention has span_rollup_1m = 3d"):
            chosen.read(conn)
        Retention(migrate(database, LOG), LOG).keep(conn)
    (says,) = caplog.messages
    assert says.startswith(
        "nothing is dropped: crucible.retention has span_rollup_1m = 3d: at least"
    )
    assert len(ages(database)) == 1
    choose(database, "spans=9d,points=9d")
    keep(database)
    assert ages(database) == []


def test_a_writer_neither_chooses_nor_drops_and_says_so_once(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    put_old(database, 60)
    writing = conninfo.make_conninfo(database, options=f"-c role={WRITER}")
    with closing(connect(writing, MAINTENANCE)) as conn:
        chosen.choose(conn, parse("spans=9d") or {}, LOG)
        assert "retention stays as it is in the database" in caplog.messages[0]
        choose(database, "spans=9d,points=9d")
        clock = iter(range(0, 100_000, 7200))
        step = Retention(migrate(database, LOG), LOG, clock=lambda: next(clock))
        for _ in range(3):
            step.keep(conn)
    assert ["this user may not drop rows" in says for says in caplog.messages] == [False, True]
    assert len(ages(database)) == 1
