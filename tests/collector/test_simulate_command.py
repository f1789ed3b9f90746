"""`crucible-collector sampling simulate` as a user runs it, and what it says to what it cannot do."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from crucible_collector.cli import EXIT_FAILED, EXIT_SETTINGS, main
from crucible_collector.errors import DatabaseAwayError, DatabaseError, SettingsError
from crucible_collector.settings import Settings
from crucible_collector.settings_sources import load
from crucible_collector.simulate.command import report
from databases import TestServer
from harness import collector
from stored import Stored, at

TIMEOUT_S = 120
FILE = """
data_dir = "nowhere"

[sampling]
decision_wait_s = 2

[[sampling.rules]]
name = "errors"
strategy = "tail"
rules = [{ error = true }]
otherwise = { strategy = "uniform", probability = 0.000001 }
"""
PERIOD = ("--from", "2026-11-23T10:00:00Z", "--to", "2026-11-23T11:00:00Z")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "crucible_collector", "sampling", "simulate", *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


@pytest.fixture(scope="module")
def dsn(plain_server: TestServer) -> Iterator[str]:
    """Forty traces of two spans each, every tenth with an error in the second."""
    with plain_server.database() as found:
        with psycopg.connect(found, autocommit=True) as conn:
            stored = Stored(conn)
            for number in range(80):
                stored.span(
                    time=at(number / 2),
                    trace_id=f"{number // 2 + 1:032x}",
                    status_code=2 if number % 20 == 1 else 1,
                    duration_ns=1_000_000,
                    event_name="ask",
                )
        yield found


def told(dsn: str | None, sampling: dict[str, Any] | None = None, **others: Any) -> Settings:
    given = dict.fromkeys(Settings.model_fields) | {"config": None} | others
    given["database_url"] = dsn
    given["sampling"] = None if sampling is None else json.dumps(sampling)
    return load(Namespace(**given), {}, listens=False)


def test_a_file_is_tried_and_told_in_a_table(dsn: str, tmp_path: Path) -> None:
    path = tmp_path / "proposal.toml"
    path.write_text(FILE)
    answer = run("--config", str(path), "--database-url", dsn, *PERIOD)
    assert (answer.returncode, answer.stderr) == (0, "")
    lines = answer.stdout.splitlines()
    assert lines[0].startswith("80 spans and 0 log records from 2026-11-23 10:00:00 to")
    (errors,) = (line.split() for line in lines if line.startswith("errors "))
    # Both spans of the four traces in which an error comes half a second later.
    assert errors[1:5] == ["spans", "80", "8", "10.0%"]
    assert any(line.startswith("all events") for line in lines)


def test_programs_get_json_of_one_object(dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    half = {"rules": [{"strategy": "uniform", "probability": 0.5}]}
    period = "2026-11-23T10:00:00Z", "2026-11-23 10:00:10"
    assert report(told(dsn, half), *period, as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["span_count"], found["is_complete"]) == (20, True)
    assert [each["rule"] for each in found["rules"]] == ["rule-1"]
    assert [each["name"] for each in found["events"][0]["aggregates"]][:3] == [
        "count",
        "error_count",
        "duration_total_ms",
    ]


def test_without_a_period_the_last_hour_is_meant(
    dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    now = at(3610)  # ten seconds after the end of the first hour
    assert report(told(dsn, {"rules": []}), None, None, as_json=True, now=lambda: now) == 0
    assert json.loads(capsys.readouterr().out)["span_count"] == 60
    until = "2026-11-23T10:00:05Z"
    assert report(told(dsn, {"rules": []}), None, until, as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["span_count"] == 10


def test_nothing_stored_is_said_and_is_no_failure(
    dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    day = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    assert report(told(dsn, {"rules": []}), None, None, as_json=False, now=lambda: day) == 0
    assert capsys.readouterr().out.startswith("nothing is stored from 2019-12-31 23:00:00")


@pytest.mark.parametrize(
    ("sampling", "period", "says"),
    [
        (None, (None, None), "there is nothing to try"),
        ({"rules": [{"strategy": "uniform"}]}, (None, None), "probability"),
        ({"rules": []}, ("yesterday", None), "from = 'yesterday' \\(command line\\): expected"),
        ({"rules": []}, ("2026-01-02", "2026-01-01"), "expected a time before --to"),
    ],
)
def test_what_is_wrong_with_the_question_is_one_line(
    dsn: str, sampling: dict[str, Any] | None, period: tuple[str | None, str | None], says: str
) -> None:
    with pytest.raises(SettingsError, match=says) as caught:
        report(told(dsn, sampling), *period, as_json=False)
    assert "\n" not in str(caught.value)


def test_where_no_database_is_to_be_asked_that_is_said(
    tmp_path: Path, plain_server: TestServer
) -> None:
    rules: dict[str, Any] = {"rules": []}
    with pytest.raises(DatabaseAwayError, match="does not run: start the collector"):
        report(told(None, rules, data_dir=str(tmp_path)), None, None, as_json=False)
    with pytest.raises(SettingsError, match="database_url = …"):
        report(told("postgres//", rules), None, None, as_json=False)
    with (
        plain_server.database(migrated=False) as empty,
        pytest.raises(DatabaseError, match="there is no store"),
    ):
        report(told(empty, rules), None, None, as_json=False)


def test_a_collector_is_asked_over_rest_and_its_own_database_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules: dict[str, Any] = {"rules": [{"strategy": "uniform", "probability": 0.5}]}
    period = {"from": "2026-11-23T10:00:00Z", "to": "2026-11-23T11:00:00Z"}
    with collector(tmp_path / "data") as running:
        answer = httpx.post(
            f"{running.api}/api/v1/sampling/simulate", json={**rules, **period}, timeout=TIMEOUT_S
        )
        settings = told(None, rules, data_dir=str(running.data_dir))
        assert report(settings, *period.values(), as_json=True) == 0
    beside = json.loads(capsys.readouterr().out)
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"] | {"took_s": 0} == beside | {"took_s": 0}


def test_the_exit_code_says_whether_trying_again_may_help(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["sampling", "simulate", "--sampling"]
    assert main([*asked, '{"rules": []}', "--data-dir", str(tmp_path)]) == EXIT_FAILED
    away = capsys.readouterr()
    assert away.out == ""
    assert away.err.startswith("crucible-collector: the embedded database of")
    wrong = '{"rules": [{"strategy": "magic"}]}'
    assert main([*asked, wrong, "--database-url", "host=x"]) == EXIT_SETTINGS
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert "magic" in said.err
