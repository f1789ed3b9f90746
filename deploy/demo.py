"""The main job in one command: train a real model under telemetry, then ask what happened.

Starts a collector with its own database and a webhook, trains a small NumPy network on scikit-learn's
digits through the SDK for about twenty seconds, lets the learning rate go wrong for a few steps midway,
shows how that is found and told, and prints what the REST API knows of it. With `--clean` nothing goes wrong,
and nothing may be found. Run by `make demo`; `KEEP=1` tells more (see demo_story) and leaves the collector running. The exit code is 1 where
the fault was not found, or a clean run was not silent.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from demo_anomalies import Fault, show_found, show_silence, tell_as_it_comes
from demo_network import BATCH_SIZE, LAYERS, Digits, Network, shifted
from demo_story import tell_story
from demo_webhook import demo_webhook
from tqdm import tqdm

import crucible_telemetry as crucible

DEFAULT_PORTS = {"grpc": 4317, "http": 4318, "api": 8080}
LEARNING_RATE = 0.05
FAULT_FACTOR = 30.0
FAULT_STEPS = 4
TRAIN_SECONDS = 20.0
STEPS_MIN = 140  # however short: detectors have to have seen a course before it is left
BARS = "▁▂▃▄▅▆▇█"


def train(seconds: float, fault: Fault | None) -> str:
    """Train under telemetry for about `seconds`, with a fault midway; returns the run's id."""
    random = np.random.default_rng(1)
    digits = Digits.load(random)
    images, labels = digits.images, digits.labels
    network = Network()
    batches = len(digits.train) // BATCH_SIZE
    config = {
        "optimizer": "sgd",
        "learning_rate": LEARNING_RATE,
        "batch_size": BATCH_SIZE,
        "layers": list(LAYERS),
    }
    step = 0
    with (
        crucible.experiment(
            "digits-demo",
            hypothesis="a learning-rate fault shows in the loss at once",
            condition="clean" if fault is None else "lr-fault",
            tags=["demo", "mlp"],
        ) as experiment,
        experiment.training(model_name="mlp", dataset_name="digits", config=config) as training,
        tqdm(desc="training", unit=" batches") as progress,
    ):
        begin = time.perf_counter()
        while step < STEPS_MIN or time.perf_counter() - begin < seconds:
            with training.epoch() as epoch:
                mixed = random.permutation(digits.train)
                for batch in epoch.batches(np.array_split(mixed, batches)):
                    is_midway = step >= STEPS_MIN / 2 and time.perf_counter() - begin > seconds / 2
                    is_wrong = fault is not None and fault.is_now(step, is_due=is_midway)
                    rate = LEARNING_RATE * (FAULT_FACTOR if is_wrong else 1.0)
                    rows = batch.data
                    loss, accuracy, norm = network.step(
                        shifted(images[rows], random), labels[rows], rate
                    )
                    batch.log(loss=loss, accuracy=accuracy, gradient_norm=norm, learning_rate=rate)
                    progress.set_postfix(loss=f"{loss:.3f}", refresh=False)
                    progress.update()
                    step += 1
                val_loss, val_accuracy = network.evaluate(images[digits.test], labels[digits.test])
                epoch.log(
                    loss=loss, accuracy=accuracy, val_loss=val_loss, val_accuracy=val_accuracy
                )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "digits-mlp.npz"
            np.savez(path, *network.weights, *network.biases)
            training.checkpoint(
                str(path), size_bytes=path.stat().st_size, metrics={"val_accuracy": val_accuracy}
            )
        return training.run_id


@contextlib.contextmanager
def collector(
    data_dir: Path, environment: dict[str, str], *, keep: bool
) -> Iterator[dict[str, str]]:
    """A collector with its own database; yields its addresses."""
    command = [sys.executable, "-m", "crucible_collector", "serve", "--data-dir", str(data_dir)]
    for name, port in DEFAULT_PORTS.items():
        command += [f"--{name}", f"127.0.0.1:{port if _is_free(port) else 0}"]
    data_dir.mkdir(parents=True, exist_ok=True)
    log_path = data_dir / "collector.log"
    with log_path.open("a") as log:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=keep,
            env={**os.environ, **environment},
        )
    try:
        line = next((line for line in process.stdout or () if line.startswith("ready")), None)
        if line is None:
            sys.exit(
                f"the collector did not start; its log is {log_path}:\n{log_path.read_text()[-2000:]}"
            )
        yield dict(part.split("=", 1) for part in line.split()[1:])
    except BaseException:
        keep = False
        raise
    finally:
        if not keep:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        else:
            print(
                f"\nThe collector goes on (process {process.pid}); end it with: kill {process.pid}"
            )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


