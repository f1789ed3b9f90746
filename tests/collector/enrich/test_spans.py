"""Identity, names, times and numbers of spans on their way into columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from crucible_collector.batch import LIFTED
from crucible_collector.metrics import REVERSED_SPANS
from rows_of import RECEIVED_NS, Ingest, at, ingest, resource_of, row_of, rows_of, span_of, traces

IDENTITY = {
    "crucible.experiment.id": "experiment_id",
    "crucible.run.id": "run_id",
    "crucible.condition": "condition",
    "crucible.correlation.id": "correlation_id",
}
US = 1000


@pytest.fixture
def collector(tmp_path: Path, plain_database: str) -> Iterator[Ingest]:
    with ingest(plain_database, tmp_path / "journal") as one:
        yield one


def typed(key: str, **value: Any) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(**value))


def test_lifted_attributes_lie_in_columns_and_only_there(
    collector: Ingest, plain_database: str
) -> None:
    span = span_of(1, **dict.fromkeys(IDENTITY, "it"), other=1)
    span.attributes.extend(
        [typed("crucible.step", int_value=5), typed("crucible.epoch", int_value=2)]
    )
    collector.store(traces(span))
    row = row_of(plain_database, "spans")
    assert {row[column] for column in IDENTITY.values()} == {"it"}
    assert (row["step"], row["epoch"]) == (5, 2)
    assert row["attributes"] == {"other": 1}


@pytest.mark.parametrize("key", LIFTED)
def test_a_lifted_attribute_of_another_kind_stays_an_attribute(
    collector: Ingest, plain_database: str, key: str
) -> None:
    span = span_of(1)
    span.attributes.append(typed(key, bool_value=True))
    collector.store(traces(span))
    row = row_of(plain_database, "spans")
    assert row["attributes"] == {key: True}
    assert row[IDENTITY.get(key, key.removeprefix("crucible."))] is None


@pytest.mark.parametrize(("key", "column"), IDENTITY.items())
def test_identity_of_the_resource_is_that_of_spans_that_have_none(
    collector: Ingest, plain_database: str, key: str, column: str
) -> None:
    of_process = resource_of(**{key: "of the process"})
    collector.store(
        traces(span_of(1), span_of(2, **{key: "its own"}), resource=of_process), traces(span_of(3))
    )
    found = {row["span_id"]: row[column] for row in rows_of(plain_database, "spans")}
    assert found == {1: "of the process", 2: "its own", 3: None}
    assert all(row["attributes"] is None for row in rows_of(plain_database, "spans"))


@pytest.mark.parametrize(
    ("name", "code", "given", "event"),
    [
        ("crucible_train.epoch", 0, None, "crucible_train.epoch.stop"),
        ("crucible_train.epoch", 1, None, "crucible_train.epoch.stop"),
        ("crucible_train.epoch", 2, None, "crucible_train.epoch.exception"),
        ("crucible_train.batch", 2, None, "crucible_train.batch.stop"),
        ("crucible_train.epoch.start", 0, None, "crucible_train.epoch.start"),
        ("crucible_train.epoch", 2, "mine.own", "mine.own"),
        ("crucible_train.epoch", 0, "", "crucible_train.epoch.stop"),
        ("GET /items", 2, None, "GET /items"),
        ("anything", 0, "crucible_train.epoch", "crucible_train.epoch"),
        ("", 0, None, ""),
    ],
)
def test_the_event_is_the_given_one_else_the_end_of_the_life_cycle_else_the_name(
    collector: Ingest, plain_database: str, name: str, code: int, given: str | None, event: str
) -> None:
    span = span_of(1, name)
    span.status.CopyFrom(Status(code=code))  # type: ignore[arg-type] # the enum's number
    if given is not None:
        span.attributes.append(typed("crucible.event.name", string_value=given))
    collector.store(traces(span, span_of(2, "beside")))
    events = {row["span_id"]: row["event_name"] for row in rows_of(plain_database, "spans")}
    assert events == {1: event, 2: "beside"}


def test_the_event_name_of_a_resource_is_nobodys(collector: Ingest, plain_database: str) -> None:
    collector.store(traces(span_of(1), resource=resource_of(crucible__event__name="all of us")))
    assert row_of(plain_database, "spans")["event_name"] == "work"


def timed(start_ns: int, end_ns: int) -> Span:
    span = span_of(1)
    span.start_time_unix_nano, span.end_time_unix_nano = start_ns, end_ns
    return span


@pytest.mark.parametrize(
    ("start_ns", "end_ns", "stored_start_ns", "duration_ns", "reversed_count"),
    [
        (at(-2), at(-1), at(-2), 1_000_000_000, 0),
        (at(-2) + 7, at(-2) + 1_999, at(-2) + 7, 1_992, 0),
        (at(-1), at(-2), at(-1), 0, 1),
        (at(-1), 0, at(-1), 0, 0),
        (0, 0, RECEIVED_NS, 0, 0),
        (0, at(-1), RECEIVED_NS, 0, 1),
    ],
)
def test_times_are_to_the_nanosecond_and_never_run_backwards(
    collector: Ingest,
    plain_database: str,
    start_ns: int,
    end_ns: int,
    stored_start_ns: int,
    duration_ns: int,
    reversed_count: int,
) -> None:
    before = REVERSED_SPANS._value.get()
    collector.store(traces(timed(start_ns, end_ns)))
    row = row_of(plain_database, "spans")
    start_us = round(row["time"].timestamp() * 1_000_000)
    assert start_us * US + row["time_ns_rest"] == stored_start_ns
    assert row["duration_ns"] == duration_ns
    assert REVERSED_SPANS._value.get() - before == reversed_count


def test_a_model_call_is_read_in_todays_spelling_before_older_ones(
    collector: Ingest, plain_database: str
) -> None:
    collector.store(
        traces(
            span_of(1, gen_ai__request__model="asked", gen_ai__response__model="answered"),
            span_of(2, llm__model_name="old", llm__token_count__prompt=3),
            span_of(3, gen_ai__usage__prompt_tokens=9, gen_ai__usage__input_tokens=4),
            span_of(4, gen_ai__usage__output_tokens="many"),
            span_of(5, crucible__measurement__cost_usd=2),
        )
    )
    rows = rows_of(plain_database, "spans", "span_id")
    assert [row["model"] for row in rows] == ["answered", "old", None, None, None]
    assert [row["input_tokens"] for row in rows] == [None, 3, 4, None, None]
    assert [row["output_tokens"] for row in rows] == [None] * 5
    assert [row["cost_usd"] for row in rows] == [None, None, None, None, 2.0]
    assert rows[0]["attributes"]["gen_ai.request.model"] == "asked"  # originals stay


def test_what_the_check_refused_leaves_no_row_and_spoils_no_other(
    collector: Ingest, plain_database: str
) -> None:
    bad_kind, bad_id = span_of(1, crucible__run__id="refused"), span_of(2)
    bad_kind.kind = 40_000  # type: ignore[assignment]
    bad_id.trace_id = b"short"
    collector.store(traces(bad_kind, span_of(3), bad_id), traces(span_of(4)))
    assert [row["span_id"] for row in rows_of(plain_database, "spans", "span_id")] == [3, 4]
    assert rows_of(plain_database, "runs") == []


def test_a_run_is_part_of_the_run_that_any_of_its_records_names(
    collector: Ingest, plain_database: str
) -> None:
    run = {"crucible.run.id": "training"}
    collector.store(traces(span_of(1, **run)))
    assert row_of(plain_database, "runs")["parent_run_id"] is None
    collector.store(traces(span_of(2, **run, **{"crucible.run.parent_id": "pipeline"})))
    collector.store(traces(span_of(3, **run)))
    assert row_of(plain_database, "runs")["parent_run_id"] == "pipeline"
    attributes = [row["attributes"] for row in rows_of(plain_database, "spans", "span_id")]
    assert attributes == [None, {"crucible.run.parent_id": "pipeline"}, None]


def test_the_parent_of_a_run_may_be_said_for_a_whole_process(
    collector: Ingest, plain_database: str
) -> None:
    of_process = resource_of(crucible__run__parent_id="pipeline")
    collector.store(traces(span_of(1, crucible__run__id="training"), resource=of_process))
    assert row_of(plain_database, "runs")["parent_run_id"] == "pipeline"
