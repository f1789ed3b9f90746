"""One bad record never stops the stream, and nothing else is lost with it."""

from __future__ import annotations

from pathlib import Path

import psycopg

from harness import collector, eventually
from traffic import batch_span, export, key_value, trace_request


def count(dsn: str, where: str = "true") -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(f"select count(*) from crucible.spans where {where}").fetchone()
    return int(row[0]) if row else 0


def test_one_bad_span_among_511_good_ones_is_rejected_alone_with_its_reason(
    tmp_path: Path, database: str
) -> None:
    spans = [batch_span(step) for step in range(512)]
    spans[100].trace_id = b"short"
    with collector(tmp_path / "data", database) as running:
        answer = export(running.addresses["grpc"], trace_request(spans))
        assert answer.partial_success.rejected_spans == 1
        assert "100" in answer.partial_success.error_message
        assert "trace id" in answer.partial_success.error_message.replace("_", " ")
        eventually(lambda: count(database) == 511, "the good ones are stored")
        spans_ledger = running.ledger()["spans"]
        assert spans_ledger["received", ""] == 512
        assert spans_ledger["stored", ""] == 511
        assert spans_ledger["rejected", "invalid_trace_id"] == 1
        metrics = running.metrics()
        for outcome, reason, number in (
            ("received", "", 512),
            ("stored", "", 511),
            ("rejected", "invalid_trace_id", 1),
        ):
            labels = f'outcome="{outcome}",reason="{reason}",signal="spans"'
            assert f"crucible_ledger_records_total{{{labels}}} {number}.0" in metrics


def test_a_run_id_of_3000_characters_and_an_enum_of_40000_are_set_aside(
    tmp_path: Path, database: str
) -> None:
    long_run, strange_kind, good = batch_span(0, run="r" * 3000), batch_span(1), batch_span(2)
    strange_kind.kind = 40_000  # type: ignore[assignment]
    with collector(tmp_path / "data", database) as running:
        answer = export(running.addresses["grpc"], trace_request([long_run, strange_kind, good]))
        assert answer.partial_success.rejected_spans == 2
        eventually(lambda: count(database) == 1, "the good one is stored")
        ledger = running.ledger()["spans"]
        assert ledger["rejected", "text_too_long"] == 1
        assert ledger["rejected", "number_out_of_range"] == 1


def test_rows_that_a_constraint_behind_our_back_refuses_go_to_the_dead_letters(
    tmp_path: Path, database: str
) -> None:
    with collector(tmp_path / "data", database) as running:
        export(running.addresses["grpc"], trace_request([batch_span(0)]))
        eventually(lambda: count(database) == 1, "the first span is stored")
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(
                "alter table crucible.spans add constraint no_thirteen check (step is distinct from 13)"
            )
        answer = export(
            running.addresses["grpc"], trace_request([batch_span(step) for step in range(1, 101)])
        )
        assert answer.partial_success.rejected_spans == 0  # nothing is wrong with the request
        eventually(lambda: count(database) == 100, "all but the refused one are stored")
        export(
            running.addresses["grpc"], trace_request([batch_span(step) for step in range(200, 210)])
        )
        eventually(lambda: count(database) == 110, "the stream goes on")
        assert count(database, "step = 13") == 0
        ledger = running.ledger()["spans"]
        assert ledger["rejected", "refused_by_database"] == 1
        assert ledger["received", ""] == 111
        assert ledger["stored", ""] == 110
        assert 'crucible_dead_letters_total{signal="spans"} 1.0' in running.metrics()


def test_bytes_that_postgresql_refuses_are_stored_as_replacement_characters(
    tmp_path: Path, database: str
) -> None:
    span = batch_span(0)
    span.name = "a\0b"
    span.attributes.append(key_value("with\0nul", "x\0y"))
    with collector(tmp_path / "data", database) as running:
        export(running.addresses["grpc"], trace_request([span]))
        eventually(lambda: count(database) == 1, "the span is stored")
        event = running.get("/api/v1/events")["data"][0]
        assert event["name"] == "a\ufffdb"
        assert event["attributes"]["with\ufffdnul"] == "x\ufffdy"
