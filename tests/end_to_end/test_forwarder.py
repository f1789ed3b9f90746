"""A collector of somebody else's in between: rotel, from PyPI, takes OTLP and forwards it to us."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from harness import collector, eventually
from traffic import batch_span, export, trace_request


def agent() -> Path:
    """rotel's program; skips where its wheel is not to be had."""
    found = importlib.util.find_spec("rotel")
    if found is None or found.origin is None:
        pytest.skip("rotel is not installed: it has wheels for Linux on x86_64 only")
    return Path(found.origin).with_name("rotel-agent")


@contextmanager
def forwarding(target: str, protocol: str, log: Path) -> Iterator[str]:
    """rotel, forwarding to `target`; yields its gRPC address."""
    grpc, http = free_port(), free_port()
    command = [
        str(agent()),
        "start",
        f"--otlp-grpc-endpoint=127.0.0.1:{grpc}",
        f"--otlp-http-endpoint=127.0.0.1:{http}",
        "--exporter=otlp",
        f"--otlp-exporter-protocol={protocol}",
        f"--otlp-exporter-endpoint={target}",
        "--batch-timeout=100ms",
    ]
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        eventually(lambda: is_listening(grpc), "rotel listens")
        yield f"127.0.0.1:{grpc}"
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_listening(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), 1):
        return True


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_what_rotel_forwards_is_stored_once(
    tmp_path: Path, plain_database: str, protocol: str
) -> None:
    with collector(tmp_path / "data", plain_database) as running:
        target = running.addresses["http" if protocol == "http" else "grpc"]
        target = target if "://" in target else f"http://{target}"
        with forwarding(target, protocol, tmp_path / "rotel.log") as address:
            for start in range(0, 2_000, 200):
                export(address, trace_request([batch_span(start + n) for n in range(200)]))
            eventually(
                lambda: running.ledger().get("spans", {}).get(("stored", "")) == 2_000,
                "everything that was forwarded is stored",
            )
    with psycopg.connect(plain_database) as connection:
        row = connection.execute("select count(distinct span_id) from crucible.spans").fetchone()
    assert row == (2_000,)
