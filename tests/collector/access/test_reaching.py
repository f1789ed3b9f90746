"""Who reaches a collector that speaks TLS and wants a key: the doctor and the SDK."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from collector.access.conftest import Certificates
from collector.access.test_keys_in_use import key_of
from harness import Collector, collector, eventually

TRAINING = """
import crucible_telemetry as crucible
crucible.configure(service_name="trainer", heartbeat_s=0)
with crucible.experiment("sweep", experiment_id="team-a-1"):
    with crucible.training(run_id="run-1") as training:
        for _ in range(3):
            with training.epoch():
                pass
"""


@pytest.fixture
def secured(tmp_path: Path, plain_database: str, certificates: Certificates) -> Iterator[Collector]:
    arguments = (*certificates.arguments(), "--require-keys")
    with collector(tmp_path / "data", plain_database, *arguments) as running:
        yield running


def doctor(running: Collector, *arguments: str, **environment: str) -> dict[str, dict[str, str]]:
    places = ["--data-dir", str(running.data_dir), "--database-url", running.database_url or ""]
    for name, address in running.addresses.items():
        places += [f"--{name}", address.removeprefix("https://")]
    answer = subprocess.run(
        [sys.executable, "-m", "crucible_collector", "doctor", "--json", *places, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )
    return {one["check"]: one for one in json.loads(answer.stdout)["findings"]}


def test_the_doctor_trusts_the_collectors_own_certificate_or_an_authority_and_sends_its_key(
    secured: Collector, plain_database: str, certificates: Certificates
) -> None:
    key = key_of(plain_database, "ingest", "read", name="doctor")
    unkeyed = doctor(secured, *certificates.arguments())
    assert unkeyed["collector"]["level"] == "ok"
    assert unkeyed["canary"]["level"] == "wrong"
    assert "CRUCIBLE_API_KEY" in unkeyed["canary"]["remedy"]
    assert (
        doctor(secured, *certificates.arguments(), CRUCIBLE_API_KEY=key)["canary"]["level"] == "ok"
    )
    by_authority = doctor(
        secured, CRUCIBLE_API_KEY=key, OTEL_EXPORTER_OTLP_CERTIFICATE=str(certificates.ca)
    )
    assert by_authority["canary"]["level"] == "ok"


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_the_sdk_reports_with_a_key_over_tls(
    secured: Collector, plain_database: str, certificates: Certificates, protocol: str
) -> None:
    key = key_of(plain_database, "ingest", "read", name="trainer")
    port = secured.addresses["grpc" if protocol == "grpc" else "http"].rpartition(":")[2]
    environment = {
        **os.environ,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"https://localhost:{port}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_EXPORTER_OTLP_CERTIFICATE": str(certificates.ca),
        "CRUCIBLE_API_URL": secured.api.replace("127.0.0.1", "localhost"),
        "CRUCIBLE_API_KEY": key,
    }
    subprocess.run([sys.executable, "-c", TRAINING], check=True, timeout=60, env=environment)
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(
        base_url=secured.api, headers=headers, verify=certificates.context()
    ) as asking:
        eventually(
            lambda: (
                asking.get("/api/v1/runs/run-1").json().get("data", {}).get("status") == "completed"
            ),
            "the training is told of",
        )
