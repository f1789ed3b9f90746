"""What of what was acknowledged is in the database, and whether the ledger agrees."""

from __future__ import annotations

from collections import Counter

import psycopg

from harness import Collector, eventually


def stored(dsn: str) -> Counter[bytes]:
    """How often each span id is in the database."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("select span_id from crucible.spans").fetchall()
    return Counter((row[0] & (2**64 - 1)).to_bytes(8, "big") for row in rows)


def stored_count(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("select count(*) from crucible.spans").fetchone()
    return int(row[0]) if row else 0


def assert_each_once(dsn: str, acknowledged: set[bytes]) -> None:
    """Every acknowledged span is there, once; nothing is there that was not acknowledged."""
    eventually(
        lambda: stored_count(dsn) >= len(acknowledged), "everything acknowledged is stored", 120
    )
    found = stored(dsn)
    assert set(found) == acknowledged
    assert max(found.values()) == 1


def assert_ledger_adds_up(running: Collector) -> None:
    ledger = running.ledger()
    assert ledger
    for signal_name, counts in ledger.items():
        by_outcome: Counter[str] = Counter()
        for (outcome, _), count in counts.items():
            by_outcome[outcome] += count
        received = by_outcome.pop("received")
        assert received == by_outcome.total(), (signal_name, counts)
