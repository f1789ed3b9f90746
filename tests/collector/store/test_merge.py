"""Runs and experiments come out the same, whatever comes when, together with what, and by whom."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, NumberDataPoint
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from harness import eventually
from rows_of import (
    Ingest,
    at,
    execute,
    ingest,
    logs,
    metrics,
    resource_of,
    row_of,
    rows_of,
    span_of,
    traces,
)
from traffic import key_value

TRAINING, PIPELINE = "crucible_train.training", "crucible_framework.pipeline"
EXPERIMENT = "crucible_telemetry.experiment"
HEARTBEAT = "crucible_telemetry.run.heartbeat"
ERROR = 2  # OTLP Status.StatusCode


def event(name: str, start_s: float, end_s: float | None = None, /, **attributes: Any) -> Span:
    """A start marker (no end), or the span whose end is a stop or, with `error`, an exception."""
    is_error = attributes.pop("error", False)
    tags = attributes.pop("tags", None)
    span = span_of(1 + round(1000 * -start_s) + (end_s is not None), name, **attributes)
    span.start_time_unix_nano = at(start_s)
    span.end_time_unix_nano = at(start_s if end_s is None else end_s)
    if is_error:
        span.status.code = ERROR  # type: ignore[assignment] # the enum's number
    if tags:
        values = [AnyValue(string_value=tag) for tag in tags]
        span.attributes.append(
            KeyValue(
                key="crucible.experiment.tags",
                value=AnyValue(array_value=ArrayValue(values=values)),
            )
        )
    return span


def time_of(seconds: float) -> datetime:
    return datetime.fromtimestamp(at(seconds) / 1e9, UTC)


RUN = {"crucible.run.id": "run", "crucible.experiment.id": "experiment"}
FIRST = RUN | {"crucible.training.config": '{"lr": 1}', "crucible.model.name": "first"}
SECOND = RUN | {"crucible.training.config": '{"lr": 2}', "crucible.model.name": "second"}
ABOUT = {
    "crucible.experiment.id": "experiment",
    "crucible.experiment.name": "E",
    "crucible.experiment.hypothesis": "H",
    "tags": ["b", "a"],
}

PAUSED = {
    "crucible.measurement.pause_count": 1,
    "crucible.experiment.pause_reason": "the GPU is needed elsewhere",
}
COURSE = {
    "crucible.measurement.active_duration": 106_000_000_000,
    "crucible.measurement.paused_duration": 2_000_000_000,
    "crucible.measurement.pause_count": 1,
    "crucible.experiment.owner": "ada",
    "crucible.experiment.type": "training",
    "crucible.experiment.metadata": '{"ticket": "ML-42"}',
}


def gauge_of_the_run() -> Metric:
    metric = Metric(name="memory")
    metric.gauge.data_points.append(
        NumberDataPoint(
            time_unix_nano=at(-33), as_int=1, attributes=[key_value("crucible.run.id", "run")]
        )
    )
    return metric


def line_of_the_run() -> LogRecord:
    return LogRecord(
        time_unix_nano=at(-5),
        attributes=[key_value("crucible.run.id", "run"), key_value("crucible.condition", "b")],
    )


# A training that fails, is resumed and completes; records of every signal in between.
REQUESTS: list[Message] = [
    traces(event(EXPERIMENT, -110, **ABOUT)),
    traces(event(f"{TRAINING}.start", -100, **FIRST)),
    traces(event("crucible_train.batch", -90, -89, crucible__step=1, **RUN)),
    traces(event("crucible_train.batch", -80, -79, crucible__step=2, crucible__epoch=1, **RUN)),
    traces(event(TRAINING, -100, -60, error=True, **FIRST)),
    traces(event(f"{TRAINING}.start", -50, **SECOND), resource=resource_of(service__name="two")),
    traces(event("crucible_train.batch", -40, -39, crucible__step=9, **RUN)),
    traces(event("work", -120, -119, crucible__condition="a", crucible__run__id="run")),
    traces(event(TRAINING, -50, -10, **SECOND, **{"crucible.measurement.loss": 0.25})),
    traces(event("late", -4, -3, crucible__step=3, crucible__correlation__id="c", **RUN)),
    metrics(gauge_of_the_run(), resource=resource_of(service__name="one")),
    logs(line_of_the_run()),
    traces(event(f"{EXPERIMENT}.paused", -101, **ABOUT, **PAUSED)),
    traces(event(f"{EXPERIMENT}.resumed", -99, **ABOUT, **{"crucible.measurement.pause_count": 1})),
    traces(event(EXPERIMENT, -110, -2, **ABOUT, **COURSE)),
    traces(event(HEARTBEAT, -71, **RUN, **{"crucible.heartbeat.interval_s": 30.0})),
    traces(event(HEARTBEAT, -41, **RUN, **{"crucible.heartbeat.interval_s": 10})),
]
RUN_ROW: dict[str, Any] = {
    "run_id": "run",
    "experiment_id": "experiment",
    "condition": "a",
    "kind": "training",
    "status": "completed",
    "status_at": time_of(-10),
    "model_name": "second",
    "config": {"lr": 2},
    "summary": {"loss": 0.25},
    "service_name": "one",
    "correlation_id": "c",
    "started_at": time_of(-100),
    "ended_at": time_of(-10),
    "first_seen": time_of(-120),
    "last_seen": time_of(-3),
    "last_step": 9,
    "last_epoch": 1,
    "last_received_at": time_of(0),
    "stalled_at": None,
    "heartbeat_interval_s": 30.0,
}
EXPERIMENT_ROW: dict[str, Any] = {
    "experiment_id": "experiment",
    "name": "E",
    "hypothesis": "H",
    "status": "stopped",
    "status_at": time_of(-2),
    "tags": ["a", "b"],
    "metadata": {"ticket": "ML-42"},
    "owner": "ada",
    "experiment_type": "training",
    "pause_count": 1,
    "pause_reason": "the GPU is needed elsewhere",
    "is_aborted": False,
    "abort_reason": None,
    "active_duration_ns": 106_000_000_000,
    "paused_duration_ns": 2_000_000_000,
    "first_seen": time_of(-110),
    "last_seen": time_of(-2),
}


@pytest.fixture
def collectors(tmp_path: Path, plain_database: str) -> Iterator[list[Ingest]]:
    """Two collectors on one database."""
    with ExitStack() as stack:
        yield [stack.enter_context(ingest(plain_database, tmp_path / name)) for name in ("a", "b")]


def emptied(database: str, collectors: list[Ingest]) -> None:
    relations = "spans, points, logs, runs, experiments, series, resources, scopes, requests"
    execute(database, f"truncate {', '.join('crucible.' + each for each in relations.split(', '))}")
    for each in collectors:
        each.remembered.forget()


# Each request goes into one of six windows; the windows are written in their order, by turns.
@given(
    order=st.permutations(range(len(REQUESTS))),
    windows=st.lists(st.integers(0, 5), min_size=len(REQUESTS), max_size=len(REQUESTS)),
    writers=st.lists(st.integers(0, 1), min_size=6, max_size=6),
)
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_order_in_any_windows_by_any_collector_gives_the_same_run_and_experiment(
    collectors: list[Ingest],
    plain_database: str,
    order: list[int],
    windows: list[int],
    writers: list[int],
) -> None:
    emptied(plain_database, collectors)
    for window in range(6):
        chosen = [REQUESTS[index] for index in order if windows[index] == window]
        if chosen:
            collectors[writers[window]].store(*chosen)
    run = row_of(plain_database, "runs")
    assert {name: run[name] for name in RUN_ROW} == RUN_ROW
    assert row_of(plain_database, "experiments") == EXPERIMENT_ROW


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


def test_three_collectors_with_the_same_runs_series_and_experiments_never_deadlock(
    tmp_path: Path, database: str
) -> None:
    """Each sends other runs in every window, so that what is news to one is known to another."""
    window_count, failures = 12, []

    def requests(writer: int, window: int) -> list[Message]:
        spans = []
        for number in range(24):
            run = f"run {(number * (writer + 2) + window) % 30}"
            name = "crucible_train.training" if number % 8 == 0 else "crucible_train.batch"
            span = event(name, -number - 1, 0, crucible__run__id=run, crucible__step=window)
            span.span_id = (1 + writer * 10_000 + window * 100 + number).to_bytes(8)
            span.attributes.extend(
                [
                    key_value("crucible.experiment.id", f"experiment {number % 3}"),
                    key_value(f"crucible.measurement.m{number % 5}", 1),
                ]
            )
            spans.append(span)
        services = [resource_of(service__name=f"service {window % 4}"), None]
        return [traces(*spans[half::2], resource=services[half - writer % 2]) for half in (0, 1)]

    def write(writer: int, barrier: threading.Barrier) -> None:
        try:
            with ingest(database, tmp_path / str(writer)) as collector:
                for window in range(window_count):
                    prepared = collector.rows(*requests(writer, window))
                    barrier.wait(60)
                    collector.write(prepared)
        except (psycopg.Error, threading.BrokenBarrierError) as error:
            failures.append(error)
            barrier.abort()

    barrier = threading.Barrier(3)
    threads = [threading.Thread(target=write, args=(n, barrier)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failures == []
    assert len(rows_of(database, "spans")) == 3 * window_count * 24
    assert {row["last_step"] for row in rows_of(database, "runs")} <= {10, 11}
    assert (
        asked(database, "select deadlocks from pg_stat_database where datname = current_database()")
        == 0
    )


def asked(database: str, question: str) -> Any:
    with psycopg.connect(database) as connection:
        row = connection.execute(question.encode()).fetchone()
    return row and row[0]


WAITING = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


def test_new_runs_and_known_ones_are_locked_in_one_order(
    collectors: list[Ingest], plain_database: str
) -> None:
    """One collector is held at the first of its runs, which is new, while the other, to which all
    are new, goes on to the last, which the first one knows.
    """

    def batches(*runs: str) -> Message:
        names = enumerate(runs, 10 * len(runs))
        return traces(*(event("work", -n, 0, crucible__run__id=run) for n, run in names))

    one, other = collectors
    one.store(batches("run 9"))
    new_and_known = one.rows(batches("run 0", "run 1", "run 9"))
    all_new = other.rows(batches("run 1", "run 9"))
    with ThreadPoolExecutor(2) as pool, psycopg.connect(plain_database) as somebody:
        somebody.execute(
            "insert into crucible.runs (run_id, first_seen, last_seen) values ('run 0', now(), now())"
        )
        first = pool.submit(one.write, new_and_known)
        eventually(lambda: asked(plain_database, WAITING) == 1, "the one is held")
        second = pool.submit(other.write, all_new)
        eventually(
            lambda: second.done() or asked(plain_database, WAITING) == 2, "the other is through"
        )
        somebody.rollback()
        first.result(60)
        second.result(60)
    assert [row["run_id"] for row in rows_of(plain_database, "runs", "run_id")] == [
        "run 0",
        "run 1",
        "run 9",
    ]