class Questions:
    """GET over the REST API."""

    def __init__(self, api: str) -> None:
        self.api = api.rstrip("/")

    def get(self, path: str, **parameters: Any) -> Any:
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.api}/api/v1{path}?{query}", timeout=30) as answer:
            return json.load(answer)

    def put(self, path: str, body: dict[str, Any]) -> Any:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(
            f"{self.api}/api/v1{path}", json.dumps(body).encode(), headers, method="PUT"
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def all(self, path: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Every row of a paged answer."""
        cursor: dict[str, Any] = {}
        while True:
            page = self.get(path, **parameters, **cursor)
            yield from page["data"]
            if not page["meta"].get("has_more"):
                return
            cursor = {"cursor": page["meta"]["next_cursor"]}


def await_completed(questions: Questions, run_id: str, timeout_s: float = 30.0) -> dict[str, Any]:
    """The run, once its end has arrived."""
    deadline = time.monotonic() + timeout_s
    while True:
        with contextlib.suppress(OSError):
            run: dict[str, Any] = questions.get(f"/runs/{run_id}")["data"]
            if run["status"] != "running":
                return run
        if time.monotonic() > deadline:
            sys.exit(f"run {run_id} did not arrive within {timeout_s:g} s")
        time.sleep(0.1)


def report(questions: Questions, run_id: str) -> None:
    """Ask the REST API and print what it knows of the run."""
    run = await_completed(questions, run_id)
    loss = [
        (row["step"], row["value"])
        for row in questions.all(
            f"/runs/{run_id}/series/loss", event="crucible_train.batch.stop", limit=1000
        )
    ]
    series = questions.get(f"/runs/{run_id}/series")["data"]
    events = questions.get("/events/counts", run=run_id)["data"]
    worst_step, worst = max(loss, key=lambda pair: _finite(pair[1]))
    print("\nWhat the collector knows (from REST):\n")
    print(f"  run            {run_id}  {run['status']}")
    print(f"  experiment     {run['experiment_id']}  condition {run['condition']}")
    print(f"  model, data    {run['model_name']} on {run['dataset_name']}")
    print(f"  epochs         {(run['last_epoch'] or 0) + 1}   batches {len(loss)}")
    print(
        f"  loss           {_mean(loss[:20]):.3f} at the start, {_mean(loss[-20:]):.3f} at the end"
    )
    print(f"  worst batch    step {worst_step}, loss {worst:.3f}")
    print(f"  points stored  {sum(row['point_count'] for row in series)}")
    print("  events")
    for event in events:
        print(f"    {event['stored_count']:>7,}  {event['event_name']}")
    print(f"\n  loss by step   {curve(loss)}")


def _finite(value: float | str) -> float:
    return value if isinstance(value, float | int) else float("inf")


def _mean(pairs: list[tuple[int, float]]) -> float:
    return sum(_finite(value) for _, value in pairs) / max(1, len(pairs))


def curve(points: list[tuple[int, float]], width: int = 72) -> str:
    """The curve in one line: the largest value of each stretch, on a log scale."""
    stretches = np.array_split(np.log([max(_finite(v), 1e-6) for _, v in points]), width)
    heights = np.array([stretch.max() for stretch in stretches if len(stretch)])
    span = max(heights.max() - heights.min(), 1e-9)
    return "".join(BARS[int((h - heights.min()) / span * (len(BARS) - 1))] for h in heights)


def main() -> int:
    """Run the demo; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the collector running")
    parser.add_argument(
        "--data-dir", type=Path, help="where it keeps its data (default: temporary)"
    )
    parser.add_argument("--seconds", type=float, default=TRAIN_SECONDS, help="how long to train")
    parser.add_argument("--clean", action="store_true", help="let nothing go wrong")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        data_dir = arguments.data_dir
        if data_dir is None:
            data_dir = Path(tempfile.mkdtemp(prefix="crucible-demo-"))
            if not arguments.keep:
                stack.callback(_remove, data_dir)
        webhook = stack.enter_context(demo_webhook())
        print("starting the collector (the first start compiles its decoder: about half a minute)")
        addresses = stack.enter_context(
            collector(data_dir, webhook.environment, keep=arguments.keep)
        )
        print(
            f"ready: OTLP gRPC {addresses['grpc']}, OTLP HTTP {addresses['http']}, page {addresses['api']}"
        )
        questions = Questions(addresses["api"])
        fault = None if arguments.clean else Fault(FAULT_STEPS)
        verdicts: list[str] = []
        webhook.tell = tell_as_it_comes(questions.get, fault, verdicts)
        os.environ.pop("OTEL_EXPORTER_OTLP_ENDPOINT", None)
        crucible.configure(service_name="digits-demo", endpoint=f"http://{addresses['grpc']}")
        run_id = train(arguments.seconds, fault)
        crucible.flush()
        report(questions, run_id)
        if fault is None:
            is_right = show_silence(questions.get, run_id, webhook)
        else:
            is_right = show_found(questions.get, run_id, fault, webhook, verdicts)
        if arguments.keep:
            tell_story(questions.put)
        crucible.shutdown()
        print(f"\n  page           {questions.api}/#/runs/{run_id}")
        if arguments.keep:
            questions.put(
                "/anomalies/settings", {"changed_by": "demo", "reason": "its webhook ends"}
            )
    return 0 if is_right else 1


def _remove(path: Path) -> None:
    import shutil  # noqa: PLC0415

    shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
