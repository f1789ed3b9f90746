"""Reading ahead gives the same rows, and ends with whoever stops taking them."""

from __future__ import annotations

import threading
import time

import pytest

from crucible_collector.errors import QueryTooSlowError
from crucible_collector.store import copy_ahead as module
from crucible_collector.store.copy_ahead import copied_ahead
from crucible_collector.store.copy_out import copying, schema_of

ROWS = "select n, 'text ' || n as text from generate_series(1, 100000) n"
ENDLESS = "select generate_series(1, 10000000000) as n"
SLOW = "select n from generate_series(1, 2) n, pg_sleep(60)"


class StopError(Exception):
    pass


def threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name == "copy-out"]


def test_all_rows_come_in_their_order(plain_database: str) -> None:
    with copying(plain_database) as connection:
        schema = schema_of(connection, ROWS)
        batches = list(copied_ahead(connection, ROWS, None, schema, lambda: None))
    numbers = [number for batch in batches for number in batch.column(0).to_pylist()]
    assert numbers == list(range(1, 100_001))
    assert len(batches) > 1
    assert not threads()


def test_who_stops_taking_ends_the_statement_and_the_thread(plain_database: str) -> None:
    with copying(plain_database) as connection:
        batches = copied_ahead(
            connection, ENDLESS, None, schema_of(connection, ENDLESS), lambda: None
        )
        next(batches)
        batches.close()
        assert not threads()


def test_who_waits_for_the_server_may_give_up(
    plain_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TICK_S", 0.02)

    def give_up() -> None:
        raise StopError

    began = time.monotonic()
    with copying(plain_database) as connection, pytest.raises(StopError):
        list(copied_ahead(connection, SLOW, None, schema_of(connection, SLOW), give_up))
    assert time.monotonic() - began < 10
    assert not threads()


def test_what_the_server_says_is_raised_where_rows_are_taken(plain_database: str) -> None:
    with (
        copying(plain_database, {"statement_timeout": "50ms"}) as connection,
        pytest.raises(QueryTooSlowError),
    ):
        list(copied_ahead(connection, SLOW, None, schema_of(connection, SLOW), lambda: None))
