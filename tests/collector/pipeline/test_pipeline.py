"""The loop from journal to database: nothing stops it, and nothing is lost or stored twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from google.protobuf.message import Message

from crucible_collector.enrich.window import Known
from crucible_collector.journal import DeadLetters, Journal, Window
from crucible_collector.metrics import REGISTRY
from crucible_collector.pipeline import pipeline as module
from crucible_collector.pipeline import windows
from crucible_collector.pipeline.pipeline import Pipeline
from crucible_collector.pipeline.prepare import prepare
from crucible_collector.rows import WindowRows
from crucible_collector.store.connect import ingest_connection
from crucible_collector.store.outcomes import Written
from crucible_collector.store.window import WindowWriter
from journals import segment_files
from proxy import PostgresProxy
from rows_of import (
    RECEIVED_NS,
    entry_of,
    execute,
    imbalance,
    ledger,
    rows_of,
    span_ids,
    span_of,
    traces,
)

WAIT_S = 60.0
GRACE_S = 30.0


def request(number: int, **attributes: str | float) -> Message:
    return traces(span_of(number, **attributes))


@dataclass
class Progress:
    """What the pipeline has committed; `until` waits for a window's end."""

    _ends: list[int] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def committed(self, rows: WindowRows, _written: Written) -> None:
        with self._changed:
            self._ends.append(rows.end)
            self._changed.notify_all()

    def until(self, end: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: end in self._ends, WAIT_S), self._ends
            self._ends.clear()


@dataclass
class Place:
    """A journal and its dead letters, and a pipeline over them once it runs."""

    journal: Journal
    dead_letters: DeadLetters
    progress: Progress = field(default_factory=Progress)

    def append(self, *requests: Message) -> int:
        """Returns the end of what is durable then."""
        futures = [self.journal.append(entry_of(each)) for each in requests]
        return max(future.result(WAIT_S) for future in futures)

    @contextmanager
    def running(
        self, dsn: str, connect: Callable[[], psycopg.Connection[Any]] | None = None
    ) -> Iterator[Pipeline]:
        made = connect or (lambda: ingest_connection(dsn))
        writer = WindowWriter(made, self.journal.journal_id, "test")
        pipeline = Pipeline(
            self.journal, writer, self.dead_letters, committed=self.progress.committed
        )
        pipeline.start()
        try:
            yield pipeline
        finally:
            pipeline.stop(GRACE_S)
            assert not pipeline.is_alive()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr(module, "_RETRY_FIRST_S", 0.01)
    with ExitStack() as stack:
        journal = stack.enter_context(
            Journal.open(tmp_path / "journal", segment_bytes=1 << 16, bytes_max=1 << 24)
        )
        yield Place(journal, stack.enter_context(DeadLetters.open(tmp_path / "dead")))


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"crucible_{name}_total", labels) or 0.0


def test_what_waits_and_what_comes_is_stored_and_released(place: Place, database: str) -> None:
    place.append(*map(request, range(1, 4)))
    with place.running(database) as pipeline:
        place.progress.until(place.journal.tail)
        place.progress.until(place.append(request(4), request(5)))
        assert span_ids(database) == [1, 2, 3, 4, 5]
        assert pipeline.is_writing
    assert pipeline.position == place.journal.tail
    assert place.journal.bytes_used == 0
    assert pipeline.lag_s(RECEIVED_NS / 1e9 + 100) == 0


def test_stopping_writes_what_the_journal_holds(place: Place, plain_database: str) -> None:
    place.append(*map(request, range(1, 200)))
    with place.running(plain_database):
        pass
    assert span_ids(plain_database) == list(range(1, 200))


def test_stopping_without_a_database_takes_no_longer_than_its_grace(
    place: Place, plain_database: str
) -> None:
    def away() -> psycopg.Connection[Any]:
        raise psycopg.OperationalError("nobody is there")

    place.append(request(1))
    writer = WindowWriter(away, place.journal.journal_id, "test")
    pipeline = Pipeline(place.journal, writer, place.dead_letters)
    pipeline.start()
    begun_s = time.monotonic()
    pipeline.stop(0.5)
    assert time.monotonic() - begun_s < 5
    assert not pipeline.is_alive()
    assert not pipeline.is_writing
    assert place.journal.bytes_used > 0
    with place.running(plain_database):
        pass
    assert span_ids(plain_database) == [1]


def test_a_database_that_was_away_is_caught_up_by_itself(place: Place, plain_database: str) -> None:
    attempts = 0

    def connect() -> psycopg.Connection[Any]:
        nonlocal attempts
        attempts += 1
        if attempts <= 3:
            raise psycopg.OperationalError("not yet")
        return ingest_connection(plain_database)

    end = place.append(request(1), request(2))
    with place.running(plain_database, connect) as pipeline:
        place.progress.until(end)
        assert pipeline.is_writing
    assert attempts == 4
    assert span_ids(plain_database) == [1, 2]


def test_a_connection_cut_in_the_middle_of_a_copy_costs_nothing(
    place: Place, plain_database: str
) -> None:
    proxy = PostgresProxy(plain_database, copy_bytes_until_cut=1)
    try:
        end = place.append(*map(request, range(1, 50)))
        with place.running(proxy.dsn_through):
            place.progress.until(end)
        assert proxy.cut_count == 1
    finally:
        proxy.close()
    assert span_ids(plain_database) == list(range(1, 50))
    assert ledger(plain_database) == {("spans", "received", ""): 49, ("spans", "stored", ""): 49}


