"""A run that dies without a word is seen to run, then to have stalled, and to run when it is back."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

from harness import Collector, collector, eventually


def report(to: Collector, *events: dict[str, Any]) -> dict[str, Any]:
    """Post events as a BEAM node would, with one HTTP call."""
    request = urllib.request.Request(
        to.api + "/api/v1/telemetry/events",
        json.dumps({"events": events}).encode(),
        {"Content-Type": "application/json", "X-Correlation-Id": "story-7"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 202
        found: dict[str, Any] = json.load(answer)
    return found


def event(name: str, **metadata: Any) -> dict[str, Any]:
    return {
        "event_name": name.split("."),
        "measurements": {},
        "metadata": {"run_id": "node-3", **metadata},
        "timestamp": time.time_ns() // 1000,
    }


HEARTBEAT = "crucible_telemetry.run.heartbeat"


def test_a_run_that_falls_silent_is_seen_to_stall_and_to_come_back(tmp_path: Path) -> None:
    patience = ("--stall-after-intervals", "1", "--stall-after-min-s", "1")
    with collector(tmp_path / "data", None, *patience) as one:

        def status() -> str:
            found: str = one.get("/api/v1/runs/node-3")["data"]["status"]
            return found

        start = event("crucible_train.training.start", model_name="mlp")
        beat = event(HEARTBEAT, interval_s=0.5)
        assert report(one, start, beat, {"event_name": 7}) == {
            "accepted": 2,
            "rejected": 1,
            "errors": [
                {
                    "index": 2,
                    "code": "invalid_event_name",
                    "message": "event_name: expected a name or a list of atoms",
                }
            ],
        }
        eventually(lambda: status() == "running", "it runs")
        run = one.get("/api/v1/runs/node-3")["data"]
        assert (run["correlation_id"], run["model_name"]) == ("story-7", "mlp")
        assert run["heartbeat_interval_s"] == 0.5
        report(one, start, beat, {"event_name": 7})  # sent again, stored once
        eventually(lambda: status() == "stalled", "it has stalled")
        assert one.get("/api/v1/runs/node-3")["data"]["stalled_at"]
        report(one, event("crucible_train.batch.stop", step=3))
        eventually(lambda: status() == "running", "it is back")
        report(one, event("crucible_train.training.stop"))
        eventually(lambda: status() == "completed", "it has ended")
        counts = one.ledger()["spans"]
        assert counts["duplicate", ""] == 2
        assert counts["rejected", "invalid_event"] == 2
        assert counts["stored", ""] == 4
