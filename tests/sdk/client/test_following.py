"""What is stored, as it is stored, through connections that break."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import Any

import pytest

from crucible_telemetry.client import ApiError, Client
from harness import Collector
from sdk.client.cutting import cutting


def measure(running: Collector, run: str, *steps: int) -> None:
    """Send an epoch a step."""
    now = time.time_ns()
    spans = [
        {
            "traceId": f"{now + step:032x}",
            "spanId": f"{now + step:016x}",
            "name": "crucible_train.epoch",
            "startTimeUnixNano": str(now),
            "endTimeUnixNano": str(now + step),
            "attributes": [
                {"key": "crucible.run.id", "value": {"stringValue": run}},
                {"key": "crucible.epoch", "value": {"intValue": str(step)}},
                {"key": "crucible.measurement.loss", "value": {"doubleValue": float(step)}},
            ],
        }
        for step in steps
    ]
    body = {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}
    request = urllib.request.Request(
        f"{running.addresses['http']}/v1/traces",
        json.dumps(body).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200


def test_messages_come_as_rows_are_stored(running: Collector, client: Client) -> None:
    with client.live(run="followed", kinds=["run", "points"]) as following:
        measure(running, "other", 1)
        measure(running, "followed", 1)
        kinds: dict[str, Any] = {}
        while len(kinds) < 2:
            message = next(following)
            kinds[message.kind] = message.data
    assert kinds["run"]["run_id"] == "followed"
    assert [point["value"] for point in kinds["points"]["points"]] == [1.0]
    assert list(following) == []


def test_nothing_is_missed_when_the_connection_breaks(running: Collector) -> None:
    values: list[float] = []
    with cutting(running.api) as cut, Client(cut.url) as client:
        with client.live(run="broken", kinds="points") as following:
            for step in range(1, 5):
                measure(running, "broken", step)
                while step not in values:
                    values += [point["value"] for point in next(following).data["points"]]
                cut.cut_all()
            place = following.place
        measure(running, "broken", 5)
        with client.live(run="broken", kinds="points", after=place) as following:
            while 5.0 not in values:
                values += [point["value"] for point in next(following).data["points"]]
        assert cut.connection_count > 4
    assert sorted(set(values)) == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_a_name_with_a_comma_is_one_name(running: Collector, client: Client) -> None:
    with client.live(run="lr=1,seed=2", kinds="points") as following:
        measure(running, "lr=1,seed=2", 3)
        assert next(following).data["run_id"] == "lr=1,seed=2"


def test_a_wrong_question_is_refused_at_once(client: Client) -> None:
    with pytest.raises(ApiError) as refused:
        client.live(kinds="everything")
    assert refused.value.code == "invalid_parameter"
