"""OpenTelemetry's JavaScript SDK, from npm, as it is: what it sends comes out of REST right."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from databases import TestServer
from harness import Collector, collector, eventually

SOURCE = Path(__file__).parent / "javascript"
INSTALLED = Path(__file__).parents[2] / "build" / "javascript"

ATTRIBUTES = {
    "crucible.step": 7,
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 120,
    "gen_ai.usage.output_tokens": 45,
    "text": 'quotes " and \\ and ünïcode 🙂',
    "flag": True,
    "ratio": 0.1,
    "whole": 3,
    "texts": ["a", "b"],
    "numbers": [1, 2.5],
}


@pytest.fixture(scope="session")
def client() -> Path:
    """The directory with the client and its packages, installed once a clone."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node.js and npm are not installed")
    INSTALLED.mkdir(parents=True, exist_ok=True)
    manifest = (SOURCE / "package.json").read_text()
    stamp = INSTALLED / "installed.json"
    shutil.copy(SOURCE / "send.mjs", INSTALLED)
    if not stamp.exists() or stamp.read_text() != manifest:
        (INSTALLED / "package.json").write_text(manifest)
        command = [
            "npm",
            "install",
            "--no-package-lock",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
        ]
        answer = subprocess.run(
            command, cwd=INSTALLED, capture_output=True, text=True, timeout=240, check=False
        )
        if answer.returncode:
            pytest.skip(f"npm could not install OpenTelemetry's packages: {answer.stderr[-300:]}")
        stamp.write_text(manifest)
    return INSTALLED


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, plain_server: TestServer
) -> Iterator[Collector]:
    with (
        plain_server.database() as dsn,
        collector(tmp_path_factory.mktemp("javascript") / "data", dsn) as one,
    ):
        yield one


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf", "http/json"])
def test_what_javascript_sends_comes_out_attribute_for_attribute(
    client: Path, running: Collector, protocol: str
) -> None:
    sent = send(client, running, protocol)
    spans = eventually(
        lambda: (rows := trace(running, sent["traceId"])) and len(rows) == 2 and rows, "the trace"
    )
    parent, child = sorted(spans, key=lambda span: span["parent_span_id"] is not None)
    assert parent["span_id"] == sent["spanId"]
    assert parent["name"] == "generate"
    assert parent["attributes"] == {**ATTRIBUTES, "crucible.run.id": f"js-{protocol}"}
    assert parent["model"] == "gpt-4o"
    assert (parent["input_tokens"], parent["output_tokens"]) == (120, 45)
    assert parent["duration_ms"] >= child["duration_ms"]
    assert child["parent_span_id"] == sent["spanId"]
    assert child["status"] == "error"
    assert child["status_message"] == "tool failed"
    retry, exception = child["events"]
    assert retry["name"] == "retry"
    assert retry["attributes"] == {"attempt": 2}
    assert exception["attributes"]["exception.message"] == "tool failed"
    (link,) = child["links"]
    assert link["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert link["span_id"] == "b7ad6b7169203331"
    assert link["attributes"] == {"why": "cause"}


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf", "http/json"])
def test_metrics_from_javascript_become_series(
    client: Path, running: Collector, protocol: str
) -> None:
    send(client, running, protocol)
    series = eventually(lambda: own_series(running, protocol), "three series")
    requests, temperature, latency = (
        series[name] for name in ("requests", "temperature", "latency")
    )
    assert requests["kind"] == "sum"
    assert requests["temporality"] == "cumulative"
    assert requests["is_monotonic"] is True
    assert requests["unit"] == "{request}"
    assert requests["attributes"] == {"route": "/a"}
    assert last_value(running, requests) == 5
    assert temperature["kind"] == "gauge"
    assert last_value(running, temperature) == 21.5
    assert latency["kind"] == "histogram"
    (histogram,) = running.get(f"/api/v1/series/{latency['series_id']}/histograms")["data"][-1:]
    assert histogram["count"] == 4
    assert histogram["bounds"] == [1, 10, 100]
    assert histogram["counts"] == [1, 1, 1, 1]


def send(client: Path, running: Collector, protocol: str) -> dict[str, Any]:
    http = running.addresses["http"]
    answer = subprocess.run(
        ["node", "send.mjs", protocol, running.addresses["grpc"], http],
        cwd=client,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    sent: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    assert sent["failures"] == []
    return sent


def trace(running: Collector, trace_id: str) -> list[dict[str, Any]]:
    spans: list[dict[str, Any]] = running.get(f"/api/v1/traces/{trace_id}")["data"]
    return spans


def own_series(running: Collector, protocol: str) -> dict[str, Any] | None:
    """The series of the process that used this transport, by metric, once all three are there."""
    found = {}
    for row in running.get("/api/v1/series?source=metric&limit=1000")["data"]:
        if row["resource_attributes"].get("test.protocol") == protocol:
            found[row["metric"]] = row
    return found if len(found) >= 3 else None


def last_value(running: Collector, series: dict[str, Any]) -> float:
    points = running.get(f"/api/v1/series/{series['series_id']}/points")["data"]
    return float(points[-1]["value"])
