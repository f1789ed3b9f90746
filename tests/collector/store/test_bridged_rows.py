"""What the Elixir packages report ends in the same rows as what the SDK sends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.receive.bridging import SECOND_US, T_US, bridged
from rows_of import Ingest, ingest, row_of, rows_of


@pytest.fixture
def collector(tmp_path: Path, plain_database: str) -> Iterator[Ingest]:
    with ingest(plain_database, tmp_path / "journal") as one:
        yield one


def report(collector: Ingest, *events: dict[str, Any]) -> None:
    made = bridged(*events)
    assert made.problems == []
    collector.store(ExportTraceServiceRequest.FromString(made.body))


def at(second: float, name: str, **fields: Any) -> dict[str, Any]:
    return {"event_name": name.split("."), "timestamp": round(T_US + second * SECOND_US), **fields}


def test_a_training_that_is_reported_is_a_run_with_curves(
    collector: Ingest, plain_database: str
) -> None:
    run = {"run_id": "run_1762000000_1a2b3c4d", "experiment_id": "sweep", "model_name": "mlp"}
    report(collector, at(0, "crucible_train.training.start", metadata=run))
    assert row_of(plain_database, "runs")["status"] == "running"
    report(
        collector,
        *(
            at(
                step / 10,
                "crucible_train.batch.stop",
                measurements={"duration": 10_000_000, "loss": 1 / (step + 1)},
                metadata={"run_id": run["run_id"], "epoch": 0, "step": step},
            )
            for step in range(10)
        ),
        at(
            2,
            "crucible_kitchen.training.epoch",
            measurements={"epoch_loss": 0.5},
            metadata={"run_id": run["run_id"], "epoch": 0},
        ),
        at(
            3,
            "crucible_train.training.stop",
            measurements={"duration": 3_000_000_000, "final_loss": 0.1},
            metadata={**run, "status": "completed"},
        ),
    )
    row = row_of(plain_database, "runs")
    assert (row["status"], row["kind"], row["model_name"]) == ("completed", "training", "mlp")
    assert (row["experiment_id"], row["last_step"]) == ("sweep", 9)
    assert (row["ended_at"] - row["started_at"]).total_seconds() == 3
    series = {
        (each["event_name"], each["metric"]): each["series_id"]
        for each in rows_of(plain_database, "series")
    }
    loss = series["crucible_train.batch.stop", "loss"]
    points = [p for p in rows_of(plain_database, "points", "step") if p["series_id"] == loss]
    assert [(p["step"], p["value"]) for p in points] == [(n, 1 / (n + 1)) for n in range(10)]
    assert ("crucible_train.epoch.stop", "loss") in series


def test_an_alias_keeps_the_name_it_was_sent_under(collector: Ingest, plain_database: str) -> None:
    report(
        collector,
        at(0, "crucible_kitchen.stage.run.stop", metadata={"stage": "s", "success": False}),
        at(1, "crucible_train.epoch.stop"),
    )
    stage, epoch = rows_of(plain_database, "spans", "time")
    assert (stage["event_name"], stage["original_event_name"], stage["status_code"]) == (
        "crucible_framework.stage.stop",
        "crucible_kitchen.stage.run.stop",
        2,
    )
    assert (epoch["event_name"], epoch["original_event_name"]) == (
        "crucible_train.epoch.stop",
        None,
    )


def test_tokens_and_costs_reach_their_columns(collector: Ingest, plain_database: str) -> None:
    report(
        collector,
        at(
            0,
            "req_llm.token_usage",
            measurements={"input_tokens": 12, "output_tokens": 3, "total_cost": 0.25},
            metadata={"model": {"id": "gpt"}, "request_id": "q"},
        ),
    )
    row = row_of(plain_database, "spans")
    assert (row["input_tokens"], row["output_tokens"], row["cost_usd"]) == (12, 3, 0.25)
