"""Arrow batches into PostgreSQL, and finding the rows that it refuses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crucible_collector.store.connect import MAINTENANCE, connect, ingest_connection
from crucible_collector.store.copy import (
    RefusedRow,
    copy,
    copy_what_fits,
    encode,
    is_lasting,
    message_of,
)
from crucible_collector.store.partitions import _make_partition
from rows_of import execute, rows_of

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def points(values: list[float | None], **more: Any) -> pa.RecordBatch:
    columns = {
        "series_id": pa.array(range(len(values)), pa.int64()),
        "time": pa.array([NOON] * len(values), pa.timestamp("us", "UTC")),
        "value": pa.array(values, pa.float64()),
    }
    return pa.RecordBatch.from_pydict({**columns, **more})


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with ingest_connection(database) as one:
        yield one


@pytest.fixture
def plain_connection(plain_database: str) -> Iterator[psycopg.Connection[Any]]:
    with ingest_connection(plain_database) as one:
        yield one


def copied(connection: psycopg.Connection[Any], batch: pa.RecordBatch) -> None:
    copy(connection, "points", batch.schema.names, encode(batch))


def test_what_is_in_a_batch_is_in_the_relation(
    connection: psycopg.Connection[Any], database: str
) -> None:
    exemplars = pa.array(['[{"value": 1.0}]', None, None, None], pa.string())
    copied(connection, points([0.1, None, math.inf, -0.0], exemplars=exemplars))
    rows = rows_of(database, "points", "series_id")
    assert [row["value"] for row in rows] == [0.1, None, math.inf, 0.0]
    assert math.copysign(1, rows[3]["value"]) == -1
    assert [row["exemplars"] for row in rows] == [[{"value": 1.0}], None, None, None]
    assert {row["time"] for row in rows} == {NOON}


def test_a_slice_of_a_batch_is_just_its_rows(
    connection: psycopg.Connection[Any], database: str
) -> None:
    exemplars = pa.array([None, '["b"]', None, '["d"]'], pa.string())
    copied(connection, points([0.0, 1.0, 2.0, 3.0], exemplars=exemplars).slice(1, 2))
    rows = rows_of(database, "points", "series_id")
    assert [(row["series_id"], row["exemplars"]) for row in rows] == [(1, ["b"]), (2, None)]


def test_more_than_one_message_of_rows_arrives_whole(
    connection: psycopg.Connection[Any], database: str
) -> None:
    count = 20_000  # 48 bytes a row: several messages of 256 KiB
    copied(connection, points([1.0] * count))
    assert len(rows_of(database, "points", "series_id")) == count


@given(bad=st.sets(st.integers(0, 16)), count=st.integers(1, 17))
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_all_rows_fit_but_just_those_that_are_refused(
    plain_database: str, bad: set[int], count: int
) -> None:
    execute(
        plain_database,
        "truncate crucible.points; alter table crucible.points drop constraint if exists finite;"
        "alter table crucible.points add constraint finite check (value < 'infinity')",
    )
    batch = points([math.inf if row in bad else 1.0 for row in range(count)])
    with ingest_connection(plain_database) as connection, connection.transaction():
        refused = copy_what_fits(connection, "points", batch)
    assert {each.row for each in refused} == bad & set(range(count))
    assert [row["series_id"] for row in rows_of(plain_database, "points", "series_id")] == [
        row for row in range(count) if row not in bad
    ]


def test_an_error_that_may_pass_is_not_taken_for_a_bad_row(
    connection: psycopg.Connection[Any], database: str
) -> None:
    execute(database, "alter table crucible.points rename column value to other")
    with pytest.raises(psycopg.errors.UndefinedColumn), connection.transaction():
        copy_what_fits(connection, "points", points([1.0, 2.0]))


def test_a_row_whose_days_part_is_attached_meanwhile_is_not_taken_for_a_bad_row(
    plain_connection: psycopg.Connection[Any], plain_database: str
) -> None:
    """It was routed to the default partition, and waited there for its lock."""
    day = datetime(2026, 10, 5, tzinfo=UTC)
    late = points([1.0], time=pa.array([day], pa.timestamp("us", "UTC")))

    def write() -> list[RefusedRow]:
        with plain_connection.transaction():
            return copy_what_fits(plain_connection, "points", late)

    with ThreadPoolExecutor(1) as thread, connect(plain_database, MAINTENANCE) as other:
        with other.transaction():
            assert _make_partition(other, "points", day.date())
            writing = thread.submit(write)
            while not other.execute("select from pg_locks where not granted").fetchall():
                assert not writing.done()
        with pytest.raises(psycopg.errors.CheckViolation):
            writing.result()
    assert write() == []
    assert len(rows_of(plain_database, "points", "series_id")) == 1


@pytest.mark.parametrize(
    ("statement", "lasting"),
    [
        ("select 1 / 0", True),
        ("select 'x'::jsonb", True),
        ("select ''::text || repeat('x', 2000000000)", True),
        ("insert into crucible.ledger values (1, gen_random_uuid(), 's', 'no such outcome')", True),
        ("do $$ begin raise exception 'a trigger speaks'; end $$", True),
        ("select * from crucible.nowhere", False),
        ("set local statement_timeout = 1; select pg_sleep(5)", False),
        ("set local lock_timeout = 'x'", True),
    ],
)
def test_a_refusal_is_lasting_where_the_same_rows_would_meet_it_again(
    plain_connection: psycopg.Connection[Any], statement: str, lasting: bool
) -> None:
    with pytest.raises(psycopg.Error) as caught, plain_connection.transaction():
        plain_connection.execute(statement.encode())
    assert is_lasting(caught.value) is lasting


def test_a_message_does_not_carry_the_row(plain_connection: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.Error) as caught:
        plain_connection.execute(
            "insert into crucible.ledger (journal_id, signal, outcome)"
            " values (gen_random_uuid(), 'private', 'secret')"
        )
    message = message_of(caught.value)
    assert message.startswith("23514: ")
    assert "secret" not in message
    assert "private" not in message


def test_a_lost_connection_has_a_message_too() -> None:
    assert message_of(psycopg.OperationalError("gone\nDETAIL: secret")) == "no answer: gone"
    assert message_of(psycopg.OperationalError()) == "no answer: OperationalError"
    assert not is_lasting(psycopg.OperationalError("gone"))
