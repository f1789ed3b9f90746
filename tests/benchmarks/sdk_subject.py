"""Logs five numbers a step through one library, and tells what that took; run as a file.

It runs in the peers' virtual environment, too, so it imports nothing but what it measures. Steps
come in bursts of one full request, with a flush between them: what the caller waits is the time of
a burst, what all of it takes is the processor time of the process, its threads included.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

BURST_STEPS = 512
LOOP_STEPS = 50  # of the NumPy loop, before the other one has its turn
STEP_S = 0.001  # of that loop
Run = Callable[..., None]
Flush = Callable[[], object]
IDENTITY: dict[str, str | int] = {
    "crucible.experiment.id": "lr-sweep",
    "crucible.condition": "lr=1e-3",
    "crucible.correlation.id": "8c2f6d1e0b7a4953a1c4e8f20d6b9375",
    "crucible.run.id": "5f0c9a52-3d1b-4a7e-9a49-0d1f2b3c4d5e",
    "crucible.epoch": 0,
}
NUMBERS = {"loss": 0.4, "accuracy": 0.8, "gradient_norm": 1.5, "learning_rate": 1e-3, "lag_s": 0.1}


def crucible(endpoint: str) -> tuple[Run, Flush]:
    """This SDK, as its README says."""
    import crucible_telemetry as crucible

    crucible.configure("bench", endpoint=endpoint, spool_dir="", heartbeat_s=0)
    experiment = crucible.experiment("lr-sweep", condition="lr=1e-3")
    experiment.open()
    training = experiment.training(model_name="mlp")
    training.open()
    epoch = training.epoch()
    epoch.open()

    def run(count: int, work: Callable[[], object] | None = None) -> None:
        for batch in epoch.batches(range(count)):
            if work is not None:
                work()
            lag_s = batch.index / 7
            batch.log(loss=0.4, accuracy=0.8, gradient_norm=1.5, learning_rate=1e-3, lag_s=lag_s)

    return run, crucible.flush


def stock(endpoint: str) -> tuple[Run, Flush]:
    """OpenTelemetry's SDK and exporter as they come, told the same."""
    from opentelemetry import trace
    from opentelemetry.context import Context
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "bench"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint, insecure=True)))
    tracer = provider.get_tracer("bench", "1")
    inside = trace.set_span_in_context(tracer.start_span("crucible_train.epoch"), Context())

    def run(count: int) -> None:
        for index in range(count):
            span = tracer.start_span("crucible_train.batch", context=inside)
            span.set_attributes(
                IDENTITY
                | {
                    "crucible.batch.index": index,
                    "crucible.step": index,
                    "crucible.measurement.loss": 0.4,
                    "crucible.measurement.accuracy": 0.8,
                    "crucible.measurement.gradient_norm": 1.5,
                    "crucible.measurement.learning_rate": 1e-3,
                    "crucible.measurement.lag_s": index / 7,
                }
            )
            span.end()

    return run, provider.force_flush


def wandb(directory: str) -> tuple[Run, Flush]:
    """Offline: a file, which a process of its own writes."""
    wandb = import_module("wandb")

    os.environ["WANDB_SILENT"] = "true"
    run_of_it = wandb.init(project="bench", mode="offline", dir=directory)

    def run(count: int) -> None:
        for _ in range(count):
            run_of_it.log(dict(NUMBERS))

    return run, lambda: None


def mlflow(directory: str) -> tuple[Run, Flush]:
    """Into SQLite, its default for a tracking store on the same machine."""
    mlflow = import_module("mlflow")

    mlflow.set_tracking_uri(f"sqlite:///{directory}/mlflow.db")
    mlflow.start_run()
    steps = iter(range(10**9))

    def run(count: int) -> None:
        for _ in range(count):
            mlflow.log_metrics(NUMBERS, step=next(steps))

    return run, lambda: None


def trackio(directory: str) -> tuple[Run, Flush]:
    """Into SQLite, from a thread of its own."""
    os.environ["TRACKIO_DIR"] = directory
    trackio = import_module("trackio")

    trackio.init(project="bench", embed=False)

    def run(count: int) -> None:
        for _ in range(count):
            trackio.log(dict(NUMBERS))

    return run, lambda: None


SUBJECTS: dict[str, Callable[[str], tuple[Run, Flush]]] = {
    "crucible": crucible,
    "stock": stock,
    "wandb": wandb,
    "mlflow": mlflow,
    "trackio": trackio,
}


def cost(run: Run, flush: Flush, burst_steps: int, seconds: float) -> dict[str, float]:
    """Microseconds a step: waited by the caller (median burst), and of processor time in all."""
    for _ in range(2):  # what is made on first use
        run(burst_steps)
        flush()
    bursts: list[float] = []
    started, cpu_s = time.perf_counter(), time.process_time()
    while len(bursts) < 3 or time.perf_counter() - started < seconds:
        begun = time.perf_counter()
        run(burst_steps)
        bursts.append(time.perf_counter() - begun)
        flush()
    steps = burst_steps * len(bursts)
    return {
        "caller_us": statistics.median(bursts) / burst_steps * 1e6,
        "cpu_us": (time.process_time() - cpu_s) / steps * 1e6,
        "steps": steps + 2 * burst_steps,
    }


def slow_down(run: Run, flush: Flush, seconds: float) -> dict[str, float]:
    """Part by which a loop of 1 ms of NumPy a step is slower with a log a step; median of pairs."""
    import numpy as np

    left = np.random.default_rng(0).random((96, 96))
    repeats = 1
    while (taken_s := _seconds_of(left, repeats)) < STEP_S:
        repeats = max(repeats + 1, int(repeats * STEP_S / taken_s))

    def step() -> None:
        for _ in range(repeats):
            left @ left

    def plain(count: int) -> None:
        for _ in range(count):
            step()

    def loop_s(loop: Callable[[int], None]) -> float:
        begun = time.perf_counter()
        loop(LOOP_STEPS)
        return (time.perf_counter() - begun) / LOOP_STEPS

    def logged(count: int) -> None:
        run(count, step)

    loop_s(logged)
    ratios: list[float] = []
    plain_s: list[float] = []
    started = time.perf_counter()
    while len(ratios) < 3 or time.perf_counter() - started < seconds:
        order = (plain, logged) if len(ratios) % 2 else (logged, plain)
        taken = {loop: loop_s(loop) for loop in order}
        ratios.append(taken[logged] / taken[plain])
        plain_s.append(taken[plain])
    flush()
    return {
        "slow_down": statistics.median(ratios) - 1,
        "step_ms": statistics.median(plain_s) * 1e3,
        "steps": LOOP_STEPS * (len(ratios) + 1),
    }


def _seconds_of(left: Any, repeats: int) -> float:
    taken = []
    for _ in range(9):
        begun = time.perf_counter()
        for _ in range(repeats):
            left @ left
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def main() -> None:
    job: dict[str, Any] = json.loads(sys.argv[1])
    run, flush = SUBJECTS[job["subject"]](job["where"])
    measured = (
        slow_down(run, flush, job["seconds"])
        if job["what"] == "slow_down"
        else cost(run, flush, job["burst_steps"], job["seconds"])
    )
    package = {"crucible": "crucible-telemetry", "stock": "opentelemetry-sdk"}
    name = package.get(job["subject"], job["subject"])
    print(json.dumps({**measured, "version": importlib.metadata.version(name)}), flush=True)
    os._exit(0)  # libraries that finish for minutes have been measured


if __name__ == "__main__":
    main()
