"""`crucible-collector doctor` beside a real collector: well, and with each of its parts away."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from crucible_collector import doctor
from crucible_collector.checkup import disk
from crucible_collector.settings import Settings
from databases import TestServer
from harness import Collector, collector, eventually
from proxy import PostgresProxy

TIMEOUT_S = 120
MIB = 1024 * 1024


def run(running: Collector, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The doctor with the settings that the collector was started with."""
    places = ["--data-dir", str(running.data_dir)]
    if running.database_url:
        places += ["--database-url", running.database_url]
    for name, address in running.addresses.items():
        places += [f"--{name}", address.removeprefix("http://")]
    return subprocess.run(
        [sys.executable, "-m", "crucible_collector", "doctor", *places, *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def findings(answer: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    """The last finding of each check."""
    return {one["check"]: one for one in json.loads(answer.stdout)["findings"]}


@pytest.fixture
def running(tmp_path: Path, plain_database: str) -> Iterator[Collector]:
    with collector(tmp_path / "data", plain_database) as one:
        eventually(lambda: one.get("/readyz"), "it is ready")
        yield one


def rooms_of(dsn: str) -> int:
    with psycopg.connect(dsn) as conn:
        row = conn.execute(
            "select count(*) from pg_inherits where inhparent = 'crucible.logs'::regclass"
        ).fetchone()
    return int(row[0]) if row else 0


def test_a_collector_that_is_well_is_said_to_be_and_its_canary_is_a_span_like_any(
    running: Collector, plain_database: str
) -> None:
    eventually(lambda: rooms_of(plain_database) == 3, "room is made ahead")
    answer = run(running, "--json")
    assert (answer.returncode, answer.stderr) == (0, ""), answer.stdout
    found = findings(answer)
    assert {one["level"] for one in found.values()} == {"ok"}
    trace = running.get(f"/api/v1/traces/{found['canary']['facts']['trace_id']}")
    assert "crucible-collector-doctor grpc" in json.dumps(trace)
    assert "crucible-collector-doctor http" in json.dumps(trace)


def test_it_is_told_in_lines_for_people(running: Collector) -> None:
    answer = run(running, "--no-canary")
    assert answer.returncode == 0
    lines = answer.stdout.splitlines()
    assert lines[0].startswith("ok       connection  database ")
    assert "0 wrong" in lines[-1]
    assert "canary" not in answer.stdout


def test_a_database_that_is_away_and_a_collector_that_waits_for_it_are_both_told(
    tmp_path: Path, plain_database: str
) -> None:
    proxy = PostgresProxy(plain_database)
    away = proxy.dsn_through
    proxy.close()
    with collector(tmp_path / "data", away) as waiting:
        answer = run(waiting, "--json", "--no-canary")
    found = findings(answer)
    assert answer.returncode == 1
    assert found["connection"]["level"] == "wrong"
    assert found["collector"]["level"] == "wrong"
    assert "database" in found["collector"]["says"]


def test_a_collector_that_is_away_is_told_and_no_canary_is_sent(running: Collector) -> None:
    running.kill()
    answer = run(running, "--json")
    found = findings(answer)
    assert answer.returncode == 1
    assert (found["collector"]["level"], "canary" in found) == ("wrong", False)
    assert "serve" in found["collector"]["remedy"]
    assert found["connection"]["level"] == "ok"


def test_a_wrong_address_for_one_transport_is_told_of_that_one(running: Collector) -> None:
    running.addresses["grpc"] = "127.0.0.1:1"
    answer = run(running, "--json")
    canaries = [one for one in json.loads(answer.stdout)["findings"] if one["check"] == "canary"]
    assert answer.returncode == 1
    assert [one["level"] for one in canaries] == ["wrong", "ok"]
    assert "over grpc to 127.0.0.1:1 was not taken: UNAVAILABLE" in canaries[0]["says"]
    assert canaries[1]["says"].startswith("spans over http were taken")


def test_what_the_settings_leave_out_does_not_come_back(
    tmp_path: Path, plain_database: str
) -> None:
    arguments = ("--events-deny", "*")
    with collector(tmp_path / "data", plain_database, *arguments) as running:
        addresses = {name: at.removeprefix("http://") for name, at in running.addresses.items()}
        places = {"data_dir": running.data_dir, "database_url": plain_database}
        settings = Settings.model_validate({**places, **addresses})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("crucible_collector.canary.VISIBLE_TIMEOUT_S", 1.0)
            canary = next(
                one for one in doctor.diagnose(settings, sends=True) if one.check == "canary"
            )
    assert canary.level == "wrong"
    assert "--events-deny" in canary.remedy


def test_the_collectors_own_database_is_found_and_asked(tmp_path: Path) -> None:
    """Also where its socket does not fit into the data directory's path."""
    deep = tmp_path / ("d" * 60) / "data"
    with collector(deep) as running:
        answer = run(running, "--json")
        assert findings(answer)["connection"]["level"] == "ok", answer.stdout
        assert answer.returncode == 0
    gone = run(running, "--json", "--no-canary")
    assert findings(gone)["connection"]["says"].endswith("does not run")


def test_a_timescaledb_is_examined_too_and_a_canary_comes_through_the_strictest_sampling(
    tmp_path: Path, timescale_server: TestServer
) -> None:
    rule = {"strategy": "importance", "budget_per_s": 1e-6}
    rules = json.dumps({"decision_wait_s": 1, "rules": [rule]})
    with (
        timescale_server.database() as dsn,
        collector(tmp_path / "data", dsn, "--sampling", rules) as running,
    ):
        found = findings(run(running, "--json"))
        assert found["licence"]["level"] == "ok"
        assert found["canary"]["level"] == "ok"
        assert found["sampling"]["level"] == "ok"
        trace = running.get(f"/api/v1/traces/{found['canary']['facts']['trace_id']}")
        assert {span["sample_probability"] < 1 for span in trace["data"]} == {True}


def test_port_0_cannot_be_asked(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "crucible_collector", "doctor", "--json", "--api", "127.0.0.1:0",
         "--data-dir", str(tmp_path / "none")],
        capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    found = findings(answer)
    assert answer.returncode == 1
    assert [found[check]["level"] for check in ("connection", "disk", "collector")] == [
        "wrong", "skipped", "skipped",
    ]  # fmt: skip


@pytest.mark.parametrize(("free_mib", "level"), [(100, "wrong"), (2_000, "warning"), (8_000, "ok")])
def test_a_disk_too_small_for_the_journals_limit_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_mib: int, level: str
) -> None:
    usage = type("Usage", (), {"free": free_mib * MIB})
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    assert disk(Settings.model_validate({"data_dir": tmp_path})).level == level
