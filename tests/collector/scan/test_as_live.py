"""What a scan finds is what the stream found: the same numbers, value for value, on either database.

The same requests go through the pipeline with its engine, window by window, and are then scanned under a
label; floats are compared as they are.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from google.protobuf.message import Message
from opentelemetry.proto.metrics.v1.metrics_pb2 import Gauge, Metric, NumberDataPoint, Sum
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from crucible_collector.api.scanned import ScanRequest
from crucible_collector.batch import I32
from crucible_collector.detect.engine import Engine
from crucible_collector.detect.found import FLAGS_MAX
from crucible_collector.detect.groups import Looked
from crucible_collector.detect.observations import Observations
from crucible_collector.detect.settings import Detection
from crucible_collector.pipeline.prepare import prepare
from crucible_collector.scan import look
from crucible_collector.scan.scans import Scans
from crucible_collector.store import replay
from databases import TestServer
from rows_of import at, ingest, metrics, resource_of, rows_of, traces
from traffic import key_value

STEPS, WINDOW_STEPS = 500, 37
LABEL = "again"
BATCH_ROWS = replay.BATCH_ROWS
DETECTION = Detection.parse(
    {
        "rules": [
            {
                "name": "windows",
                "metrics": ["accuracy"],
                "detectors": ["zscore", "modified_z", "iqr"],
            },
            {"name": "queue", "metrics": ["queue.length", "requests"], "conditions": ["a"]},
            {"name": "seen", "events": ["ask"], "runs": ["run-b"], "sensitivity": 2.0},
        ]
    }
)
SERVICE = resource_of(**{"service.name": "trainer", "crucible.experiment.id": "sweep"})
# What stays on spans but for their duration and status is not scanned: steps, tokens, cost.
SCANNED = {
    "loss",
    "gradient_norm",
    "accuracy",
    "queue.length",
    "requests",
    "duration_ms",
    "error_rate",
}
WANTED = {"non_finite", "ewma", "drift", "rarity", "zscore", "modified_z", "iqr", "proportion"}
_CUMULATIVE = 2
OF_FLAGS = (
    *("time", "time_ns_rest", "watch_key", "series_id", "metric", "event_name", "run_id"),
    *("experiment_id", "detector", "severity", "step", "value", "expected", "lower", "upper"),
    *("score", "starts_period"),
)
OF_PERIODS = (
    *("watch_key", "series_id", "metric", "event_name", "run_id", "experiment_id", "detector"),
    *("rule", "severity", "started_at", "last_flag_at", "ended_at", "first_step", "last_step"),
    *("first_value", "flag_count", "peak_at", "peak_score", "peak_value", "peak_expected"),
    *("peak_lower", "peak_upper"),
)


Words = dict[tuple[int, int, str], tuple[str, ...]]
RECORDED: Words = {}
LIVE: Words = {}


class Recording(Engine):
    """Writes down what each detector says of each number: score, expected, bounds, what it is to a period."""

    def _looked(self, observations: Observations, plan: I32) -> Iterator[Looked]:
        for looked in super()._looked(observations, plan):
            scored, rows = looked.scored, looked.rows
            columns = (
                *(looked.value, scored.score, scored.expected, scored.lower, scored.upper),
                *(looked.became, looked.severity),
            )
            keys = zip(observations.key[rows], observations.time_ns[rows], strict=True)
            names = [observations.subjects[each].metric for each in observations.subject[rows]]
            for metric, (key, time_ns), *told in zip(names, keys, *columns, strict=True):
                if metric not in SCANNED:
                    continue
                place = int(key), int(time_ns), looked.detector.name
                RECORDED[place] = tuple(map(repr, told))
            yield looked


def spans(run: str, first: int, seed: int) -> list[Span]:
    """Batches of a training that diverges, and questions that become slow and fail."""
    found = []
    for step in range(first, min(first + WINDOW_STEPS, STEPS)):
        chance = np.random.default_rng((seed, step))
        is_bad = step > 400
        loss = np.exp(-min(step, 600 - step) / 100 + chance.normal(0, 0.05)) * (
            50 if step in {250, 251} else 1
        )
        told: dict[str, Any] = {
            "crucible.measurement.loss": float("nan") if step == 450 else float(loss),
            "crucible.measurement.gradient_norm": float(chance.lognormal(0, 0.3))
            * (90 if is_bad else 1),
            "crucible.measurement.accuracy": float(chance.normal(0.5, 0.01)) - 0.4 * (step == 333),
        }
        found.append(_span(run, step, "crucible_train.batch", 0.1, 0, told))
        took_s = float(chance.lognormal(-3, 0.2)) * (20 if is_bad else 1)
        found.append(_span(run, step, "ask", took_s, 2 if is_bad and step % 2 else 0, {}))
    return found


def _span(run: str, step: int, name: str, took_s: float, status: int, told: dict[str, Any]) -> Span:
    told = {"crucible.run.id": run, "crucible.step": step, "crucible.condition": "a", **told}
    ended = at(-3000 + 5 * step)
    return Span(
        trace_id=(step + 1).to_bytes(16),
        span_id=(step + 1).to_bytes(8),
        name=name,
        start_time_unix_nano=ended - round(took_s * 1e9),
        end_time_unix_nano=ended,
        status=Status(code=cast("Any", status)),
        attributes=[key_value(key, value) for key, value in told.items()],
    )


def numbers(first: int) -> list[Metric]:
    """A gauge that jumps, and a counter that is reset and then grows fast."""
    gauge, total = Gauge(), Sum(aggregation_temporality=cast("Any", _CUMULATIVE), is_monotonic=True)
    for step in range(first, min(first + WINDOW_STEPS, STEPS)):
        value = np.random.default_rng((9, step)).normal(20, 1) + 60 * (step > 420)
        grown = 3 * (step % 300) + (500 * (step - 430) if step > 430 else 0)
        for points, number in ((gauge.data_points, float(value)), (total.data_points, grown)):
            points.append(
                NumberDataPoint(
                    time_unix_nano=at(-3000 + 5 * step),
                    start_time_unix_nano=at(-3000 if step < 300 else -1500),
                    as_double=number,
                )
            )
    return [Metric(name="queue.length", gauge=gauge), Metric(name="requests", sum=total)]


def requests() -> Iterator[list[Message]]:
    condition = resource_of(
        **{"service.name": "queue", "crucible.run.id": "run-a", "crucible.condition": "a"}
    )
    for first in range(0, STEPS, WINDOW_STEPS):
        both = [*spans("run-a", first, 1), *spans("run-b", first, 2)]
        yield [traces(*both, resource=SERVICE), metrics(*numbers(first), resource=condition)]


@pytest.fixture(scope="module")
def dsn(module_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What the stream found is in it."""
    engine = Recording(DETECTION)
    directory: Path = tmp_path_factory.mktemp("journal")
    with module_server.database() as found:
        with ingest(found, directory / "journal") as one:
            for together in requests():
                window = one.window(*together)
                one.write(prepare(window, one.remembered.known(), engine=engine))
        LIVE.update(RECORDED)
        yield found


