"""The doctor says where hints are far behind."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import closing

import pytest

from crucible_collector.findings import Finding
from crucible_collector.store.connect import MAINTENANCE, connect
from crucible_collector.store.examine_traces import traces
from crucible_collector.store.partitions import Connection
from hinted import DAY, build
from rows_of import execute
from stored import Stored

NOW = dt.datetime.now(dt.UTC)


@pytest.fixture
def conn(database: str) -> Iterator[Connection]:
    with closing(connect(database, MAINTENANCE)) as opened:
        yield opened


def found(conn: Connection) -> Finding:
    (finding,) = traces(conn)
    return finding


def test_a_new_store_is_well_and_so_is_one_with_hints(conn: Connection, database: str) -> None:
    assert found(conn).level == "ok"
    Stored(conn).span(time=NOW - 20 * DAY)
    build(database, NOW)
    assert found(conn).level == "ok"


def test_hints_that_are_far_behind_are_told(conn: Connection, database: str) -> None:
    Stored(conn).span(time=NOW - 20 * DAY)
    build(database, NOW - 2 * DAY)
    assert found(conn).level == "ok"
    build(database, NOW - 5 * DAY)
    finding = found(conn)
    assert finding.level == "warning"
    assert finding.facts["days_behind"] in (5, 6)


def test_hints_that_were_never_made_or_of_another_server_are_behind_since_the_oldest_row(
    conn: Connection, database: str
) -> None:
    Stored(conn).log(time=NOW - 20 * DAY)
    assert found(conn).facts["since"] == str((NOW - 20 * DAY).date())
    build(database, NOW)
    execute(database, "update crucible.trace_horizon set hash_check = hash_check + 1")
    assert found(conn).level == "warning"
