"""A sweep of two conditions with calls of a model, made by the SDK as a user's program makes it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from harness import Collector, eventually

EXPERIMENT = "lr-sweep"
CONDITIONS = ("lr=1e-3", "lr=1e-2")
RUNS_EACH = 6
EPOCHS = 4
PROGRAM = f"""
import random
import crucible_telemetry as crucible

crucible.configure(service_name="trainer")
for condition, level in zip({CONDITIONS!r}, (0.80, 0.86)):
    with crucible.experiment({EXPERIMENT!r}, condition=condition) as experiment:
        for seed in range({RUNS_EACH}):
            noise = random.Random(f"{{condition}} {{seed}}")
            with experiment.training(model_name="mlp", config={{"seed": seed}}) as training:
                for epoch in training.epochs({EPOCHS}):
                    epoch.log(val_accuracy=level + epoch.index / 100 + noise.gauss(0, 0.005))
                with crucible.inference("gpt-4o", provider="openai") as call:
                    call.usage(input_tokens=1000 * (seed + 1), output_tokens=100)
"""


def sweep(running: Collector, directory: Path) -> None:
    """Have it made, and wait until all of it can be asked for."""
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=directory,
        env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{running.addresses['grpc']}"},
        check=False,
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    eventually(
        lambda: (
            len(running.get(f"/api/v1/runs?experiment={EXPERIMENT}&status=completed")["data"])
            == RUNS_EACH * len(CONDITIONS)
        ),
        "every run is completed",
    )
