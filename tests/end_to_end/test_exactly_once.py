"""What was acknowledged is stored, once: through killed processes, cut connections and late commits."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from databases import TestServer
from delivered import assert_each_once, assert_ledger_adds_up, stored
from harness import Collector, collector, eventually
from proxy import PostgresProxy
from traffic import Sender, batch_span, export, trace_request

KILL_ROUNDS = 20


@pytest.mark.timeout(600)
def test_a_collector_killed_at_random_moments_stores_what_it_acknowledged_once(
    tmp_path: Path, plain_database: str
) -> None:
    chance = random.Random(20261123)
    running = Collector(tmp_path / "data", plain_database)
    try:
        running.start()
        senders = [
            Sender(running.addresses["grpc"], run=f"run-{index}", pause_s=0.002).start()
            for index in range(2)
        ]
        for _ in range(KILL_ROUNDS):
            time.sleep(chance.uniform(0.02, 0.6))
            running.kill()
            running.start()
        for sender in senders:
            sender.stop()
        acknowledged = set().union(*(sender.acknowledged for sender in senders))
        assert not any(sender.failures for sender in senders)
        assert len(acknowledged) > 1_000
        assert_each_once(plain_database, acknowledged)
        assert_ledger_adds_up(running)
    finally:
        running.close()


@pytest.mark.timeout(300)
def test_a_killed_database_costs_nothing(tmp_path: Path) -> None:
    """PostgreSQL is the collector's own here: it is restarted and recovers by itself."""
    chance = random.Random(7)
    with collector(tmp_path / "data") as running:
        sender = Sender(running.addresses["grpc"], pause_s=0.002).start()
        killed = 0
        for _ in range(4):
            time.sleep(chance.uniform(0.2, 1.0))
            killed = eventually(
                lambda before=killed: postmaster_of(running.running.pid, before),  # type: ignore[misc]
                "the database is up again",
                60,
            )
            os.kill(killed, signal.SIGKILL)
        sender.stop()
        expected = len(sender.acknowledged)
        eventually(lambda: stored_spans(running) >= expected, "everything is stored", 60)
        assert Counter(ids_over_rest(running)) == Counter(id_.hex() for id_ in sender.acknowledged)
        assert_ledger_adds_up(running)


def postmaster_of(pid: int, before: int) -> int | None:
    """The process id of the collector's own PostgreSQL, once it is another than `before`."""
    for child in psutil.Process(pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if "postgres" in child.name() and child.pid != before:
                return child.pid
    return None


def ids_over_rest(running: Collector) -> Iterator[str]:
    """The id of every stored span, page by page."""
    cursor = ""
    while True:
        page = running.get(f"/api/v1/events?limit=1000{cursor}")
        yield from (event["span_id"] for event in page["data"])
        if not page["meta"]["has_more"]:
            return
        cursor = f"&cursor={page['meta']['next_cursor']}"


def stored_spans(running: Collector) -> int:
    return running.ledger().get("spans", {}).get(("stored", ""), 0)


@contextmanager
def proxied(dsn: str) -> Iterator[PostgresProxy]:
    proxy = PostgresProxy(dsn)
    try:
        yield proxy
    finally:
        proxy.close()


def test_a_connection_cut_in_the_middle_of_a_copy_costs_nothing(
    tmp_path: Path, database: str
) -> None:
    with proxied(database) as proxy, collector(tmp_path / "data", proxy.dsn_through) as running:
        sender = Sender(running.addresses["grpc"], spans_per_request=512, pause_s=0.01).start()
        for cut in range(3):
            proxy.copy_bytes_until_cut = 100_000
            eventually(lambda cut=cut: proxy.cut_count > cut, "a COPY was cut")  # type: ignore[misc]
        sender.stop()
        assert_each_once(database, sender.acknowledged)
        assert_ledger_adds_up(running)


def test_a_commit_that_arrives_after_the_collector_has_reconnected_stores_nothing_twice(
    tmp_path: Path, database: str
) -> None:
    with proxied(database) as proxy, collector(tmp_path / "data", proxy.dsn_through) as running:
        export(running.addresses["grpc"], trace_request([batch_span(0)]))
        eventually(lambda: stored(database), "the first span is stored")
        sender = Sender(running.addresses["grpc"], spans_per_request=10, pause_s=0.01).start()
        proxy.commits_to_hold = 1
        assert proxy.was_held.wait(20)
        # The collector has lost its connection and is back, waiting for the position's row.
        eventually(lambda: _is_waiting_for_the_position(database), "the collector has reconnected")
        proxy.release()
        sender.stop()
        found = eventually(
            lambda: (c := stored(database)) and len(c) >= len(sender.acknowledged) + 1 and c,
            "everything acknowledged is stored",
        )
        assert len(found) == len(sender.acknowledged) + 1
        assert max(found.values()) == 1
        assert_ledger_adds_up(running)


def _is_waiting_for_the_position(dsn: str) -> bool:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
            " and query like '%%crucible.positions%%'"
        ).fetchone()
    return row is not None and row[0] > 0


def test_a_request_sent_ten_times_is_stored_once_over_restarts_and_collectors(
    tmp_path: Path, any_server: TestServer
) -> None:
    request = trace_request([batch_span(step) for step in range(20)])
    with any_server.database() as dsn:
        first = Collector(tmp_path / "one", dsn)
        try:
            first.start()
            for _ in range(5):
                export(first.addresses["grpc"], request)
            first.stop()
            first.start()
            for _ in range(3):
                export(first.addresses["grpc"], request)
            with collector(tmp_path / "two", dsn) as second:
                for _ in range(2):
                    export(second.addresses["grpc"], request)
                eventually(
                    lambda: second.ledger()["spans"].get(("received", "")) == 200, "all is counted"
                )
                found = stored(dsn)
                assert len(found) == 20
                assert max(found.values()) == 1
                spans = second.ledger()["spans"]
                assert spans["stored", ""] == 20
                assert spans["duplicate", ""] == 180
        finally:
            first.close()


def test_data_acknowledged_while_the_database_is_away_arrives_when_it_is_back(
    tmp_path: Path, any_server: TestServer
) -> None:
    with any_server.database() as dsn, proxied(dsn) as proxy:
        away = proxy.dsn_through
        proxy.close()  # nobody listens there yet
        running = Collector(tmp_path / "data", away)
        try:
            running.start()
            export(
                running.addresses["grpc"], trace_request([batch_span(step) for step in range(9)])
            )
            running.stop()
            running.database_url = dsn
            running.start()
            eventually(lambda: len(stored(dsn)) == 9, "what the journal held is stored")
        finally:
            running.close()
