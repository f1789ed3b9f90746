"""Several collectors write what they find to the same periods: nobody deadlocks, nothing is told twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from crucible_collector.store import periods
from crucible_collector.store.connect import ingest_connection
from crucible_collector.store.partitions import Connection
from detected import (
    CHAT,
    PAGER,
    asked,
    episode,
    flag,
    plan,
    watched,
    write,
)

BOTH = plan(CHAT, PAGER)
ALERTS = "select kind, webhook, severity from crucible.alert_outbox order by alert_id"
KINDS = "select kind from crucible.anomaly_feed order by feed_id"


@pytest.fixture
def conn(database: str) -> Iterator[Connection]:
    with closing(ingest_connection(database)) as opened:
        yield opened


@pytest.fixture
def plain_conn(plain_database: str) -> Iterator[Connection]:
    with closing(ingest_connection(plain_database)) as opened:
        yield opened


def period(conn: Connection) -> dict[str, Any]:
    """The only one."""
    (row,) = asked(conn, "select to_jsonb(p) from crucible.anomaly_periods p")
    found: dict[str, Any] = row
    return found


def test_two_collectors_share_a_period_and_its_alert(database: str) -> None:
    """Both open it at once: the second one waits for the first one's commit, and adds to it."""
    with closing(ingest_connection(database)) as one, closing(ingest_connection(database)) as two:
        begun, written = threading.Event(), threading.Event()

        def other() -> None:
            begun.set()
            write(two, episode(flag(2, 5), by=BOTH, opens=True))
            written.set()

        thread = threading.Thread(target=other)
        with one.transaction():
            write(one, episode(flag(1, 3), by=BOTH, opens=True))
            thread.start()
            assert begun.wait(10)
            waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
            with psycopg.connect(database, autocommit=True) as watcher:
                while not asked(watcher, waiting)[0]:
                    pass
            assert not written.is_set()
        thread.join(10)
        found = period(one)
        assert (found["flag_count"], found["peak_score"]) == (2, 5)
        assert asked(one, ALERTS) == [("firing", "chat", "warning")]
        assert asked(one, "select sum(starts_period::int) from crucible.anomalies") == [1]


def test_collectors_that_meet_the_same_series_in_any_order_never_deadlock(
    plain_database: str,
) -> None:
    failures: list[Exception] = []

    def collect(number: int) -> None:
        with closing(ingest_connection(plain_database)) as conn:
            try:
                for window in range(12):
                    keys = range(8) if (window + number) % 2 else range(7, -1, -1)
                    found = []
                    for key in keys:
                        about: dict[str, Any] = {"of": watched(key), "by": BOTH}
                        found.append(episode(ended=window, **about))
                        found.append(episode(flag(window + 0.5), **about))
                    write(conn, *found)
            except psycopg.Error as error:
                failures.append(error)

    threads = [threading.Thread(target=collect, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    with psycopg.connect(plain_database) as conn:
        assert asked(conn, "select sum(flag_count) from crucible.anomaly_periods") == [3 * 12 * 8]
        firing = "select period_id from crucible.alert_outbox where kind = 'firing' order by 1"
        every = "select period_id from crucible.anomaly_periods order by 1"
        assert asked(conn, firing) == asked(conn, every)
        opened = "select period_id from crucible.anomaly_feed where kind = 'opened' order by 1"
        assert asked(conn, opened) == asked(conn, every)


def test_the_feed_is_committed_in_the_order_of_its_ids(plain_database: str) -> None:
    """Who has an id has waited for whoever had an earlier one: a reader that follows misses nothing."""
    with (
        closing(ingest_connection(plain_database)) as one,
        closing(ingest_connection(plain_database)) as two,
    ):
        with one.transaction():
            write(one, episode(flag(), of=watched(1)))
            two.execute("set lock_timeout = '50ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                write(two, episode(flag(), of=watched(2)))
        write(two, episode(flag(), of=watched(2)))
        keys = "select body ->> 'watch_id' from crucible.anomaly_feed order by feed_id"
        assert asked(two, keys) == [f"{1:016x}", f"{2:016x}"]


def test_a_collector_that_catches_up_does_not_end_what_began_later(conn: Connection) -> None:
    write(conn, episode(flag(100)))
    write(conn, episode(ended=50))
    assert period(conn)["state"] == "active"


def test_what_another_collector_flagged_before_the_end_is_part_of_it(conn: Connection) -> None:
    write(conn, episode(flag(1), ended=5, by=BOTH))
    write(conn, episode(flag(4, 8), by=BOTH))
    found = period(conn)
    assert (found["state"], found["flag_count"], found["peak_score"]) == ("resolved", 2, 8)
    write(conn, episode(flag(6), by=BOTH))
    assert asked(conn, "select state from crucible.anomaly_periods order by started_at") == [
        "resolved",
        "active",
    ]
    assert [kind for kind, _, _ in asked(conn, ALERTS)] == ["firing", "resolved", "firing"]


def test_what_comes_long_after_the_end_begins_another(conn: Connection) -> None:
    """Clocks may have been set back: nothing goes unseen for longer than collectors are late."""
    write(conn, episode(flag(1), ended=5))
    conn.execute("update crucible.anomaly_periods set state_at = now() - %s", (periods.LATE,))
    write(conn, episode(flag(4)))
    assert asked(conn, "select flag_count from crucible.anomaly_periods") == [1, 1]
