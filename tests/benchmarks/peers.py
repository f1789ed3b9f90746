"""The same requests through rotel and MLflow, installed apart from the project in build/peers.

rotel is a collector in Rust; into its blackhole it stores nothing, so it is compared with what we
acknowledge and with our processor time. MLflow's OTLP endpoint stores into PostgreSQL before it
answers; it is given the same server as we are, and rows are counted.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # when run as a file

import psutil
import psycopg
from psycopg import conninfo

from benchmarks import place, servers
from benchmarks.client import send
from benchmarks.inferences import Inferences
from benchmarks.ingest import TIMED_SEED, WARM_SEED, Ingested, Load, ingest
from benchmarks.report import Figure, figure, table, write
from benchmarks.sender import Job
from benchmarks.workload import SPANS, Workload
from databases import TestServer

DIRECTORY = Path(__file__).resolve().parents[2] / "build" / "peers"
BIN = DIRECTORY / "venv" / "bin"
PACKAGES = ("rotel", "mlflow", "psycopg2-binary")
READY_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 15.0
# Idle is: less than this part of a core over this time.
IDLE_PART, SETTLE_S = 0.05, 1.0
RUN_COUNT = 7
_TELEMETRY_OFF = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}


@dataclass(frozen=True, slots=True)
class Peer:
    """What one of them reached."""

    spans_per_s: float
    cpu_us: float  # a span, of its own processes
    version: str


def are_installed() -> bool:
    return (BIN / "mlflow").exists()


def install() -> None:
    """A virtual environment of their own: MLflow pins what we do not."""
    if are_installed():
        return
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    print(
        f"installing {', '.join(PACKAGES)} in {DIRECTORY} (a few minutes, about 1 GB)", flush=True
    )
    subprocess.run([sys.executable, "-m", "venv", BIN.parent], check=True)
    pip = [str(BIN / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *PACKAGES], check=True)


def measure(server: TestServer, directory: Path, ours: Ingested, *, quick: bool) -> list[Figure]:
    """Both peers, and our ratios to them."""
    workload = Workload(RUN_COUNT, TIMED_SEED)
    rust = rotel(directory, workload, request_count=200 if quick else 2_000)
    python = mlflow(server, directory, workload, duration_s=4 if quick else 20)
    name, other = f"rotel {rust.version} (stores nothing)", f"MLflow {python.version}"
    return [
        figure(f"{name}: acknowledged", rust.spans_per_s, "spans/s"),
        figure(f"{name}: CPU", rust.cpu_us, "µs/span"),
        figure("ours / rotel: acknowledged", ours.acknowledged_per_s / rust.spans_per_s, "ratio"),
        figure("ours / rotel: CPU", ours.collector_cpu_us / rust.cpu_us, "ratio"),
        figure(f"{other}: stored", python.spans_per_s, "spans/s"),
        figure(f"{other}: CPU", python.cpu_us, "µs/span"),
        figure("ours / MLflow: stored", ours.stored_per_s / python.spans_per_s, "ratio"),
    ]


def rotel(
    directory: Path, workload: Workload | Inferences, request_count: int, kind: str = "training"
) -> Peer:
    """gRPC in, blackhole out; `kind` as the sender knows the workload."""
    (agent,) = (BIN.parent / "lib").glob("python*/site-packages/rotel/rotel-agent")
    grpc, http = _free_port(), _free_port()
    command = [
        str(agent),
        "start",
        "--exporter=blackhole",
        f"--otlp-grpc-endpoint=127.0.0.1:{grpc}",
        f"--otlp-http-endpoint=127.0.0.1:{http}",
    ]
    with _process(command, directory / "rotel.log") as process:
        _await(lambda: socket.create_connection(("127.0.0.1", grpc), 1).close(), process)
        job = Job(
            f"grpc://127.0.0.1:{grpc}",
            workload.run_count,
            workload.seed,
            request_count,
            workload.start_ns,
            prepared=kind == "training",
            kind=kind,
        )
        peer, _ = _measured(process, job, "rotel")
        return peer


def mlflow(server: TestServer, directory: Path, workload: Workload, duration_s: float) -> Peer:
    """OTLP over HTTP into PostgreSQL; experiment 0 is the one that MLflow makes by itself."""
    with server.database(migrated=False) as dsn:
        name = conninfo.conninfo_to_dict(dsn)["dbname"]
        port = _free_port()
        command = [
            str(BIN / "mlflow"),
            "server",
            f"--backend-store-uri={servers.url(dsn, str(name))}",
            f"--default-artifact-root={directory / 'mlflow-artifacts'}",
            "--host=127.0.0.1",
            f"--port={port}",
        ]
        with _process(command, directory / "mlflow.log") as process:
            health = f"http://127.0.0.1:{port}/health"
            _await(lambda: urllib.request.urlopen(health, timeout=5).close(), process)
            job = Job(
                f"http://127.0.0.1:{port}/v1/traces",
                workload.run_count,
                workload.seed,
                request_count=10**6,
                start_ns=workload.start_ns,
                in_flight=4,
                duration_s=duration_s,
                prepared=False,
                headers={"x-mlflow-experiment-id": "0"},
            )
            peer, spans = _measured(process, job, "mlflow")
            _expect_rows(dsn, spans)
            return peer


def _measured(process: psutil.Process, job: Job, package: str) -> tuple[Peer, int]:
    """What it reached, and how many spans it was sent with those that warmed it up."""
    warm = send(replace(job, seed=WARM_SEED, request_count=job.in_flight))
    before_s = _settled_cpu_s(process)
    sent = send(job)
    cpu_us = (_settled_cpu_s(process) - before_s) / sent.spans * 1_000_000
    return Peer(sent.spans_per_s, cpu_us, _version(package)), warm.spans + sent.spans


def _settled_cpu_s(process: psutil.Process) -> float:
    """Of the process and its workers, once they have done what they put off."""
    last_s, now_s = -1.0, _cpu_s(process)
    while now_s - last_s > IDLE_PART * SETTLE_S:
        time.sleep(SETTLE_S)
        last_s, now_s = now_s, _cpu_s(process)
    return now_s


def _cpu_s(process: psutil.Process) -> float:
    family = [process, *process.children(recursive=True)]
    return sum(sum(each.cpu_times()[:2]) for each in family)


def _version(package: str) -> str:
    ask = f"import importlib.metadata as m; print(m.version({package!r}))"
    return subprocess.check_output([BIN / "python", "-c", ask], text=True).strip()


def _expect_rows(dsn: str, spans: int) -> None:
    """MLflow acknowledges what it has stored."""
    with psycopg.connect(dsn) as conn:
        (count,) = conn.execute("select count(*) from spans").fetchone() or (0,)
    if count != spans:
        raise RuntimeError(f"MLflow has {count} spans of {spans} acknowledged")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def _process(command: list[str], log: Path) -> Iterator[psutil.Process]:
    """A peer's process, ended with all its workers."""
    with log.open("w") as output:
        started = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            env={**os.environ, **_TELEMETRY_OFF, "PATH": f"{BIN}:{os.environ['PATH']}"},
        )
    process = psutil.Process(started.pid)
    try:
        yield process
    except BaseException:
        print(log.read_text()[-4000:], file=sys.stderr)
        raise
    finally:
        family = [process, *process.children(recursive=True)]
        for each in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.terminate()
        _, alive = psutil.wait_procs(family, timeout=STOP_TIMEOUT_S)
        for each in alive:
            each.kill()
        started.wait()


