"""Sampling rules of a collector that runs: from its file, read again at SIGHUP, and over REST."""

from __future__ import annotations

import json
import re
import signal
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from databases import TestServer
from harness import Collector, collector, eventually

THIN = '[[sampling.rules]]\nname = "thin"\nstrategy = "uniform"\nprobability = {probability}\n'


def write(config: Path, text: str) -> Path:
    config.write_text(text)
    return config


def in_force(running: Collector) -> dict[str, Any]:
    data: dict[str, Any] = running.get("/api/v1/sampling")["data"]
    return data


def probability(running: Collector) -> float | None:
    rules = in_force(running)["settings"]["rules"]
    return rules[0]["probability"] if rules else None


def follows(running: Collector) -> Any:
    """The version that this collector works by, once that is the one in force."""
    found = in_force(running)
    return found["collector"]["version"] == found["version"] and found["version"]


def put(running: Collector, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(
        running.api + "/api/v1/sampling",
        json.dumps(body).encode(),
        {"content-type": "application/json"},
        method="PUT",
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        data: dict[str, Any] = json.load(answer)["data"]
    return data


def test_rules_of_the_file_and_of_the_api_are_followed_by_every_collector_while_it_runs(
    plain_server: TestServer, tmp_path: Path
) -> None:
    config = write(tmp_path / "settings.toml", THIN.format(probability=0.5))
    with (
        plain_server.database() as dsn,
        collector(tmp_path / "one", dsn, "--config", str(config)) as one,
        collector(tmp_path / "two", dsn) as two,
    ):
        first = eventually(lambda: follows(one), "the file's rules are in force")
        assert (in_force(one)["origin"], probability(one)) == ("file", 0.5)
        assert eventually(lambda: follows(two), "the other collector follows") == first

        write(config, 'log_level = "debug"\n' + THIN.format(probability=0.25))
        one.running.send_signal(signal.SIGHUP)
        eventually(lambda: probability(one) == 0.25, "the file is read again")
        assert "from the next start on: log_level" in one.log()

        write(config, THIN.format(probability=2))
        one.running.send_signal(signal.SIGHUP)
        eventually(lambda: "nothing changes" in one.log(), "a wrong file is told")
        [line] = re.findall(r".*nothing changes.*", one.log())
        assert "sampling rule thin: probability = 2" in line
        assert probability(one) == 0.25

        told = put(two, {"rules": [], "changed_by": "ada", "reason": "all of it, for a day"})
        eventually(lambda: follows(one) == told["version"], "the other collector follows")
        eventually(lambda: follows(two) == told["version"], "so does the one that was told")
        assert f"crucible_sampling_version {told['version']:.1f}" in two.metrics()
        versions = one.get("/api/v1/sampling/history")["data"]
        assert [each["origin"] for each in versions] == ["api", "file", "file"]

        write(config, THIN.format(probability=0.25))
        assert one.stop() == 0
        one.start()
        assert eventually(lambda: follows(one), "it is there again") == told["version"]


def test_a_change_is_refused_while_the_database_is_away(tmp_path: Path) -> None:
    with collector(tmp_path / "one", "postgresql://127.0.0.1:1/nowhere") as one:
        with pytest.raises(urllib.error.HTTPError) as refused:
            put(one, {"rules": []})
        with refused.value as answer:
            assert answer.code == 503
