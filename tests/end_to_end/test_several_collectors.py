"""Several collectors write to one database at once: nothing lost, nothing twice, nobody in the way."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from databases import TestServer
from delivered import assert_each_once, assert_ledger_adds_up
from harness import Collector, collector
from traffic import Sender

COLLECTORS = 3
KILLS = 4


def only_row(dsn: str, question: str) -> tuple[Any, ...]:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return row


@pytest.mark.timeout(600)
def test_three_collectors_share_a_database_while_one_is_killed_and_restarted(
    tmp_path: Path, any_server: TestServer
) -> None:
    """All of them write to the same runs, whose rows they share, in days that none has made yet."""
    chance = random.Random(4)
    with any_server.database() as dsn, ExitStack() as stack:
        nodes = [
            stack.enter_context(collector(tmp_path / f"node-{number}", dsn))
            for number in range(COLLECTORS)
        ]
        senders = [
            Sender(node.addresses["grpc"], run=f"run-{number % 2}", pause_s=0.005).start()
            for number, node in enumerate(nodes * 2)
        ]
        unlucky = nodes[1]
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.3, 1.2))
            unlucky.kill()
            unlucky.start()
        for sender in senders:
            sender.stop()
        assert not any(sender.failures for sender in senders)
        of_each = [sender.acknowledged for sender in senders]
        assert all(len(acknowledged) > 100 for acknowledged in of_each)
        acknowledged = set().union(*of_each)
        assert_each_once(dsn, acknowledged)
        for node in nodes:
            assert_ledger_adds_up(node)
        assert_nobody_was_in_the_way(dsn, nodes)
        assert only_row(dsn, "select count(*) from crucible.positions") == (COLLECTORS,)
        spans_of_runs = only_row(
            dsn, "select count(*) from crucible.spans where run_id in ('run-0', 'run-1')"
        )
        assert spans_of_runs == (len(acknowledged),)


def assert_nobody_was_in_the_way(dsn: str, nodes: list[Collector]) -> None:
    """No deadlock, and no window of a collector that lived on had to be tried again."""
    question = "select deadlocks from pg_stat_database where datname = current_database()"
    assert only_row(dsn, question) == (0,)
    for node in nodes:
        for line in node.metrics().splitlines():
            if line.startswith('crucible_windows_total{outcome="retried"}'):
                assert line.endswith(" 0.0"), (node.data_dir.name, node.log())


def test_collectors_that_start_at_once_on_an_empty_database_all_come_up(
    tmp_path: Path, any_server: TestServer
) -> None:
    with any_server.database(migrated=False) as dsn:
        nodes = [Collector(tmp_path / f"node-{number}", dsn) for number in range(COLLECTORS)]
        try:
            with ThreadPoolExecutor(COLLECTORS) as starting:
                list(starting.map(Collector.start, nodes))
            senders = [Sender(node.addresses["grpc"]).start() for node in nodes]
            time.sleep(0.3)
            for sender in senders:
                sender.stop()
            assert_each_once(dsn, set().union(*(sender.acknowledged for sender in senders)))
            assert_nobody_was_in_the_way(dsn, nodes)
        finally:
            for node in nodes:
                node.close()
