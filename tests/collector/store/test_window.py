"""One window, one transaction: what is in it is stored once, and all of it is accounted for."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psycopg
import pytest
from google.protobuf.message import Message
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
)

from crucible_collector.batch import Reason, Signal
from crucible_collector.journal import Entry, EntryFlag
from crucible_collector.journal.entry import Damage
from crucible_collector.pipeline.prepare import prepare, set_aside_whole
from crucible_collector.store.positions import PositionMovedError
from rows_of import (
    RECEIVED_NS,
    Ingest,
    at,
    entry_of,
    execute,
    imbalance,
    ingest,
    ledger,
    logs,
    metrics,
    rows_of,
    span_ids,
    span_of,
    traces,
    write_entries,
)
from traffic import key_value

MEASURED: dict[str, str | float] = {"crucible.run.id": "run", "crucible.measurement.loss": 0.5}


@pytest.fixture
def collector(tmp_path: Path, database: str) -> Iterator[Ingest]:
    with ingest(database, tmp_path / "journal") as one:
        yield one


def batch(number: int, loss: float = 0.5) -> Message:
    """One span with one point."""
    measured: dict[str, str | float] = {**MEASURED, "crucible.measurement.loss": loss}
    return traces(span_of(number, "crucible_train.batch", **measured))


def positions(database: str) -> list[int]:
    return [row["position"] for row in rows_of(database, "positions")]


def test_a_window_moves_the_position_from_its_start_to_its_end(
    collector: Ingest, database: str
) -> None:
    rows = collector.rows(batch(1))
    assert positions(database) == [rows.start]
    collector.write(rows)
    assert positions(database) == [rows.end]


def test_a_window_whose_position_has_moved_writes_nothing(collector: Ingest, database: str) -> None:
    rows = collector.rows(batch(1), logs(LogRecord(time_unix_nano=at(0))))
    collector.write(rows)
    counts = ledger(database)
    with pytest.raises(PositionMovedError):
        collector.transact(
            replace(rows, requests=replace(rows.requests, anonymous=ones(2))), careful=False
        )
    with pytest.raises(PositionMovedError):
        collector.transact(rows, careful=True)
    assert span_ids(database) == [1]
    assert len(rows_of(database, "logs")) == len(rows_of(database, "points")) == 1
    assert ledger(database) == counts


def ones(count: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.ones(count, np.uint8)


def test_two_journals_in_one_database_move_their_own_positions(
    collector: Ingest, database: str, tmp_path: Path
) -> None:
    with ingest(database, tmp_path / "other") as other:
        collector.store(batch(1))
        assert min(positions(database)) == other.journal.head
        other.store(batch(2))
    assert span_ids(database) == [1, 2]


def test_a_request_sent_again_is_stored_once_in_one_window(
    collector: Ingest, database: str
) -> None:
    written = collector.store(batch(1), batch(2), batch(1))
    assert written.duplicates == {2}
    assert span_ids(database) == [1, 2]
    assert len(rows_of(database, "points")) == 2
    assert ledger(database) == {
        ("spans", "received", ""): 3,
        ("spans", "stored", ""): 2,
        ("spans", "duplicate", ""): 1,
    }


def test_a_request_sent_again_is_stored_once_in_windows_and_journals_apart(
    collector: Ingest, database: str, tmp_path: Path
) -> None:
    collector.store(batch(1))
    assert collector.store(batch(2), batch(1)).duplicates == {1}
    with ingest(database, tmp_path / "other") as other:
        assert other.store(batch(1), batch(3), batch(2)).duplicates == {0, 2}
    assert span_ids(database) == [1, 2, 3]
    assert len(rows_of(database, "points")) == 3
    assert imbalance(ledger(database)) == {"spans": 0}
    assert ledger(database)["spans", "duplicate", ""] == 3


def test_the_same_bytes_of_another_signal_are_another_request(
    collector: Ingest, database: str
) -> None:
    assert collector.store(traces(), logs(), metrics()).duplicates == set()


def test_records_with_neither_id_nor_time_are_never_duplicates(
    collector: Ingest, database: str
) -> None:
    timeless = logs(LogRecord(severity_text="again"))
    collector.store(timeless, timeless)
    assert collector.store(timeless).duplicates == set()
    assert len(rows_of(database, "logs")) == 3
    assert rows_of(database, "requests") == []


def test_what_the_check_refused_is_in_the_ledger_with_its_reason_once(
    collector: Ingest, database: str
) -> None:
    bad = span_of(2)
    bad.trace_id = b"short"
    request = traces(span_of(1), bad, span_of(3))
    collector.store(request, request)
    assert ledger(database) == {
        ("spans", "received", ""): 6,
        ("spans", "stored", ""): 2,
        ("spans", "rejected", "invalid_trace_id"): 1,
        ("spans", "duplicate", ""): 3,
    }


def refused_whole() -> Entry:
    return Entry(
        Signal.LOGS,
        b"",
        RECEIVED_NS,
        bytes(16),
        1,
        np.zeros(1, np.uint32),
        np.array([Reason.MALFORMED_REQUEST], np.uint8),
        EntryFlag.REFUSED_WHOLE,
    )


def test_requests_refused_whole_count_as_a_record_each(collector: Ingest, database: str) -> None:
    window = write_entries(collector.journal, [refused_whole(), refused_whole()])
    collector.write(prepare(window, collector.remembered.known()))
    assert ledger(database) == {
        ("log_records", "received", ""): 2,
        ("log_records", "rejected", "malformed_request"): 2,
    }


def test_a_request_that_no_longer_decodes_is_set_aside_and_its_neighbours_are_stored(
    collector: Ingest, database: str
) -> None:
    good, corrupt = entry_of(batch(1)), entry_of(batch(2))
    corrupt = replace(corrupt, body=b"\x0a\xff" + bytes(corrupt.body)[2:], record_count=5)
    window = write_entries(collector.journal, [good, corrupt, entry_of(batch(3))])
    collector.write(prepare(window, collector.remembered.known()))
    assert span_ids(database) == [1, 3]
    assert [(each.request, each.reason) for each in collector.buried] == [(1, Reason.CORRUPT)]
    counts = ledger(database)
    assert counts["spans", "rejected", "corrupt"] == 5
    assert imbalance(counts) == {"spans": 0}


def test_a_window_set_aside_whole_counts_only_what_was_not_refused_already(
    collector: Ingest, database: str
) -> None:
    bad = span_of(2)
    bad.trace_id = b"short"
    window = collector.window(traces(span_of(1), bad))
    collector.write(set_aside_whole(window, "no way"))
    assert ledger(database) == {
        ("spans", "received", ""): 2,
        ("spans", "rejected", "corrupt"): 1,
        ("spans", "rejected", "invalid_trace_id"): 1,
    }


def test_records_lost_to_damage_are_in_the_ledger(collector: Ingest, database: str) -> None:
    window = collector.window(batch(1))
    window.damaged.append(Damage(window.start, 8, "corrupt", Signal.METRICS, 7))
    window.damaged.append(Damage(window.start, 8, "missing"))
    collector.write(prepare(window, collector.remembered.known()))
    assert ledger(database) == {
        ("spans", "received", ""): 1,
        ("spans", "stored", ""): 1,
        ("data_points", "received", ""): 7,
        ("data_points", "rejected", "corrupt"): 7,
    }


def gauge(value: int) -> Metric:
    metric = Metric(name="gauge")
    metric.gauge.data_points.append(NumberDataPoint(time_unix_nano=at(0), as_int=value))
    return metric


def histogram(count: int) -> Metric:
    metric = Metric(name="histogram")
    metric.histogram.data_points.append(HistogramDataPoint(time_unix_nano=at(0), count=count))
    return metric


def line(number: int) -> LogRecord:
    return LogRecord(time_unix_nano=at(0), attributes=[key_value("crucible.step", number)])


@pytest.mark.parametrize(
    ("relation", "column"),
    [("spans", "step"), ("logs", "step"), ("points", "value"), ("histograms", "count")],
)
def test_just_the_records_that_a_constraint_refuses_are_set_aside(
    collector: Ingest, database: str, relation: str, column: str
) -> None:
    execute(database, f"alter table crucible.{relation} add check ({column} not in (3, 7))")
    made: Callable[[int], Message] = {
        "spans": lambda n: traces(span_of(n + 1, crucible__step=n)),
        "logs": lambda n: logs(line(n)),
        "points": lambda n: metrics(gauge(n)),
        "histograms": lambda n: metrics(histogram(n)),
    }[relation]
    collector.store(*(made(number) for number in range(10)))
    stored = [row[column] for row in rows_of(database, relation)]
    assert sorted(stored) == [0, 1, 2, 4, 5, 6, 8, 9]
    assert [(each.request, each.index, each.is_record) for each in collector.buried] == [
        (3, 0, True),
        (7, 0, True),
    ]
    assert all("23514" in each.message and relation in each.message for each in collector.buried)
    counts = ledger(database)
    (signal,) = {signal for signal, _, _ in counts}
    assert counts[signal, "rejected", "refused_by_database"] == 2
    assert imbalance(counts) == {signal: 0}


def test_a_span_whose_point_is_refused_is_stored_and_not_counted_as_rejected(
    collector: Ingest, database: str
) -> None:
    execute(database, "alter table crucible.points add check (value < 1)")
    collector.store(batch(1), batch(2, loss=5))
    assert span_ids(database) == [1, 2]
    assert len(rows_of(database, "points")) == 1
    assert [(each.request, each.is_record) for each in collector.buried] == [(1, False)]
    assert ledger(database) == {("spans", "received", ""): 2, ("spans", "stored", ""): 2}


def test_a_constraint_that_is_checked_at_the_commit_is_found_as_well(
    collector: Ingest, database: str
) -> None:
    execute(
        database,
        """
        create function refuse() returns trigger language plpgsql as
            $$ begin if new.run_id = 'bad' then raise exception 'not this one'; end if; return new; end $$;
        create constraint trigger late after insert on crucible.runs
            deferrable initially deferred for each row execute function refuse();
        """,
    )
    collector.store(
        traces(span_of(1, crucible__run__id="bad"), span_of(2, crucible__run__id="good"))
    )
    assert [row["run_id"] for row in rows_of(database, "runs")] == ["good"]
    assert span_ids(database) == [1, 2]


def test_an_error_that_may_pass_is_raised_and_leaves_nothing(
    collector: Ingest, database: str
) -> None:
    rows = collector.rows(batch(1))
    execute(database, "alter table crucible.logs rename to elsewhere")
    execute(database, "alter table crucible.points rename to gone")
    with pytest.raises(psycopg.errors.UndefinedTable):
        collector.write(rows)
    assert span_ids(database) == []
    assert ledger(database) == {}
    execute(database, "alter table crucible.gone rename to points")
    collector.write(rows)
    assert span_ids(database) == [1]


def test_a_connection_that_was_closed_is_opened_again(collector: Ingest, database: str) -> None:
    collector.store(batch(1))
    collector.writer.close()
    collector.store(batch(2))
    assert span_ids(database) == [1, 2]


def test_random_mixtures_balance_in_the_ledger_and_are_stored_exactly_once(
    tmp_path: Path, plain_database: str
) -> None:
    execute(plain_database, "alter table crucible.spans add check (step is distinct from 13)")
    execute(plain_database, "alter table crucible.points add check (value <> 13)")
    rng = random.Random(20_261_123)
    expected: set[int] = set()
    refused: set[int] = set()
    sent: list[Message] = []

    def new_request(start: int) -> Message:
        spans = []
        for number in range(start, start + rng.randrange(5)):
            span = span_of(number, "crucible_train.batch", **MEASURED)
            fate = rng.random()
            if fate < 0.1:
                span.attributes.append(key_value("crucible.step", 13))
                refused.add(number)
            elif fate < 0.2:
                span.kind = 40_000  # type: ignore[assignment]
            else:
                expected.add(number)
            spans.append(span)
        return traces(*spans)

    with (
        ingest(plain_database, tmp_path / "a") as one,
        ingest(plain_database, tmp_path / "b") as two,
    ):
        for window in range(30):
            chosen: list[Message] = []
            for index in range(rng.randrange(1, 6)):
                if sent and rng.random() < 0.3:
                    chosen.append(rng.choice(sent))
                elif rng.random() < 0.2:
                    chosen.append(metrics(gauge(rng.choice([1, 13]))))
                else:
                    chosen.append(new_request(1 + window * 100 + index * 10))
                sent.append(chosen[-1])
            rng.choice([one, two]).store(*chosen)
        dead = {each.index for each in one.buried + two.buried}
    assert dead
    assert span_ids(plain_database) == sorted(expected)
    counts = ledger(plain_database)
    assert imbalance(counts) == {"spans": 0, "data_points": 0}
    assert counts["spans", "stored", ""] == len(expected)
    assert counts["spans", "rejected", "refused_by_database"] == len(refused)
    assert len(rows_of(plain_database, "points", "1")) >= len(expected)


def test_journals_are_told_apart_by_their_own_ids_alone(collector: Ingest, database: str) -> None:
    (row,) = rows_of(database, "positions")
    assert row["journal_id"] == collector.journal.journal_id
    assert isinstance(row["journal_id"], uuid.UUID)
