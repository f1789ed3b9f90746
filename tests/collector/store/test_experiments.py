"""What an experiment and a run say of their course: pauses, an abort, a promised heartbeat."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from rows_of import Ingest, at, ingest, row_of, span_of, traces

EXPERIMENT = "crucible_telemetry.experiment"
HEARTBEAT = "crucible_telemetry.run.heartbeat"
ABOUT = {"crucible.experiment.id": "experiment", "crucible.experiment.name": "E"}
PAUSED = {"crucible.measurement.pause_count": 1}


@pytest.fixture
def collector(tmp_path: Path, plain_database: str) -> Iterator[Ingest]:
    with ingest(plain_database, tmp_path / "journal") as one:
        yield one


def event(name: str, start_s: float, end_s: float | None = None, /, **attributes: Any) -> Span:
    """A mark (no end), or the span whose end is a stop."""
    span = span_of(1 + round(1000 * -start_s) + (end_s is not None), name, **attributes)
    span.start_time_unix_nano = at(start_s)
    span.end_time_unix_nano = at(start_s if end_s is None else end_s)
    return span


@pytest.mark.parametrize(
    ("phase", "at_s", "status"),
    [
        ("paused", -20, "paused"),
        ("resumed", -10, "running"),
        ("paused", -15, "running"),  # older news
        ("paused", -5, "paused"),
    ],
)
def test_an_experiment_is_paused_and_runs_by_the_newest_word(
    collector: Ingest, plain_database: str, phase: str, at_s: float, status: str
) -> None:
    history = [("start", -50.0), ("paused", -20), ("resumed", -10), ("paused", -15), ("paused", -5)]
    for each, seconds in history[: history.index((phase, at_s)) + 1]:
        collector.store(traces(event(f"{EXPERIMENT}.{each}", seconds, **ABOUT)))
    assert row_of(plain_database, "experiments")["status"] == status


def test_a_pause_that_is_told_after_the_stop_stops_nothing_from_having_stopped(
    collector: Ingest, plain_database: str
) -> None:
    collector.store(traces(event(EXPERIMENT, -50, -10, **ABOUT)))
    collector.store(traces(event(f"{EXPERIMENT}.paused", -20, **ABOUT, **PAUSED)))
    row = row_of(plain_database, "experiments")
    assert (row["status"], row["pause_count"]) == ("stopped", 1)


def test_an_aborted_experiment_says_why_until_it_is_taken_up_again(
    collector: Ingest, plain_database: str
) -> None:
    aborted = event(EXPERIMENT, -50, -10, **ABOUT, crucible__experiment__abort_reason="bad data")
    aborted.attributes.append(
        KeyValue(key="crucible.experiment.aborted", value=AnyValue(bool_value=True))
    )
    collector.store(traces(aborted))
    row = row_of(plain_database, "experiments")
    assert (row["status"], row["is_aborted"], row["abort_reason"]) == ("stopped", True, "bad data")
    collector.store(traces(event(f"{EXPERIMENT}.start", -5, **ABOUT)))
    row = row_of(plain_database, "experiments")
    assert (row["status"], row["is_aborted"]) == ("running", False)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("crucible.measurement.active_duration", "long"),
        ("crucible.measurement.active_duration", 0.5),
        ("crucible.measurement.active_duration", float("nan")),
        ("crucible.measurement.pause_count", -1),
        ("crucible.experiment.owner", 7),
    ],
)
def test_what_is_no_value_of_its_column_counts_as_not_told(
    collector: Ingest, plain_database: str, key: str, value: Any
) -> None:
    collector.store(traces(event(EXPERIMENT, -50, -10, **ABOUT, **{key: value})))
    row = row_of(plain_database, "experiments")
    assert (row["status"], row["active_duration_ns"], row["pause_count"], row["owner"]) == (
        "stopped",
        None,
        None,
        None,
    )
    assert collector.buried == []


@pytest.mark.parametrize(
    ("sent", "stored"), [('{"a": 1}', {"a": 1}), ("[1]", {"value": [1]}), ("x", {"text": "x"})]
)
def test_metadata_of_an_experiment_is_an_object(
    collector: Ingest, plain_database: str, sent: str, stored: Any
) -> None:
    span = event(EXPERIMENT, -50, -10, **ABOUT, crucible__experiment__metadata=sent)
    collector.store(traces(span))
    assert row_of(plain_database, "experiments")["metadata"] == stored


@pytest.mark.parametrize("interval_s", [0, -1, 1e300, float("nan"), "soon"])
def test_an_interval_that_is_none_promises_no_heartbeat(
    collector: Ingest, plain_database: str, interval_s: Any
) -> None:
    beat = event(HEARTBEAT, -2, crucible__run__id="run", crucible__heartbeat__interval_s=interval_s)
    collector.store(traces(beat))
    assert row_of(plain_database, "runs")["heartbeat_interval_s"] is None


def test_heartbeats_of_a_known_run_are_the_common_case(
    collector: Ingest, plain_database: str
) -> None:
    def beat(second: int) -> Span:
        return event(HEARTBEAT, second, crucible__run__id="r", crucible__heartbeat__interval_s=5.0)

    collector.store(traces(beat(-20)))
    rows = collector.rows(traces(beat(-10)))
    collector.remembered.mark_known(rows)
    assert rows.runs["r"].is_known
