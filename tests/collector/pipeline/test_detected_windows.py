"""The loop with detectors: what is found is stored once, whatever happens to windows and collectors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.detect.numbers import losses
from collector.pipeline.sampled_place import Place, trace_of, watching
from crucible_collector.detect.engine import Engine
from crucible_collector.enrich.window import Known
from crucible_collector.journal import DeadLetters, Journal
from crucible_collector.metrics import REGISTRY
from crucible_collector.pipeline import pipeline as module
from crucible_collector.pipeline import windows
from crucible_collector.pipeline.prepare import prepare
from crucible_collector.rows import Phase
from rows_of import (
    RECEIVED_NS,
    SECOND_NS,
    entry_of,
    execute,
    rows_of,
    span_ids,
    span_of,
    traces,
    write_entries,
)
from traffic import key_value

STEPS, SPIKE, CHUNK = 200, 150, 10
# What waits for the rest of a trace, so that windows come ahead and behind.
NOTABLE = {
    "rules": [
        {
            "strategy": "tail",
            "rules": [{"anomaly": True}],
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
        yield Place(database, tmp_path, journal, dead_letters, detection=watching({}))


def batch(step: int, value: float) -> Span:
    found = span_of(step + 1, "crucible_train.batch", crucible__run__id="r", crucible__step=step)
    found.start_time_unix_nano = RECEIVED_NS + (step - 1000) * SECOND_NS
    found.end_time_unix_nano = found.start_time_unix_nano + SECOND_NS // 2
    found.attributes.append(key_value("crucible.measurement.loss", value))
    found.trace_id = trace_of(step)
    return found


def chunks() -> Iterator[ExportTraceServiceRequest]:
    values = losses(STEPS)
    values[SPIKE] *= 20
    for begin in range(0, STEPS, CHUNK):
        yield traces(*(batch(step, float(values[step])) for step in range(begin, begin + CHUNK)))


def flags(dsn: str) -> list[tuple[Any, ...]]:
    """What is to be the same whatever happened on the way."""
    rows = rows_of(dsn, "anomalies")
    return sorted(
        (row["metric"], row["detector"], row["step"], row["value"], row["upper"], row["score"])
        for row in rows
    )


def send(place: Place, requests: list[ExportTraceServiceRequest], phase: Phase) -> None:
    """Each a window of its own."""
    for request in requests:
        place.until(phase, place.append(request))


def test_a_flag_is_stored_with_its_period_beside_the_window(place: Place) -> None:
    with place.running():
        send(place, list(chunks()), Phase.WHOLE)
    (flag,) = [row for row in rows_of(place.dsn, "anomalies") if row["detector"] == "ewma"]
    assert (flag["metric"], flag["run_id"], flag["step"]) == ("loss", "r", SPIKE)
    assert flag["trace_id"].bytes == trace_of(SPIKE)
    assert flag["span_id"] == SPIKE + 1
    (series,) = [row for row in rows_of(place.dsn, "series") if row["metric"] == "loss"]
    assert flag["series_id"] == series["series_id"]
    (period,) = [row for row in rows_of(place.dsn, "anomaly_periods") if row["detector"] == "ewma"]
    assert period["period_id"] == flag["period_id"]
    assert period["state"] == "resolved"


@pytest.mark.parametrize("sampling", [None, NOTABLE])
def test_a_collector_that_is_killed_in_the_middle_finds_the_same(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampling: dict[str, Any] | None
) -> None:
    """Between checkpoint and death it had learned what only the journal still knows."""
    monkeypatch.setattr(windows, "CHECKPOINT_S", 0.0)
    phase = Phase.WHOLE
    if sampling is not None:
        place.rule(sampling)
        phase = Phase.AHEAD
    requests = list(chunks())
    with place.killed(monkeypatch):
        send(place, requests[:5], phase)
        monkeypatch.setattr(windows, "CHECKPOINT_S", 1e9)
        send(place, requests[5:12], phase)
    with place.killed(monkeypatch):
        send(place, requests[12:14], phase)
    with place.running():
        send(place, requests[14:], phase)
    expected = alone(Engine(place.detection.now.settings), tmp_path)
    assert SPIKE in [flag[2] for flag in expected]
    assert flags(place.dsn) == expected


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_database_that_is_set_back_is_told_again_of_what_it_has_lost(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_kept: bool
) -> None:
    """What its windows bring is not late for detectors that have seen them; with a checkpoint and without."""
    monkeypatch.setattr(module, "_ASK_AGAIN_S", 0.02)
    monkeypatch.setattr(windows, "CHECKPOINT_S", 0.0 if is_kept else 1e9)
    requests = list(chunks())
    with place.running():
        send(place, requests[:2], Phase.WHOLE)
        monkeypatch.setattr(windows, "CHECKPOINT_S", 1e9)
        send(place, requests[2:12], Phase.WHOLE)
        back = place.journal.tail
        send(place, requests[12:], Phase.WHOLE)
        expected = alone(Engine(place.detection.now.settings), tmp_path)
        assert flags(place.dsn) == expected
        place.windows.clear()
        execute(
            place.dsn,
            "truncate crucible.anomalies, crucible.anomaly_periods, crucible.requests, crucible.points;"
            f" delete from crucible.windows where start_position >= {back};"
            f" update crucible.positions set position = {back}, stored_until = null",
        )
        place.until(Phase.WHOLE, place.journal.tail)
        assert flags(place.dsn) == expected


def alone(engine: Engine, directory: Path) -> list[tuple[Any, ...]]:
    """What one engine finds that sees all windows, and never ends."""
    found = []
    with Journal.open(directory / "other", segment_bytes=1 << 16, bytes_max=1 << 24) as journal:
        for request in chunks():
            window = write_entries(journal, [entry_of(request)])
            for episode in prepare(window, Known((), (), ()), engine=engine).found.episodes:
                about = episode.watched.metric, episode.detector
                found += [
                    (*about, flag.step, flag.value, flag.upper, flag.score)
                    for flag in episode.flags
                ]
    return sorted(found)


def test_an_anomaly_rescues_its_trace_from_being_sampled_away(place: Place) -> None:
    place.rule(NOTABLE)
    with place.running():
        send(place, list(chunks()), Phase.AHEAD)
    assert SPIKE + 1 in span_ids(place.dsn)
    assert len(span_ids(place.dsn)) < 20
    (row,) = [row for row in rows_of(place.dsn, "spans") if row["span_id"] == SPIKE + 1]
    assert row["keep_reason"] == "anomaly"


def test_a_request_that_comes_again_flags_nothing_again(place: Place) -> None:
    requests = list(chunks())
    with place.running():
        send(place, requests, Phase.WHOLE)
        before = flags(place.dsn)
        send(place, [*requests[-6:], requests[SPIKE // CHUNK]], Phase.WHOLE)
    assert before
    assert flags(place.dsn) == before


def test_detectors_that_fail_cost_nothing_but_their_flags(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(Engine, "look", failing)
    labels = {"loop": "detect"}
    before = REGISTRY.get_sample_value("crucible_uncaught_errors_total", labels) or 0
    with place.running():
        send(place, list(chunks())[:2], Phase.WHOLE)
    assert len(span_ids(place.dsn)) == 2 * CHUNK
    assert REGISTRY.get_sample_value("crucible_uncaught_errors_total", labels) == before + 2
    assert not flags(place.dsn)


def test_two_collectors_that_see_parts_of_a_run_share_its_period(
    place: Place, tmp_path: Path
) -> None:
    """Each sees every other chunk; both see what is not finite, and it is one period."""
    with ExitStack() as stack:
        journal = stack.enter_context(
            Journal.open(tmp_path / "second", segment_bytes=1 << 16, bytes_max=1 << 24)
        )
        dead = stack.enter_context(DeadLetters.open(tmp_path / "second-dead"))
        other = Place(place.dsn, tmp_path / "second", journal, dead, detection=watching({}))
        stack.enter_context(place.running())
        stack.enter_context(other.running())
        for step in range(0, 12, 2):
            place.append(traces(batch(step, float("nan"))))
            other.append(traces(batch(step + 1, float("nan"))))
        place.until(Phase.WHOLE, place.journal.tail)
        other.until(Phase.WHOLE, other.journal.tail)
    (period,) = [
        row for row in rows_of(place.dsn, "anomaly_periods") if row["detector"] == "non_finite"
    ]
    assert period["flag_count"] == 12
    assert len([row for row in rows_of(place.dsn, "anomalies") if row["starts_period"]]) == 1
