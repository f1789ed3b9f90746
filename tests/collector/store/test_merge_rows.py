"""What rows say of runs, experiments and series, and which of them a constraint refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.store.life_cycle import ABOUT, EXPERIMENT, PIPELINE, TRAINING, event, time_of
from rows_of import Ingest, execute, ingest, resource_of, row_of, rows_of, traces


@pytest.fixture
def collector(tmp_path: Path, plain_database: str) -> Iterator[Ingest]:
    with ingest(plain_database, tmp_path / "journal") as one:
        yield one


def run_after(collector: Ingest, database: str, *spans: Span) -> dict[str, Any]:
    """The run's row after each span came in a window of its own."""
    for span in spans:
        collector.store(traces(span))
    return row_of(database, "runs")


START = event(f"{TRAINING}.start", -9, crucible__run__id="run")


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ({}, "completed"),
        ({"error": True}, "failed"),
        ({"crucible.status": "early_stopped"}, "early_stopped"),
        ({"crucible.status": "cancelled", "error": True}, "cancelled"),
        ({"crucible.status": "running"}, "completed"),
        ({"crucible.status": "splendid", "error": True}, "failed"),
    ],
)
def test_a_run_ends_as_its_end_says(
    collector: Ingest, plain_database: str, end: dict[str, Any], status: str
) -> None:
    row = run_after(collector, plain_database, START)
    assert (row["status"], row["kind"], row["ended_at"]) == ("running", "training", None)
    row = run_after(
        collector, plain_database, event(TRAINING, -9, -1, crucible__run__id="run", **end)
    )
    assert (row["status"], row["ended_at"]) == (status, time_of(-1))


def test_a_status_that_is_a_list_is_no_status(collector: Ingest, plain_database: str) -> None:
    span = event(TRAINING, -9, -1, crucible__run__id="run")
    span.attributes.append(
        KeyValue(key="crucible.status", value=AnyValue(array_value=ArrayValue()))
    )
    assert run_after(collector, plain_database, span)["status"] == "completed"


def test_other_events_of_a_training_end_nothing(collector: Ingest, plain_database: str) -> None:
    heartbeat = event(f"{TRAINING}.heartbeat", -2, crucible__run__id="run")
    assert run_after(collector, plain_database, START, heartbeat)["status"] == "running"


def test_a_pipeline_is_a_run(collector: Ingest, plain_database: str) -> None:
    row = run_after(collector, plain_database, event(PIPELINE, -9, -1, crucible__run__id="p"))
    assert (row["kind"], row["status"]) == ("pipeline", "completed")


@pytest.mark.parametrize("is_known", [False, True])
@pytest.mark.parametrize("status", ["stalled", "pending"])
def test_a_run_that_is_heard_of_runs(
    collector: Ingest, plain_database: str, status: str, is_known: bool
) -> None:
    run_after(collector, plain_database, START)
    execute(plain_database, f"update crucible.runs set status = '{status}'")
    if not is_known:
        collector.remembered.forget()
    sign_of_life = event("crucible_train.batch", -3, -2, crucible__run__id="run")
    assert run_after(collector, plain_database, sign_of_life)["status"] == "running"


def test_an_experiment_that_is_taken_up_again_runs_again(
    collector: Ingest, plain_database: str
) -> None:
    for span, status in (
        (event(EXPERIMENT, -50, -40, **ABOUT), "stopped"),
        (event(f"{EXPERIMENT}.start", -30, **ABOUT), "running"),
        (event(f"{EXPERIMENT}.start", -50, **ABOUT), "running"),
        (event(EXPERIMENT, -30, -20, **ABOUT), "stopped"),
    ):
        collector.store(traces(span))
        assert row_of(plain_database, "experiments")["status"] == status


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ('{"a": [1, 1.5, null]}', {"a": [1, 1.5, None]}),
        ("lr=3", {"text": "lr=3"}),
        ('{"a": NaN}', {"text": '{"a": NaN}'}),
        ('{"a": 1e999}', {"text": '{"a": 1e999}'}),
        (r'"\u0000 \ud800"', "\ufffd \ufffd"),
        (r'{"\u0000": "C:\\u0000"}', {"\ufffd": "C:\\u0000"}),
        ("[" * 100_000, {"text": "[" * 100_000}),
    ],
)
def test_a_configuration_is_kept_as_json_or_as_its_text(
    collector: Ingest, plain_database: str, sent: str, stored: Any
) -> None:
    span = event(TRAINING, -9, -1, crucible__run__id="run", crucible__training__config=sent)
    assert run_after(collector, plain_database, span)["config"] == stored


@pytest.mark.parametrize("relation", ["runs", "experiments", "series", "resources"])
def test_a_row_that_a_constraint_refuses_is_left_out_for_good_and_the_rest_goes_on(
    collector: Ingest, plain_database: str, relation: str
) -> None:
    column = {
        "runs": "run_id",
        "experiments": "experiment_id",
        "series": "metric",
        "resources": "service_name",
    }[relation]
    execute(
        plain_database, f"alter table crucible.{relation} add check ({column} not like '%bad%')"
    )

    def batch(number: int, name: str) -> Message:
        span = event(
            "crucible_train.batch",
            -number,
            0,
            **{
                "crucible.run.id": name,
                "crucible.experiment.id": name,
                f"crucible.measurement.{name}": 1,
            },
        )
        return traces(span, resource=resource_of(service__name=name))

    for number in range(1, 7, 2):
        collector.store(batch(number, "bad"), batch(number + 1, "good"))
    assert collector.buried == []
    assert {row[column] for row in rows_of(plain_database, relation)} == {"good"}
    assert len(rows_of(plain_database, "spans")) == 6
    assert len(rows_of(plain_database, "points")) == 6


def test_last_seen_of_a_series_follows_its_points_by_a_minute_at_most(
    collector: Ingest, plain_database: str
) -> None:
    def loss(seconds: float) -> Message:
        attributes = {"crucible.run.id": "run", "crucible.measurement.loss": 1}
        return traces(event("crucible_train.batch", seconds - 1, seconds, **attributes))

    for seconds, last_seen in ((-200, -200), (-190, -200), (-139, -139), (-300, -139)):
        collector.store(loss(seconds))
        assert row_of(plain_database, "series")["last_seen"] >= time_of(last_seen)