def scanned(dsn: str, label: str, **asked: Any) -> None:
    scans = Scans(lambda: dsn, lambda: DETECTION)
    scans.start(ScanRequest.model_validate({"label": label, "write": True, **asked}))
    for thread in threading.enumerate():
        if thread.name == "anomaly-scan":
            thread.join(60)
    (row,) = (row for row in rows_of(dsn, "anomaly_scans") if row["label"] == label)
    assert (row["state"], row["error"]) == ("completed", None)


def told(
    dsn: str, relation: str, names: tuple[str, ...], label: str
) -> dict[tuple[Any, ...], list[str]]:
    """By series and detector; as texts, which are as exact and of which NaN are equal."""
    found: dict[tuple[Any, ...], list[str]] = {}
    for row in rows_of(dsn, relation):
        if row["label"] == label and row["metric"] in SCANNED:
            key = row["metric"], row["run_id"], row["detector"]
            found.setdefault(key, []).append(repr([row[name] for name in names]))
    return {key: sorted(rows) for key, rows in found.items()}


@pytest.mark.parametrize("batch_rows", [BATCH_ROWS, 23])
def test_a_scan_of_an_experiment_finds_what_the_stream_found(
    dsn: str, batch_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every word of every detector on every number; in batches of any size, which may end within a series."""
    monkeypatch.setattr(replay, "BATCH_ROWS", batch_rows)
    label = f"{LABEL}-{batch_rows}"
    monkeypatch.setattr(look, "Engine", Recording)
    RECORDED.clear()
    scanned(dsn, label, experiment="sweep")
    live, again = (told(dsn, "anomaly_periods", OF_PERIODS, each) for each in ("", label))
    assert again == live
    assert {metric for metric, *_ in live} == SCANNED
    assert {detector for *_, detector in live} >= WANTED
    assert len(LIVE) > 10 * STEPS
    assert RECORDED == LIVE
    if batch_rows == BATCH_ROWS:
        stored, again = (told(dsn, "anomalies", OF_FLAGS, each) for each in ("", label))
        assert again.keys() == stored.keys()
        for key, rows in stored.items():
            # Of an episode only so many are told one by one, and windows cut episodes.
            assert set(again[key]) <= set(rows)
            assert again[key] == rows or len(rows) > FLAGS_MAX


def test_gauges_and_counters_are_scanned_as_they_were_watched(dsn: str) -> None:
    scanned(dsn, "metrics", run="run-a", metric="queue.length")
    scanned(dsn, "metrics-2", run="run-a", metric="requests")
    for metric, label in (("queue.length", "metrics"), ("requests", "metrics-2")):
        live = told(dsn, "anomaly_periods", OF_PERIODS, "")
        assert told(dsn, "anomaly_periods", OF_PERIODS, label) == {
            key: rows for key, rows in live.items() if key[0] == metric
        }
