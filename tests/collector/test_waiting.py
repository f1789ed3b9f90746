"""What a collector says of what waits for its database."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from pathlib import Path

from harness import Collector, collector, eventually


def _send(to: Collector) -> None:
    event = {
        "event_name": ["crucible_train", "batch", "stop"],
        "measurements": {"loss": 1.0},
        "metadata": {"run_id": "run-1"},
        "timestamp": time.time_ns() // 1000,
    }
    request = urllib.request.Request(
        f"{to.api}/api/v1/telemetry/events",
        json.dumps({"events": [event]}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status < 300


def _waits(at: Collector) -> tuple[str, float]:
    found = re.search(r"^crucible_journal_bytes (\S+)$", at.metrics(), re.MULTILINE)
    assert found
    return at.get("/readyz")["data"]["journal"]["detail"], float(found[1])


def test_nothing_waits_once_all_is_stored_though_the_journal_keeps_it(tmp_path: Path) -> None:
    with collector(tmp_path) as running:
        _send(running)
        eventually(
            lambda: running.ledger().get("spans", {}).get(("stored", ""), 0) > 0, "it is stored"
        )
        eventually(
            lambda: _waits(running) == ("0 bytes wait for the database", 0.0), "nothing waits"
        )
