"""Runs and experiments come out the same, whatever comes when, together with what, and by whom."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, NumberDataPoint

from collector.store.life_cycle import ABOUT, EXPERIMENT, TRAINING, event, time_of
from harness import eventually
from rows_of import (
    Ingest,
    at,
    entry_of,
    execute,
    ingest,
    logs,
    metrics,
    resource_of,
    row_of,
    rows_of,
    traces,
)
from traffic import key_value

HEARTBEAT = "crucible_telemetry.run.heartbeat"

RUN = {"crucible.run.id": "run", "crucible.experiment.id": "experiment"}
FIRST = RUN | {"crucible.training.config": '{"lr": 1}', "crucible.model.name": "first"}
SECOND = RUN | {"crucible.training.config": '{"lr": 2}', "crucible.model.name": "second"}
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
    # What is said of it over REST only.
    "described_at": None,
    "sample_size": None,
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


@pytest.mark.parametrize("together", [False, True])
def test_a_run_is_its_first_experiments_by_receipt_whichever_is_stored_first(
    collectors: list[Ingest], plain_database: str, *, together: bool
) -> None:
    """Else who may send for some experiments only makes a foreign run one of these, and reads it."""
    told = [("m", 3), ("z", 1), ("a", 2), (None, 0)]
    for order in itertools.permutations(range(len(told))):
        emptied(plain_database, collectors)
        entries = []
        for number in order:
            experiment, second = told[number]
            named = {} if experiment is None else {"crucible__experiment__id": experiment}
            span = event("crucible_train.batch", -9, -8, crucible__run__id="run", **named)
            span.span_id = (number + 1).to_bytes(8)
            entries.append(entry_of(traces(span), received_ns=at(second)))
        if together:
            collectors[0].write(collectors[0].rows_of_entries(*entries))
        else:
            for turn, entry in enumerate(entries):
                collector = collectors[turn % 2]
                collector.write(collector.rows_of_entries(entry))
        run = row_of(plain_database, "runs")
        assert (run["experiment_id"], run["experiment_received_at"]) == ("z", time_of(1))


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
