"""What sdk/README.md shows, run against a real collector, is one story; a killed run is noticed.

The programs are the README's own: a PyTorch training, a scikit-learn search, streamed inferences, a
pipeline in two processes. None of them mentions OpenTelemetry; what joins them is a correlation id
that comes from outside.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import Collector, collector, eventually
from snippets import programs, run, write_programs

CORRELATION_ID = "nightly-212"
STALL_ARGUMENTS = ("--stall-after-min-s", "1")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    directory = tmp_path_factory.mktemp("story")
    with collector(directory / "data", None, *STALL_ARGUMENTS, is_fresh=True) as one:
        yield one


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("programs")
    write_programs(directory)
    return directory


def tell(running: Collector, place: Path, program: str) -> None:
    run(
        place,
        program,
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{running.addresses['grpc']}",
        BAGGAGE=f"crucible.correlation.id={CORRELATION_ID}",
    )


def test_no_program_mentions_opentelemetry() -> None:
    assert not any("opentelemetry" in program.lower() for program in programs().values())


def test_a_pytorch_training_is_a_run_with_its_curves(running: Collector, place: Path) -> None:
    tell(running, place, "train_torch.py")
    (run_id,) = run_ids(running, "crucible_train.training.stop", model="mlp", service="trainer")
    ended = running.get(f"/api/v1/runs/{run_id}")["data"]
    assert (ended["status"], ended["dataset_name"]) == ("completed", "digits")
    assert ended["summary"]["total_steps"] == 4 * 29
    losses = curve(running, run_id, "loss")
    assert len(losses) == 4 * 29
    assert losses[-1] < losses[0] / 2
    assert len(curve(running, run_id, "gradient_norm")) == 4 * 29
    assert len(curve(running, run_id, "accuracy")) == 4 + 1  # the epochs' and the checkpoint's


def test_a_search_is_a_pipeline_with_a_run_for_each_candidate(
    running: Collector, place: Path
) -> None:
    tell(running, place, "search.py")
    candidates = run_ids(running, "crucible_train.training.stop", service="searcher")
    (search,) = run_ids(running, "crucible_framework.pipeline.stop", service="searcher")
    runs = [running.get(f"/api/v1/runs/{each}")["data"] for each in candidates]
    configs = [(run["config"]["gamma"], run["config"]["C"]) for run in runs]
    assert sorted(configs) == [(1e-4, 1), (1e-4, 10), (1e-3, 1), (1e-3, 10)]
    assert {run["parent_run_id"] for run in runs} == {search}
    assert {run["experiment_id"] for run in runs} == {"svm-search"}


def test_streamed_inferences_say_how_fast_they_came(running: Collector, place: Path) -> None:
    tell(running, place, "answer.py")
    calls = told(running, "crucible_deployment.inference.stop", service="chat")
    assert sorted(measured(call, "output_chunks") for call in calls) == [2, 3]
    for call in calls:
        first_ms = measured(call, "time_to_first_token_ms")
        assert 0 < first_ms < call["duration_ms"]
        assert "one" not in str(call["attributes"])  # what was asked stays there


def test_a_pipeline_in_two_processes_is_one_trace(running: Collector, place: Path) -> None:
    tell(running, place, "prepare.py")
    (pipeline,) = told(running, "crucible_framework.pipeline.stop", service="prepare")
    (prepare,) = told(running, "crucible_framework.stage.stop", service="prepare")
    (train,) = told(running, "crucible_framework.stage.stop", service="train")
    assert prepare["trace_id"] == train["trace_id"] == pipeline["trace_id"]
    assert prepare["run_id"] == train["run_id"] == pipeline["run_id"]
    (run_id,) = run_ids(running, "crucible_train.training.stop", service="train")
    inner = running.get(f"/api/v1/runs/{run_id}")["data"]
    assert inner["parent_run_id"] == pipeline["run_id"]
    assert inner["experiment_id"] == "digits"


VICTIM = """
import sys, time
import crucible_telemetry as crucible

crucible.configure(service_name="victim", heartbeat_s=0.2)
with crucible.training(run_id="victim") as training:
    for epoch in training.epochs(1):
        for batch in epoch.batches(range(10_000)):
            batch.log(loss=1.0)
            time.sleep(0.01)
"""


def test_a_killed_run_is_running_and_then_stalled(running: Collector, place: Path) -> None:
    def status() -> str:
        return str(running.get("/api/v1/runs/victim")["data"]["status"])

    victim = subprocess.Popen(
        [sys.executable, "-c", VICTIM],
        cwd=place,
        env={
            **os.environ,
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{running.addresses['grpc']}",
        },
    )
    try:
        eventually(lambda: status() == "running", "the run is seen running")
        eventually(
            lambda: running.get("/api/v1/runs/victim")["data"]["heartbeat_interval_s"],
            "a heartbeat arrived",
        )
    finally:
        victim.send_signal(signal.SIGKILL)
        victim.wait(10)
    eventually(lambda: status() == "stalled", "the run is called stalled")


def told(running: Collector, event_name: str, service: str) -> list[dict[str, Any]]:
    """The events of that name that a program has told under the correlation id."""

    def found() -> list[dict[str, Any]]:
        entries = running.get(f"/api/v1/correlations/{CORRELATION_ID}?limit=1000")["data"]
        events = [entry["event"] for entry in entries if entry["event"]]
        return [
            event
            for event in events
            if event["event_name"] == event_name and event["service_name"] == service
        ]

    found_events: list[dict[str, Any]] = eventually(found, f"{service} has told {event_name}")
    return found_events


def measured(event: dict[str, Any], name: str) -> float:
    return float(event["attributes"][f"crucible.measurement.{name}"])


def run_ids(
    running: Collector, event_name: str, *, service: str, model: str | None = None
) -> list[str]:
    events = told(running, event_name, service)
    return [event["run_id"] for event in events if model is None or event["model"] == model]


def curve(running: Collector, run_id: str, metric: str) -> list[float]:
    answer = running.get(f"/api/v1/runs/{run_id}/series/{metric}?limit=1000")
    return [point["value"] for point in answer["data"]]
