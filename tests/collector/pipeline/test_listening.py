"""What a pipeline tells the others of itself: up to when it has stored, since when it listens."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from crucible_collector.errors import OverloadedError
from crucible_collector.journal import DeadLetters, Journal
from crucible_collector.pipeline import pipeline as module
from crucible_collector.pipeline import windows
from crucible_collector.pipeline.pipeline import Pipeline
from crucible_collector.store.connect import ingest_connection
from crucible_collector.store.window import WindowWriter
from harness import eventually
from rows_of import RECEIVED_NS, SECOND_NS, entry_of, execute, row_of, rows_of, span_of, traces

T0_NS = RECEIVED_NS + 1000 * SECOND_NS


def time_of(ns: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(ns / 1e9, dt.UTC)


@dataclass
class Place:
    """A journal, and a pipeline over it whose clock and database a test sets."""

    dsn: str
    journal: Journal
    dead_letters: DeadLetters
    now_ns: int = T0_NS
    is_away: bool = False
    numbers: list[int] = field(default_factory=list)

    def append(self, **settings: Any) -> None:
        self.numbers.append(len(self.numbers) + 1)
        request = traces(span_of(self.numbers[-1]))
        self.journal.append(entry_of(request, **settings)).result(30)

    def append_until_full(self) -> None:
        while True:
            self.append()

    def connect(self) -> psycopg.Connection[Any]:
        if self.is_away:
            raise psycopg.OperationalError("away")
        return ingest_connection(self.dsn)

    @contextmanager
    def running(self) -> Iterator[Pipeline]:
        writer = WindowWriter(self.connect, self.journal.journal_id, "test")
        pipeline = Pipeline(self.journal, writer, self.dead_letters, clock_ns=lambda: self.now_ns)
        pipeline.start()
        try:
            yield pipeline
        finally:
            pipeline.stop(30)

    def told(self) -> tuple[dt.datetime | None, dt.datetime | None]:
        """Up to when it has stored, since when it listens."""
        rows = rows_of(self.dsn, "positions")
        return (rows[0]["stored_until"], rows[0]["heard_since"]) if rows else (None, None)

    def awaits(self, stored_until_ns: int, heard_since_ns: int) -> None:
        expected = time_of(stored_until_ns), time_of(heard_since_ns)
        eventually(lambda: self.told() == expected, f"{expected} is told, not {self.told()}")


@pytest.fixture
def place(tmp_path: Path, plain_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr(module, "_RETRY_FIRST_S", 0.01)
    monkeypatch.setattr(module, "_RETRY_LAST_S", 0.05)
    monkeypatch.setattr(windows, "IDLE_WAIT_S", 0.02)
    with ExitStack() as stack:
        journal = stack.enter_context(
            Journal.open(tmp_path / "journal", segment_bytes=1 << 16, bytes_max=1 << 18)
        )
        dead_letters = stack.enter_context(DeadLetters.open(tmp_path / "dead"))
        yield Place(plain_database, journal, dead_letters)


def test_a_window_says_that_all_is_stored_up_to_its_newest_receipt(place: Place) -> None:
    place.append(received_ns=RECEIVED_NS)
    place.append(received_ns=RECEIVED_NS + 5 * SECOND_NS)
    with place.running():
        place.awaits(RECEIVED_NS + 5 * SECOND_NS, T0_NS)


def test_with_nothing_waiting_all_is_stored_up_to_now(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ASK_AGAIN_S", 0.02)
    with place.running() as pipeline:
        place.awaits(T0_NS, T0_NS)
        place.now_ns += 7 * SECOND_NS
        place.awaits(T0_NS + 7 * SECOND_NS, T0_NS)
        pipeline.listening()
        place.awaits(T0_NS + 7 * SECOND_NS, T0_NS + 7 * SECOND_NS)


def test_a_collector_that_ends_with_nothing_left_is_waited_for_no_longer(place: Place) -> None:
    place.append()
    with place.running():
        place.awaits(RECEIVED_NS, T0_NS)
    assert place.told() == (time_of(RECEIVED_NS), None)


def test_one_that_starts_is_waited_for_before_it_has_stored_anything(place: Place) -> None:
    with place.running():
        eventually(lambda: place.told() == (None, time_of(T0_NS)), "it is there")


def test_who_turned_clients_away_counts_their_silence_from_when_it_had_room(place: Place) -> None:
    place.is_away = True
    with place.running():
        with pytest.raises(OverloadedError):
            place.append_until_full()
        assert place.journal.blocked
        place.now_ns += 3600 * SECOND_NS
        place.is_away = False
        place.awaits(RECEIVED_NS, T0_NS + 3600 * SECOND_NS)


def test_a_database_that_was_set_back_is_not_said_to_be_up_to_date(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.append()
    with place.running():
        place.awaits(RECEIVED_NS, T0_NS)
        # As a backup would: the position, what it says of it, and no rows behind it.
        execute(
            place.dsn,
            "truncate crucible.spans, crucible.requests, crucible.ledger;"
            " update crucible.positions set position = 0, stored_until = null",
        )
        monkeypatch.setattr(module, "_ASK_AGAIN_S", 0.02)
        eventually(lambda: rows_of(place.dsn, "spans"), "what was lost is stored again")
    assert row_of(place.dsn, "positions")["position"] == place.journal.tail
