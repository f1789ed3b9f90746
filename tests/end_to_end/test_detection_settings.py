"""Settings of detection of a collector that runs: from its file, read again at SIGHUP, and over REST."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import httpx

from databases import TestServer
from harness import Collector, collector, eventually

WATCH = '[[detection.rules]]\nname = "queue"\nmetrics = ["queue"]\nsensitivity = {sensitivity}\n'
PATH = "/api/v1/anomalies/settings"


def in_force(running: Collector) -> dict[str, Any]:
    data: dict[str, Any] = running.get(PATH)["data"]
    return data


def sensitivity(running: Collector) -> float | None:
    """Of the rule that this collector works by, once it follows what is in force."""
    found = in_force(running)
    is_followed = found["collector"]["version"] == found["version"]
    rules = found["settings"]["rules"]
    return rules[0]["sensitivity"] if rules and is_followed else None


def test_settings_of_the_file_and_of_the_api_are_followed_while_it_runs(
    plain_server: TestServer, tmp_path: Path
) -> None:
    config = tmp_path / "settings.toml"
    config.write_text(WATCH.format(sensitivity=2))
    with (
        plain_server.database() as dsn,
        collector(tmp_path / "one", dsn, "--config", str(config)) as one,
    ):
        eventually(lambda: sensitivity(one) == 2, "the file's settings are in force")
        assert in_force(one)["origin"] == "file"

        config.write_text(WATCH.format(sensitivity=3))
        one.running.send_signal(signal.SIGHUP)
        eventually(lambda: sensitivity(one) == 3, "the file is read again")
        assert "the settings say nothing of sampling" in one.log()

        config.write_text(WATCH.format(sensitivity=0))
        one.running.send_signal(signal.SIGHUP)
        said = "the settings are wrong: detection rule queue: sensitivity = 0"
        eventually(lambda: said in one.log(), "a wrong file is told")
        assert sensitivity(one) == 3

        rule = {"name": "queue", "metrics": ["queue"], "sensitivity": 4}
        answer = httpx.put(one.api + PATH, json={"rules": [rule], "changed_by": "ada"})
        assert answer.status_code == 200
        eventually(lambda: sensitivity(one) == 4, "what the API was told is followed")
        version = in_force(one)["version"]
        assert f"crucible_detection_version {version:.1f}" in one.metrics()
        [watched] = one.get("/api/v1/anomalies/watches?metric=queue.length")["data"]["watches"]
        assert (watched["rule"], watched["sensitivity"]) == ("queue", 4.0)
