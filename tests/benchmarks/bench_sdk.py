"""`make bench-sdk`: what instrumentation costs, beside OpenTelemetry's own SDK and the trackers.

Each library has a process of its own, one after the other, and the receiver another one, so that
nobody pays for anybody else. The trackers are measured where `--peers` has installed them, in
build/sdk-peers. Exit code 0 says that all was measured and that every batch arrived; whether goals
were met is in the table.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # when run as a file

from benchmarks import place
from benchmarks.report import DIRECTORY, Figure, at_most, figure, table, write
from benchmarks.sdk_sink import sink
from benchmarks.sdk_subject import BURST_STEPS

SUBJECT = Path(__file__).with_name("sdk_subject.py")
PEERS = DIRECTORY.parent / "sdk-peers"
PEERS_PYTHON = PEERS / "venv" / "bin" / "python"
PEER_NAMES = ("wandb", "mlflow", "trackio")
_PEER_NOTES = {"wandb": "offline", "mlflow": "SQLite", "trackio": "SQLite"}
# Steps at once: MLflow takes milliseconds for each.
_PEER_BURSTS = {"wandb": BURST_STEPS, "mlflow": 16, "trackio": BURST_STEPS}
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "WANDB_SILENT": "true",
    "WANDB_ERROR_REPORTING": "false",
    "HF_HUB_OFFLINE": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    # One thread of NumPy's: the other core is the sender's.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
_TIMEOUT_S = 300.0

CALLER_US = at_most(5)
CPU_US = at_most(12)
IMPORT_MS = at_most(150)
SLOW_DOWN_PERCENT = at_most(2)
OFF_NS = at_most(1_000)


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to measure."""

    cost_s: float
    loop_s: float
    imports: int


FULL = Plan(cost_s=8.0, loop_s=20.0, imports=9)
QUICK = Plan(cost_s=0.3, loop_s=0.5, imports=2)


def measure(plan: Plan) -> list[Figure]:
    """All figures; raises where a batch did not arrive."""
    ours = _sent("crucible", "cost", plan.cost_s)
    theirs = _sent("stock", "cost", plan.cost_s)
    loop = _sent("crucible", "slow_down", plan.loop_s)
    off = _off(plan)
    stock = f"stock OpenTelemetry {theirs['version']}"
    return [
        figure("a batch of five numbers: caller", ours["caller_us"], "µs", CALLER_US),
        figure("a batch of five numbers: CPU in all", ours["cpu_us"], "µs", CPU_US),
        figure(f"{stock}: caller", theirs["caller_us"], "µs"),
        figure(f"{stock}: CPU in all", theirs["cpu_us"], "µs"),
        figure("stock / ours: caller", theirs["caller_us"] / ours["caller_us"], "ratio"),
        figure("stock / ours: CPU in all", theirs["cpu_us"] / ours["cpu_us"], "ratio"),
        figure("NumPy loop: a step", loop["step_ms"], "ms"),
        figure("NumPy loop: slower by", 100 * loop["slow_down"], "%", SLOW_DOWN_PERCENT),
        figure("a batch, switched off", 1_000 * off["caller_us"], "ns", OFF_NS),
        *_imports(plan.imports),
        *_peers(plan),
    ]


def _sent(subject: str, what: str, seconds: float) -> dict[str, Any]:
    """What a subject measures that sends over OTLP; raises where a batch did not arrive."""
    with sink() as receiver:
        measured = _run(sys.executable, subject, receiver.endpoint, what, seconds, BURST_STEPS)
        arrived = receiver.batches()
    if arrived != measured["steps"]:
        raise RuntimeError(f"{subject}: {arrived} batches of {measured['steps']} arrived")
    return measured


def _off(plan: Plan) -> dict[str, Any]:
    environment = {"CRUCIBLE_TELEMETRY": "0"}
    return _run(sys.executable, "crucible", "", "cost", plan.cost_s / 4, BURST_STEPS, environment)


def _run(
    python: str | Path,
    subject: str,
    where: str,
    what: str,
    seconds: float,
    burst_steps: int,
    environment: dict[str, str] | None = None,
) -> dict[str, Any]:
    job = {
        "subject": subject,
        "where": where,
        "what": what,
        "seconds": seconds,
        "burst_steps": burst_steps,
    }
    run = subprocess.run(
        [python, SUBJECT, json.dumps(job)],
        env={**os.environ, **_QUIET, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    if run.returncode != 0:
        raise RuntimeError(f"{subject} failed:\n{run.stderr[-4000:]}")
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found


def _imports(rounds: int) -> list[Figure]:
    """Import time over that of what every user of OpenTelemetry imports: the best, in turns."""
    names = ("opentelemetry.trace", "opentelemetry.sdk.trace", "crucible_telemetry")
    taken: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-c", f"import {name}"], check=True)
            taken[name].append(1_000 * (time.perf_counter() - begun))
    api, sdk, ours = (min(taken[name]) for name in names)
    return [
        figure("import, over OpenTelemetry's API", ours - api, "ms", IMPORT_MS),
        figure("import, over OpenTelemetry's SDK", ours - sdk, "ms"),
    ]


def _peers(plan: Plan) -> list[Figure]:
    """What is installed of the trackers."""
    figures = []
    for name in PEER_NAMES:
        if not _is_installed(name):
            continue
        with tempfile.TemporaryDirectory(prefix=name, ignore_cleanup_errors=True) as directory:
            seconds, burst = plan.cost_s, _PEER_BURSTS[name]
            found = _run(PEERS_PYTHON, name, directory, "cost", seconds, burst)
        label = f"{name} {found['version']} ({_PEER_NOTES[name]})"
        figures += [
            figure(f"{label}: caller", found["caller_us"], "µs"),
            figure(f"{label}: CPU of its process", found["cpu_us"], "µs"),
        ]
    return figures


def _is_installed(name: str) -> bool:
    if not PEERS_PYTHON.exists():
        return False
    ask = f"import importlib.util as u, sys; sys.exit(u.find_spec({name!r}) is None)"
    return subprocess.run([PEERS_PYTHON, "-c", ask], check=False).returncode == 0


def install() -> None:
    """A virtual environment of their own: they pin what we do not."""
    if all(_is_installed(name) for name in PEER_NAMES):
        return
    PEERS.mkdir(parents=True, exist_ok=True)
    print(f"installing {', '.join(PEER_NAMES)} in {PEERS} (a few minutes, 1 GB)", flush=True)
    subprocess.run([sys.executable, "-m", "venv", PEERS / "venv"], check=True)
    pip = [str(PEERS_PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *PEER_NAMES], check=True)


def main() -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="some seconds, to see that it works")
    parser.add_argument("--peers", action="store_true", help="install wandb, MLflow and trackio")
    arguments = parser.parse_args()
    if arguments.peers:
        install()
    figures = measure(QUICK if arguments.quick else FULL)
    print(table(figures, place.title("the SDK", quick=arguments.quick)))
    if not PEERS_PYTHON.exists():
        print("\nwandb, MLflow and trackio: not installed; --peers does that")
    print(write(figures, "bench-sdk-quick" if arguments.quick else "bench-sdk"))


if __name__ == "__main__":
    main()
