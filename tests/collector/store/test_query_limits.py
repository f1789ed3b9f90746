"""No question takes more of the database than it may: not of time, of bytes, or of connections."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import psycopg
import pytest

from crucible_collector.errors import (
    AnswerTooLargeError,
    DatabaseAwayError,
    QueriesTooManyError,
    QueryTooSlowError,
)
from crucible_collector.store import read
from crucible_collector.store.asking import CURRENT, Asking
from crucible_collector.store.connect import reader_pool
from crucible_collector.store.read import Reader
from harness import eventually

SLOW = "-- How long does an hour take?\nselect pg_sleep(3600)"
LARGE = "-- What is larger than may be?\nselect repeat('x', 1024 * 1024) as text from generate_series(1, 64)"
SMALL = "-- Is anybody there?\nselect 1 as one"
QUESTIONS = {"slow": SLOW, "large": LARGE, "small": SMALL}


@pytest.fixture(autouse=True)
def _questions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Questions that no route asks, under names of their own."""
    named = read.query_text
    monkeypatch.setattr(read, "query_text", lambda name: QUESTIONS.get(name) or named(name))


@pytest.fixture
def watching(plain_database: str) -> Iterator[psycopg.Connection[tuple[int]]]:
    with psycopg.connect(plain_database, autocommit=True) as connection:
        yield connection


def _asked_count(watching: psycopg.Connection[tuple[int]]) -> int:
    """Questions that the server works on."""
    row = watching.execute(
        "select count(*) from pg_stat_activity where datname = current_database()"
        " and application_name = 'crucible read' and state = 'active'"
    ).fetchone()
    assert row is not None
    return row[0]


def test_the_time_limit_ends_the_query_on_the_server(
    plain_database: str, watching: psycopg.Connection[tuple[int]]
) -> None:
    with reader_pool(plain_database, timeout_s=0.2) as pool, ThreadPoolExecutor(1) as thread:
        reader = Reader(pool)
        began = time.monotonic()
        asked = thread.submit(reader.json_rows, "slow")
        with pytest.raises(QueryTooSlowError, match="'slow' ran into its time limit"):
            asked.result()
        assert time.monotonic() - began < 10
        assert _asked_count(watching) == 0
        assert reader.json_rows("small") == ['{"one":1}']


def test_a_query_ends_on_the_server_when_nobody_waits_for_it_any_more(
    plain_database: str, watching: psycopg.Connection[tuple[int]]
) -> None:
    with reader_pool(plain_database, readers_max=1) as pool, ThreadPoolExecutor(1) as thread:
        reader, asking = Reader(pool, queries_max=1), Asking()
        token = CURRENT.set(asking)
        asked = thread.submit(copy_context().run, reader.json_rows, "slow")
        CURRENT.reset(token)
        eventually(lambda: _asked_count(watching) == 1, "the server works on it")
        asking.end()
        with pytest.raises(QueryTooSlowError):
            asked.result(timeout=10)
        eventually(lambda: _asked_count(watching) == 0, "the server works on it no more")
        assert reader.json_rows("small") == ['{"one":1}']


def test_nothing_more_is_asked_for_one_who_has_gone(plain_database: str) -> None:
    asking = Asking()
    asking.end()

    def ask() -> None:
        CURRENT.set(asking)
        reader.json_rows("small")

    with reader_pool(plain_database) as pool:
        reader = Reader(pool)
        with pytest.raises(QueryTooSlowError, match="nobody waits"):
            copy_context().run(ask)


def test_an_answer_has_no_more_bytes_than_it_may(plain_database: str) -> None:
    with reader_pool(plain_database, readers_max=1) as pool:
        reader = Reader(pool)
        with pytest.raises(AnswerTooLargeError, match=f"larger than {read.ANSWER_BYTES_MAX} bytes"):
            reader.json_rows("large")
        assert reader.json_rows("small") == ['{"one":1}']


def test_one_question_too_many_waits_for_its_turn_and_is_told_so(
    plain_database: str,
    watching: psycopg.Connection[tuple[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(read, "CONNECTION_TIMEOUT_S", 0.2)
    with reader_pool(plain_database, readers_max=1) as pool, ThreadPoolExecutor(1) as thread:
        reader, asking = Reader(pool, queries_max=1), Asking()
        token = CURRENT.set(asking)
        asked = thread.submit(copy_context().run, reader.json_rows, "slow")
        CURRENT.reset(token)
        eventually(lambda: _asked_count(watching) == 1, "the first is asked")
        with pytest.raises(QueriesTooManyError, match="1 questions are being asked"):
            reader.json_rows("small")
        monkeypatch.setattr(read, "CONNECTION_TIMEOUT_S", 20.0)
        ending = threading.Thread(target=asking.end)
        ending.start()
        assert reader.json_rows("small") == ['{"one":1}']
        ending.join()
        with pytest.raises(QueryTooSlowError):
            asked.result(timeout=10)


def test_a_database_that_is_away_is_not_told_as_too_many_questions() -> None:
    with (
        reader_pool("postgresql://nobody@127.0.0.1:1/none") as pool,
        pytest.raises(DatabaseAwayError, match="no connection"),
    ):
        Reader(pool).json_rows("small")