@pytest.mark.parametrize("bad", [1, 20, 40])
def test_a_request_that_cannot_be_prepared_is_set_aside_alone(
    place: Place, plain_database: str, monkeypatch: pytest.MonkeyPatch, bad: int
) -> None:
    """A defect of ours: found by halves, so that its neighbours do not wait for one at a time."""
    poison, tries = span_of(bad).trace_id, []

    def failing(window: Window, known: Known, *rest: Any) -> WindowRows:
        tries.append(len(window))
        if poison in window.buffer.tobytes():
            raise ZeroDivisionError("a defect")
        return prepare(window, known, *rest)

    monkeypatch.setattr(windows, "prepare", failing)
    end = place.append(*map(request, range(1, 41)))
    with place.running(plain_database):
        place.progress.until(end)
    assert span_ids(plain_database) == [number for number in range(1, 41) if number != bad]
    (letter,) = place.dead_letters
    assert letter.body == request(bad).SerializeToString()
    assert (letter.reason, "a defect" in letter.message) == ("corrupt", True)
    counts = ledger(plain_database)
    assert counts["spans", "rejected", "corrupt"] == 1
    assert imbalance(counts) == {"spans": 0}
    assert len(tries) < 25


def test_rows_that_the_database_refuses_are_dead_letters_with_what_it_said(
    place: Place, database: str
) -> None:
    execute(database, "alter table crucible.spans add constraint no_13 check (step <> 13)")
    before = counted("dead_letters", signal="spans")
    bad = traces(span_of(1, crucible__step=1), span_of(2, crucible__step=13))
    end = place.append(request(3, crucible__step=3), bad, request(4))
    with place.running(database):
        place.progress.until(end)
        place.progress.until(place.append(request(5)))
    assert span_ids(database) == [1, 3, 4, 5]
    (letter,) = place.dead_letters
    assert letter.body == bad.SerializeToString()
    assert letter.reason == "refused_by_database"
    assert letter.message.startswith("record 1: spans: 23514: ")
    assert counted("dead_letters", signal="spans") - before == 1


def test_dead_letters_without_room_are_counted_and_the_stream_goes_on(
    place: Place, plain_database: str, tmp_path: Path
) -> None:
    execute(plain_database, "alter table crucible.spans add constraint no_13 check (step <> 13)")
    before = counted("dropped_dead_letters")
    with DeadLetters.open(tmp_path / "full", bytes_max=1) as full:
        place.dead_letters = full
        end = place.append(request(13, crucible__step=13), request(14))
        with place.running(plain_database):
            place.progress.until(end)
        assert full.count == 0
    assert span_ids(plain_database) == [14]
    assert counted("dropped_dead_letters") - before == 1


def set_back(database: str, position: int) -> None:
    """What a database restored from an hour ago looks like."""
    execute(
        database,
        "truncate crucible.spans, crucible.requests, crucible.ledger, crucible.resources,"
        f" crucible.scopes; update crucible.positions set position = {position}",
    )


@pytest.mark.parametrize("is_idle", [True, False])
def test_a_database_set_back_is_caught_up(
    place: Place, plain_database: str, monkeypatch: pytest.MonkeyPatch, is_idle: bool
) -> None:
    monkeypatch.setattr(module, "_ASK_AGAIN_S", 0.0 if is_idle else 1e9)
    first = place.journal.head
    with place.running(plain_database):
        place.progress.until(place.append(request(1)))
        place.progress.until(place.append(request(2)))
        set_back(plain_database, first)
        end = place.journal.tail if is_idle else place.append(request(3))
        place.progress.until(end)
    numbers = [1, 2] if is_idle else [1, 2, 3]
    assert span_ids(plain_database) == numbers
    assert ledger(plain_database)["spans", "stored", ""] == len(numbers)
    assert len(rows_of(plain_database, "resources")) == len(rows_of(plain_database, "scopes")) == 1


def test_a_window_of_nothing_but_damage_is_passed_by(
    place: Place, plain_database: str, tmp_path: Path
) -> None:
    uncaught = counted("uncaught_errors", loop="pipeline")
    end = place.append(request(1))
    segment_files(tmp_path / "journal")[0].unlink()
    with place.running(plain_database) as pipeline:
        place.progress.until(end)
        assert pipeline.is_alive()
    assert span_ids(plain_database) == []
    assert counted("uncaught_errors", loop="pipeline") == uncaught


def test_a_journal_that_lost_its_end_does_not_lose_what_comes_next(
    place: Place, plain_database: str
) -> None:
    place.append(request(1))
    with place.running(plain_database):
        pass
    execute(plain_database, "update crucible.positions set position = position + 1000000")
    with place.running(plain_database):
        place.progress.until(place.append(request(2)))
    assert span_ids(plain_database) == [1, 2]


def test_a_defect_in_the_loop_is_counted_and_the_loop_goes_on(
    place: Place, plain_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    uncaught = counted("uncaught_errors", loop="pipeline")
    committed = place.progress.committed
    failures = iter([True])

    def failing(rows: WindowRows, written: Written) -> None:
        committed(rows, written)
        if next(failures, False):
            raise ZeroDivisionError("a defect behind the commit")

    monkeypatch.setattr(place.progress, "committed", failing)
    with place.running(plain_database):
        place.progress.until(place.append(request(1)))
        place.progress.until(place.append(request(2)))
    assert span_ids(plain_database) == [1, 2]
    assert counted("uncaught_errors", loop="pipeline") == uncaught + 1


def test_lag_is_the_age_of_the_newest_stored_request_while_another_waits(
    place: Place, plain_database: str
) -> None:
    with place.running(plain_database) as pipeline:
        assert pipeline.lag_s(RECEIVED_NS / 1e9) == 0
        place.progress.until(place.append(request(1)))
    place.append(request(2))
    assert pipeline.lag_s(RECEIVED_NS / 1e9 + 7) == pytest.approx(7)
