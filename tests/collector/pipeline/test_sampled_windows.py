"""The loop with sampling rules: whole windows, and windows that come ahead and behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from collector.pipeline.sampled_place import Place, randomness_of, span, trace_of
from crucible_collector.candidates import THRESHOLD_MAX
from crucible_collector.enrich.window import Known
from crucible_collector.journal import DeadLetters, Journal, Window
from crucible_collector.metrics import REGISTRY
from crucible_collector.pipeline import pipeline as module
from crucible_collector.pipeline import windows
from crucible_collector.pipeline.prepare import prepare
from crucible_collector.rows import Phase, WindowRows
from crucible_collector.sample.strategies.uniform import Uniform
from harness import eventually
from proxy import PostgresProxy
from rows_of import (
    RECEIVED_NS,
    SECOND_NS,
    imbalance,
    ledger,
    logs,
    rows_of,
    span_ids,
    traces,
)

HALF = {"rules": [{"strategy": "uniform", "probability": 0.5}]}
# Errors are kept, with whatever comes of their trace within ten seconds; of the rest next to nothing.
ERRORS = {
    "rules": [
        {
            "strategy": "tail",
            "rules": [{"error": True}],
            "otherwise": {"strategy": "uniform", "probability": 1e-9},
        }
    ]
}


@pytest.fixture
def place(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr(module, "_RETRY_FIRST_S", 0.01)
    monkeypatch.setattr(windows, "IDLE_WAIT_S", 0.02)
    with ExitStack() as stack:
        journal = stack.enter_context(
            Journal.open(tmp_path / "journal", segment_bytes=1 << 16, bytes_max=1 << 24)
        )
        dead_letters = stack.enter_context(DeadLetters.open(tmp_path / "dead"))
        yield Place(database, tmp_path, journal, dead_letters)


def test_what_is_sampled_out_leaves_its_points_and_is_counted(place: Place) -> None:
    place.rule(HALF)
    with place.running():
        place.until(Phase.WHOLE, place.append(traces(*map(span, range(1, 201)))))
    kept = [n for n in range(1, 201) if randomness_of(n) >= THRESHOLD_MAX // 2]
    assert span_ids(place.dsn) == kept
    assert 80 < len(kept) < 120
    rows = rows_of(place.dsn, "spans")
    assert {row["sample_probability"] for row in rows} == {0.5}
    assert {row["sample_threshold"] for row in rows} == {THRESHOLD_MAX // 2}
    assert {row["keep_reason"] for row in rows} == {"random"}
    assert {row["trace_state"] for row in rows} == {"ot=th:8"}
    assert place.points() == 200
    counts = ledger(place.dsn)
    assert counts["spans", "sampled", "rule-1"] == 200 - len(kept)
    assert imbalance(counts) == {"spans": 0}
    (counted,) = rows_of(place.dsn, "sampling_ledger")
    assert (counted["seen_count"], counted["kept_count"]) == (200, len(kept))


def test_without_rules_rows_say_nothing_of_sampling(place: Place) -> None:
    with place.running():
        place.until(Phase.WHOLE, place.append(traces(span(1))))
    (row,) = rows_of(place.dsn, "spans")
    told = ("sample_threshold", "keep_reason", "trace_state", "trace_span_count", "count_variance")
    assert [row[name] for name in told] == [None] * 5
    assert row["sample_probability"] == 1
    assert rows_of(place.dsn, "windows") == rows_of(place.dsn, "sampling_ledger") == []


def test_a_sender_that_says_it_kept_all_is_quoted_whatever_else_is_in_the_window(
    place: Place,
) -> None:
    whole, half = span(1), span(2)
    whole.trace_state, half.trace_state = "ot=th:0", "ot=th:8;rv:ffffffffffffff"
    with place.running():
        place.until(Phase.WHOLE, place.append(traces(whole)))
        whole.span_id = half.trace_id[:8]
        place.until(Phase.WHOLE, place.append(traces(whole, half)))
    found = [(row["upstream_threshold"], row["keep_reason"]) for row in rows_of(place.dsn, "spans")]
    assert sorted(found, key=str) == [(0, None), (0, None), (1 << 55, "upstream")]


def test_a_trace_is_rescued_by_an_error_that_comes_seconds_later(place: Place) -> None:
    place.rule(ERRORS)
    with place.running():
        end = place.append(traces(span(1, trace=1), span(2, trace=2)))
        place.until(Phase.AHEAD, end)
        assert place.points() == 2
        assert span_ids(place.dsn) == []
        place.now_ns += 5 * SECOND_NS
        later = place.append(traces(span(3, trace=1, error=True)))
        place.until(Phase.AHEAD, later)
        place.now_ns += 20 * SECOND_NS
        place.until(Phase.BEHIND, later)
        assert span_ids(place.dsn) == [1, 3]
    rows = rows_of(place.dsn, "spans", "span_id")
    assert [row["keep_reason"] for row in rows] == ["error", "error"]
    assert [row["sample_probability"] for row in rows] == [1, 1]
    assert imbalance(ledger(place.dsn)) == {"spans": 0}
    assert place.points() == 3


def test_stopping_decides_what_waits(place: Place) -> None:
    place.rule(ERRORS)
    with place.running():
        place.append(traces(span(1, error=True), span(2)))
    assert span_ids(place.dsn) == [1]
    assert imbalance(ledger(place.dsn)) == {"spans": 0}
    (row,) = rows_of(place.dsn, "positions")
    assert (row["position"], row["decided_position"]) == (place.journal.tail, None)


def test_what_waits_at_a_crash_is_decided_by_the_next_start(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.rule(ERRORS)
    with place.killed(monkeypatch):
        end = place.append(traces(span(1, trace=1), span(2, trace=2)))
        place.until(Phase.AHEAD, end)
        place.now_ns += 5 * SECOND_NS
        place.until(Phase.AHEAD, place.append(traces(span(3, trace=1, error=True))))
    assert span_ids(place.dsn) == []
    assert place.points() == 3
    with place.running():
        pass
    assert span_ids(place.dsn) == [1, 3]
    assert place.points() == 3
    assert imbalance(ledger(place.dsn)) == {"spans": 0}


@pytest.mark.parametrize("has_checkpoint", [True, False])
def test_a_trace_that_was_kept_is_followed_after_a_crash(
    place: Place, monkeypatch: pytest.MonkeyPatch, has_checkpoint: bool
) -> None:
    monkeypatch.setattr(windows, "CHECKPOINT_S", 0.0 if has_checkpoint else 1e9)
    place.rule(ERRORS)
    with place.killed(monkeypatch):
        end = place.append(traces(span(1, trace=1, error=True), span(2, trace=2)))
        place.until(Phase.AHEAD, end)
        place.now_ns += 20 * SECOND_NS
        place.until(Phase.BEHIND, end)
        place.now_ns += 1
        place.until(Phase.AHEAD, place.append(traces(span(5, trace=5))))
    assert (place.directory / "learned.npz").exists() == has_checkpoint
    with place.running():
        place.append(traces(span(3, trace=1), span(4, trace=2)))
    assert span_ids(place.dsn) == [1, 3]
    assert rows_of(place.dsn, "spans", "span_id")[1]["keep_reason"] == "trace"


ERRORS_AT_ONCE = {
    "rules": [{"strategy": "stratified", "rates": {"error": 1.0, "other": 1e-9}}],
}


@pytest.mark.parametrize("rules", [ERRORS, ERRORS_AT_ONCE])
def test_a_request_sent_again_is_stored_and_counted_once(
    place: Place, rules: dict[str, Any]
) -> None:
    place.rule(rules)
    request = traces(span(1, error=True), span(2))
    with place.running():
        place.append(request)
        place.now_ns += 3 * SECOND_NS
        place.append(request)
    assert span_ids(place.dsn) == [1]
    assert place.points() == 2
    counts = ledger(place.dsn)
    assert counts["spans", "duplicate", ""] == counts["spans", "received", ""] / 2 == 2
    assert imbalance(counts) == {"spans": 0}
    counted = rows_of(place.dsn, "sampling_ledger")
    assert sum(row["seen_count"] for row in counted) == 2
    assert sum(row["error_kept_count"] for row in counted) == 1


def test_a_connection_cut_in_a_copy_has_nothing_learned_twice(place: Place) -> None:
    place.rule(HALF)
    proxy = PostgresProxy(place.dsn, copy_bytes_until_cut=1)
    try:
        end = place.append(traces(*map(span, range(1, 101))))
        with place.running(proxy.dsn_through):
            place.until(Phase.WHOLE, end)
        assert proxy.cut_count == 1
    finally:
        proxy.close()
    assert span_ids(place.dsn) == [n for n in range(1, 101) if randomness_of(n) >= 1 << 55]
    (counted,) = rows_of(place.dsn, "sampling_ledger")
    assert counted["seen_count"] == 100


def test_rules_that_wait_no_more_have_what_waits_decided_first(place: Place) -> None:
    place.rule(ERRORS)
    with place.running():
        first = place.append(traces(span(1, error=True), span(2)))
        place.until(Phase.AHEAD, first)
        place.rule(HALF)
        place.until(Phase.BEHIND, first)
        place.until(Phase.WHOLE, place.append(traces(*map(span, range(10, 60)))))
    assert imbalance(ledger(place.dsn)) == {"spans": 0}
    (row,) = rows_of(place.dsn, "positions")
    assert row["decided_position"] is None


def test_logs_follow_their_trace_and_a_log_alone_is_decided_for_itself(place: Place) -> None:
    kept = next(n for n in range(10**6) if randomness_of(n) >= THRESHOLD_MAX * 0.9999)
    place.rule(
        {
            "rules": [
                {"strategy": "uniform", "probability": 1e-4, "signals": ["spans", "logs"]},
            ]
        }
    )
    records = [
        LogRecord(
            time_unix_nano=RECEIVED_NS, trace_id=trace_of(kept), body=AnyValue(string_value="kept")
        ),
        LogRecord(
            time_unix_nano=RECEIVED_NS, trace_id=trace_of(1), body=AnyValue(string_value="dropped")
        ),
        LogRecord(time_unix_nano=RECEIVED_NS, body=AnyValue(string_value="alone")),
    ]
    with place.running():
        place.append(traces(span(1, trace=kept), span(2, trace=1)), logs(*records))
    assert span_ids(place.dsn) == [1]
    assert [row["body"] for row in rows_of(place.dsn, "logs")] == ["kept"]
    counts = ledger(place.dsn)
    assert counts["log_records", "sampled", "rule-1"] == 2
    assert imbalance(counts) == {"spans": 0, "log_records": 0}


def test_windows_are_remembered_only_until_their_lessons_are_safe(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.rule(HALF)
    monkeypatch.setattr(windows, "CHECKPOINT_S", 1e9)
    with place.running():
        place.until(Phase.WHOLE, place.append(traces(span(1))))
        assert len(rows_of(place.dsn, "windows")) == 1
        place.until(Phase.WHOLE, place.append(traces(span(2))))
        assert len(rows_of(place.dsn, "windows")) == 2
    assert rows_of(place.dsn, "windows") == []
    assert (place.directory / "learned.npz").exists()


def test_a_checkpoint_that_cannot_be_read_is_done_without(place: Place) -> None:
    (place.directory / "learned.npz").write_bytes(b"no archive")
    place.rule(HALF)
    with place.running():
        place.until(Phase.WHOLE, place.append(traces(*map(span, range(1, 51)))))
    assert span_ids(place.dsn) == [n for n in range(1, 51) if randomness_of(n) >= 1 << 55]


def test_a_sampler_that_fails_keeps_everything(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(Uniform, "decide", failing)
    before = REGISTRY.get_sample_value("crucible_uncaught_errors_total", {"loop": "sample"}) or 0
    place.rule(HALF)
    with place.running():
        place.until(Phase.WHOLE, place.append(traces(*map(span, range(1, 21)))))
    assert span_ids(place.dsn) == list(range(1, 21))
    assert {row["sample_probability"] for row in rows_of(place.dsn, "spans")} == {1}
    assert imbalance(ledger(place.dsn)) == {"spans": 0}
    assert (
        REGISTRY.get_sample_value("crucible_uncaught_errors_total", {"loop": "sample"})
        == before + 1
    )


@pytest.mark.parametrize("is_killed", [True, False])
def test_a_request_that_cannot_be_made_rows_behind_is_set_aside_alone(
    place: Place, monkeypatch: pytest.MonkeyPatch, is_killed: bool
) -> None:
    """The others of its window are decided in parts, duplicates among them left out, restart or not."""
    place.rule(ERRORS)
    poison, real = span(3).trace_id, prepare

    def failing(window: Window, known: Known, *rest: Any) -> WindowRows:
        if Phase.BEHIND in rest and poison in window.buffer.tobytes():
            raise ZeroDivisionError("a defect")
        return real(window, known, *rest)

    monkeypatch.setattr(windows, "prepare", failing)
    requests = [traces(span(n, error=True)) for n in (1, 2, 3, 4, 2, 5, 6, 4)]
    place.append(*requests)
    if is_killed:
        with place.killed(monkeypatch):
            place.until(Phase.AHEAD, place.journal.tail)
            place.now_ns += 20 * SECOND_NS
            eventually(lambda: 1 in span_ids(place.dsn), "a first part is written")
    with place.running():
        pass
    assert span_ids(place.dsn) == [1, 2, 4, 5, 6]
    (letter,) = place.dead_letters
    assert letter.body == requests[2].SerializeToString()
    counts = ledger(place.dsn)
    assert counts["spans", "rejected", "corrupt"] == 1
    assert counts["spans", "duplicate", ""] == 2
    assert imbalance(counts) == {"spans": 0}


@pytest.mark.parametrize("rules", [HALF, ERRORS])
def test_where_nothing_learned_can_be_kept_the_journal_is_let_go_all_the_same(
    place: Place, monkeypatch: pytest.MonkeyPatch, rules: dict[str, Any]
) -> None:
    monkeypatch.setattr(windows, "CHECKPOINT_S", 0.0)
    place.directory = place.directory / "no directory"
    place.directory.write_text("a file")
    place.rule(rules)
    with place.running():
        place.append(traces(span(1, error=True)))
        place.now_ns += 20 * SECOND_NS
        eventually(lambda: place.journal.bytes_used == 0, "the journal is released")
        eventually(lambda: rows_of(place.dsn, "windows") == [], "no window is remembered")
    is_kept = rules is ERRORS or randomness_of(1) >= 1 << 55
    assert span_ids(place.dsn) == ([1] if is_kept else [])
    assert imbalance(ledger(place.dsn)) == {"spans": 0}


def test_the_sampling_ledger_knows_how_many_records_a_trace_had(place: Place) -> None:
    place.rule(HALF)
    with place.running():
        place.append(traces(*(span(n, trace=n // 7) for n in range(1, 30))))
        place.append(traces(span(100)))
    (counted,) = rows_of(place.dsn, "sampling_ledger")
    assert counted["trace_count_max"] == 7