def _await(answers: Callable[[], object], process: psutil.Process) -> None:
    """Until the peer answers; raises what it last said after READY_TIMEOUT_S."""
    deadline_s = time.monotonic() + READY_TIMEOUT_S
    while True:
        try:
            answers()
        except OSError:
            if time.monotonic() > deadline_s or process.status() == psutil.STATUS_ZOMBIE:
                raise
            time.sleep(0.1)
        else:
            return


def main() -> None:
    """Install them, measure them and us, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the load")
    arguments = parser.parse_args()
    install()
    load = Load(32, 102) if arguments.quick else Load(128, 1024)
    spans_at_once = 4 * (load.warm_requests + load.timed_requests) * SPANS
    with place.work_directory(spans_at_once) as work, servers.plain(work) as server:
        workload = Workload(RUN_COUNT, TIMED_SEED)
        ours = ingest(server, work / "ours", workload, load)
        figures = [
            figure("ours: durable ingest", ours.stored_per_s, "spans/s"),
            figure("ours: acknowledged", ours.acknowledged_per_s, "spans/s"),
            figure("ours: CPU", ours.collector_cpu_us, "µs/span"),
            *measure(server, work, ours, quick=arguments.quick),
        ]
    title = place.title("peers, the same requests", quick=arguments.quick)
    print(table(figures, title))
    print(write(figures, "bench-peers-quick" if arguments.quick else "bench-peers"))


if __name__ == "__main__":
    main()
