"""The doctor on the columnstore: what should be there and is not is told; a choice is none of its business."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from collector.store.test_columnstore import put_spans, run_policy
from crucible_collector.findings import Finding
from crucible_collector.store.connect import MAINTENANCE, connect
from crucible_collector.store.examine_columnstore import packed
from crucible_collector.store.partitions import Connection
from databases import TestServer


@pytest.fixture
def conn(timescale_server: TestServer) -> Iterator[Connection]:
    with (
        timescale_server.database() as dsn,
        closing(connect(dsn, MAINTENANCE)) as opened,
    ):
        yield opened


def found(conn: Connection) -> Finding:
    (finding,) = packed(conn)
    return finding


def test_days_that_should_be_there_are_told_until_they_are(conn: Connection) -> None:
    assert found(conn).level == "ok"
    put_spans(conn, 3)
    finding = found(conn)
    assert finding.level == "warning"
    assert "3 of spans" in finding.says
    assert finding.facts == {"chunk_count": {"spans": 3}}
    run_policy(conn, "spans")
    assert found(conn).says == "what is old enough is there"


def test_a_policy_that_an_administrator_removed_is_no_fault(conn: Connection) -> None:
    put_spans(conn, 3)
    conn.execute("call remove_columnstore_policy('crucible.spans')")
    finding = found(conn)
    assert finding.level == "ok"
    assert finding.says == "no policy sends spans there"


def test_plain_postgresql_has_none(plain_database: str) -> None:
    with closing(connect(plain_database, MAINTENANCE)) as conn:
        assert found(conn).says == "none: it takes TimescaleDB Community"
