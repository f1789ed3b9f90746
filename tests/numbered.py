"""What to ask about numbers of what `varied` has, with every parameter: sums, lines, statistics."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

import varied

Question = tuple[str, dict[str, str], dict[str, object]]
API = "/api/v1"
BATCH, EPOCH = "crucible_train.batch.stop", "crucible_train.epoch.stop"
SAVED = "crucible_train.checkpoint.saved"
INFERENCE = "crucible_deployment.inference.stop"


def questions(begin: datetime, series: dict[str, str]) -> Iterator[Question]:
    """`series`: ids by metric."""

    def after(hours: float) -> str:
        return (begin + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")

    odd: dict[str, object] = {"from_": after(1.0035), "to": after(50.12)}
    yield from _sums(odd)
    yield from _lines(odd)
    yield from _statistics(odd, after(72))
    yield from _reliability(odd)
    yield f"{API}/runs/{{run_id}}/checkpoints", {"run_id": "run-1"}, {"limit": 1}
    for metric in ("latency", "size"):
        place = {"series_id": series[metric]}
        yield f"{API}/series/{{series_id}}/percentiles", place, {"q": "0.5,0.999"}
        yield f"{API}/series/{{series_id}}/percentiles", place, odd
        yield f"{API}/series/{{series_id}}/histograms", place, {"q": "0.25", "limit": 30}
    yield f"{API}/series/{{series_id}}/histograms", {"series_id": series["wait"]}, {"q": "0.5"}


def checkpoints(begin: datetime) -> pa.RecordBatch:
    """Two of a run, as they are stored."""
    count = 2
    # A run lies between what it said of itself first and last.
    time_us = round(begin.timestamp()) * 1_000_000 + (np.arange(count) + 1) * 3_600_000_000
    carried = [
        {"crucible.checkpoint.path": f"mlp-{n}.pt", "crucible.measurement.accuracy": n / 10}
        for n in range(count)
    ]
    return pa.RecordBatch.from_pydict(
        {
            "time": pa.array(time_us).view(pa.timestamp("us", "UTC")),
            "duration_ns": pa.array([0] * count, pa.int64()),
            "span_id": pa.array(range(870_001, 870_001 + count), pa.int64()),
            "trace_id": pa.array([bytes([7] * 15 + [n]) for n in range(count)], pa.binary(16)),
            "resource_id": pa.array([1] * count, pa.int64()),
            "scope_id": pa.array([1] * count, pa.int64()),
            "name": [SAVED] * count,
            "event_name": [SAVED] * count,
            "status_code": pa.array([0] * count, pa.int16()),
            "run_id": ["run-1"] * count,
            "experiment_id": ["sweep"] * count,
            "attributes": [json.dumps(each) for each in carried],
        }
    )


def _sums(odd: dict[str, object]) -> Iterator[Question]:
    every = "count,sum,avg,min,max,std,p5,median,p99.9"
    asked: tuple[dict[str, object], ...] = (
        {"metric": "count"},
        {"metric": "errors", "interval": "1h", "group_by": "event", "limit": 40},
        {"metric": "error_rate", "group_by": "experiment,run,model,status", **odd},
        {"metric": "duration", "agg": "count,sum,avg,min,max,p99", "event": INFERENCE, **odd},
        {"metric": "duration", "agg": every, "event": "sampled.stop"},
        {"metric": "duration", "agg": every, "status": "ok,error", "kind": "internal"},
        {"metric": "cost", "agg": "sum,max", "model": "large,tiny", "interval": "1d"},
        {"metric": "output_tokens", "agg": every, "group_by": "condition,service,epoch"},
        {"metric": "loss", "agg": every, "group_by": "run,rank", "interval": "6h", **odd},
        {"metric": "loss", "source": "events", "agg": every, "event": EPOCH, "run": "run-1"},
        {
            "metric": "measurement.loss",
            "agg": "avg",
            "where": "step>=10",
            "interval": "5m",
            "limit": 50,
        },
        {
            "metric": "attribute.crucible.measurement.loss",
            "agg": "max",
            "group_by": "attribute.crucible.rank",
        },
        {"metric": "count", "condition": "lr=1e-3", "service": "gateway,trainer"},
        {"metric": "count", "correlation": varied.CORRELATION, "experiment": "sweep"},
    )
    for parameters in asked:
        yield f"{API}/aggregate", {}, parameters


def _lines(odd: dict[str, object]) -> Iterator[Question]:
    loss: dict[str, object] = {"run": "run-0,run-1,run/2", "metric": "loss"}
    for parameters in (
        loss,
        {**loss, "points": 20},
        {**loss, "points": 30, "x": "time", **odd},
        {**loss, "x": "relative_time", "rank": 1},
        {**loss, "event": BATCH, "from_step": 3, "to_step": 90, "points": 11},
    ):
        yield f"{API}/curves", {}, parameters


def _statistics(odd: dict[str, object], end: str) -> Iterator[Question]:
    yield f"{API}/models", {}, {"limit": 2}
    yield f"{API}/models", {}, {"experiment": "sweep", "event": INFERENCE, **odd}
    last: dict[str, object] = {"period": "7d", "to": end}
    place: dict[str, str]
    for path, place in (
        ("models/{model}", {"model": "large"}),
        ("events/{event_name}", {"event_name": INFERENCE}),
        ("events/{event_name}", {"event_name": "sampled.stop"}),
    ):
        yield f"{API}/{path}/statistics", place, last
        yield f"{API}/{path}/statistics", place, odd
        yield f"{API}/{path}/statistics", place, {**last, "experiment": "sweep"}
    yield f"{API}/models/{{model}}/statistics", {"model": "large"}, {**last, "event": INFERENCE}
    path = f"{API}/experiments/{{experiment_id}}/summary"
    yield path, {"experiment_id": "sweep"}, {}
    yield path, {"experiment_id": "sweep"}, odd


def _reliability(odd: dict[str, object]) -> Iterator[Question]:
    asked: tuple[dict[str, object], ...] = (
        {},
        {"group_by": "experiment,run,event,model", "interval": "1h", "limit": 60},
        {"group_by": "condition", "count_unset": "true", **odd},
        {"experiment": "sweep", "run": "run-1"},
        {"event": INFERENCE, "model": "large", "interval": "1d"},
    )
    for parameters in asked:
        yield f"{API}/reliability", {}, parameters
