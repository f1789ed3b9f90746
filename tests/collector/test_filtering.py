"""A collector that is told which events to keep, as a user tells it."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path

from harness import Collector, collector, eventually

DENIED = "crucible_train.batch"


def send(to: Collector, *names: str) -> None:
    """One request of OTLP/JSON over HTTP with a span of each name."""
    now_ns = time.time_ns()
    spans = [
        {
            "traceId": f"{number:032x}",
            "spanId": f"{number:016x}",
            "name": name,
            "startTimeUnixNano": str(now_ns - 1000),
            "endTimeUnixNano": str(now_ns),
        }
        for number, name in enumerate(names, 1)
    ]
    request = urllib.request.Request(
        to.addresses["http"] + "/v1/traces",
        json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.load(answer) == {}


def test_what_is_left_out_is_acknowledged_counted_and_not_there(tmp_path: Path) -> None:
    with collector(tmp_path / "data", None, "--events-deny", DENIED) as one:
        send(
            one,
            DENIED,
            "crucible_kitchen.training.step",
            "crucible_train.epoch",
            "crucible_train.x",
        )
        eventually(lambda: one.ledger().get("spans"), "the spans are written")
        assert one.ledger()["spans"] == {
            ("received", ""): 4,
            ("stored", ""): 2,
            ("duplicate", ""): 0,
            ("filtered", f"events_deny={DENIED}"): 2,
        }
        events = one.get("/api/v1/events")["data"]
        assert {each["event_name"] for each in events} == {
            "crucible_train.epoch.stop",
            "crucible_train.x",
        }
        told = one.metrics().splitlines()
        rule = f'outcome="filtered",reason="events_deny={DENIED}",signal="spans"'
        assert f"crucible_ledger_records_total{{{rule}}} 2.0" in told
        assert 'crucible_unknown_event_records_total{signal="spans"} 1.0' in told
        assert "'crucible_train.x'" in one.log()
