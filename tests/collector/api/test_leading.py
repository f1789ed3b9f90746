"""Experiments over REST: made ahead of their first run, described, paused, resumed, stopped, put aside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from pydantic import TypeAdapter

from crucible_collector.api.models import Experiment, Failure, One
from rows_of import at as told_at
from rows_of import ingest, row_of, span_of, traces
from stored import Api, Stored, at

PATH = "/api/v1/experiments"
ABOUT = {"crucible.experiment.id": "sweep"}
AT = {"at": at(-40)}  # the time of what is sent is counted from the same one


@pytest.fixture
def database(plain_database: str) -> str:
    """Nothing here is kept otherwise by TimescaleDB."""
    return plain_database


def _send(api: Api, path: str, body: Mapping[str, Any], method: str = "POST") -> httpx.Response:
    response = api.client.request(method, f"{PATH}{path}", json=body)
    if response.is_success:
        TypeAdapter(One[Experiment]).validate_json(response.content, strict=True)
    else:
        Failure.model_validate_json(response.content, strict=True)
    return response


def _code(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_an_experiment_is_made_ahead_of_its_first_run(api: Api) -> None:
    told = {
        "experiment_id": "lr/sweep",
        "name": "Learning rates",
        "hypothesis": "A higher one is sooner there",
        "tags": ["mlp", "digits"],
        "owner": "ada",
        "experiment_type": "ablation",
        "sample_size": 20,
        "metadata": {"ticket": "ML-7", "rates": [0.1, 0.01]},
    }
    response = _send(api, "", told)
    assert response.status_code == 201
    found = api.client.get(response.headers["location"]).json()["data"]
    assert found.items() >= {**told, "status": "running", "run_count": 0}.items()
    assert _code(_send(api, "", told)) == (409, "experiment_exists")


def test_one_without_an_id_gets_one(api: Api) -> None:
    first, second = (_send(api, "", {"name": "same"}).json()["data"] for _ in range(2))
    assert first["experiment_id"] != second["experiment_id"]
    assert len(first["experiment_id"]) == 16


WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "name"),
    ({"name": ""}, "name"),
    ({"name": "a\0b"}, "name"),
    ({"name": "x", "experiment_id": "é" * 200}, "experiment_id"),
    ({"name": "x", "tags": "mlp"}, "tags"),
    ({"name": "x", "tags": ["a", 7]}, "tags.1"),
    ({"name": "x", "sample_size": 0}, "sample_size"),
    ({"name": "x", "metadata": {"a": ["b\0"]}}, "metadata"),
    ({"name": "x", "metadata": {"\0": 1}}, "metadata"),
    ({"name": "x", "status": "paused"}, "status"),
]


def test_what_cannot_be_said_of_an_experiment_is_named(api: Api) -> None:
    for body, parameter in WRONG:
        response = _send(api, "", body)
        assert _code(response) == (422, "invalid_parameter")
        assert [each["parameter"] for each in response.json()["error"]["details"]] == [parameter]


def test_a_number_that_json_or_the_database_does_not_know_is_refused(api: Api) -> None:
    headers = {"Content-Type": "application/json"}
    for number in ("NaN", "-Infinity", "1e400"):
        body = f'{{"name": "x", "metadata": {{"loss": {number}}}}}'
        response = api.client.post(PATH, content=body, headers=headers)
        assert response.status_code in {400, 422}
    assert api.ask("/experiments") == []


def test_only_what_is_named_changes(api: Api) -> None:
    told = {"experiment_id": "e", "name": "E", "tags": ["a"], "metadata": {"x": 1, "y": 2.0}}
    _send(api, "", told)
    changed = _send(api, "/e", {"owner": "ada", "metadata": {"x": None, "z": 3}}, "PATCH")
    found = changed.json()["data"]
    assert (found["name"], found["tags"], found["owner"]) == ("E", ["a"], "ada")
    assert found["metadata"] == {"y": 2.0, "z": 3}
    assert _send(api, "/e", {"tags": None}, "PATCH").json()["data"]["tags"] == []
    assert _code(_send(api, "/none", {}, "PATCH")) == (404, "not_found")


MOVES = [
    ("running", "pause", "paused"),
    ("running", "stop", "stopped"),
    ("paused", "resume", "running"),
    ("paused", "stop", "stopped"),
    ("stopped", "stop", "stopped"),
    ("stopped", "archive", "archived"),
    ("archived", "unarchive", "stopped"),
]
REFUSED = [
    ("paused", "pause", "already_paused"),
    ("stopped", "pause", "not_running"),
    ("archived", "pause", "not_running"),
    ("running", "resume", "already_running"),
    ("stopped", "resume", "not_paused"),
    ("archived", "stop", "not_running"),
    ("running", "archive", "not_stopped"),
    ("archived", "archive", "already_archived"),
    ("running", "unarchive", "not_archived"),
    ("stopped", "unarchive", "already_stopped"),
]


def test_its_status_lets_an_action_be_done(stored: Stored, api: Api) -> None:
    for before, action, after in MOVES:
        name = f"{before}-{action}"
        stored.experiment(name, status=before)
        assert _send(api, f"/{name}/{action}", {}).json()["data"]["status"] == after
        assert api.ask(f"/experiments/{name}")["status"] == after


def test_or_it_is_refused_with_the_reason(stored: Stored, api: Api) -> None:
    for before, action, code in REFUSED:
        name = f"{before}-{action}"
        stored.experiment(name, status=before)
        refused = _send(api, f"/{name}/{action}", {})
        assert _code(refused) == (409, code)
        assert f"is {before}" in refused.json()["error"]["message"]
        assert api.ask(f"/experiments/{name}")["status"] == before


def test_what_is_not_there_cannot_be_paused(api: Api) -> None:
    assert _code(_send(api, "/none/pause", {})) == (404, "not_found")


def test_pauses_are_counted_and_told_apart_from_work(stored: Stored, api: Api) -> None:
    stored.experiment("e", first_seen=at(0), last_seen=at(100))
    stored.insert("experiment_pauses", _pause(10, 30))
    stored.insert("experiment_pauses", _pause(50, 55))
    found = api.ask("/experiments/e")
    assert found["pause_count"] == 2
    course = found["course"]
    assert course["wall_clock_duration_ms"] == 100_000
    assert (course["active_duration_ms"], course["paused_duration_ms"]) == (75_000, 25_000)


def _pause(begin: float, end: float) -> dict[str, Any]:
    return {"experiment_id": "e", "paused_at": at(begin), "ended_at": at(end)}


def test_a_pause_says_why_and_ends_when_work_goes_on(
    stored: Stored, api: Api, database: str
) -> None:
    stored.experiment("e")
    paused = _send(api, "/e/pause", {"reason": "the cluster is full"}).json()["data"]
    assert (paused["pause_reason"], paused["pause_count"]) == ("the cluster is full", 1)
    resumed = _send(api, "/e/resume", {}).json()["data"]
    assert (resumed["pause_reason"], resumed["pause_count"]) == (None, 1)
    _send(api, "/e/pause", {})
    _send(api, "/e/stop", {})
    with psycopg.connect(database) as conn:
        rows = conn.execute("select ended_at >= paused_at from crucible.experiment_pauses")
        assert rows.fetchall() == [(True,), (True,)]


def test_an_experiment_tells_of_its_conditions_and_its_runs(stored: Stored, api: Api) -> None:
    stored.experiment("e")
    for number, (condition, status) in enumerate(
        [("b", "completed"), ("a", "failed"), ("a", "running"), (None, "stalled")]
    ):
        stored.run(f"run-{number}", experiment_id="e", condition=condition, status=status)
    found = api.ask("/experiments/e")
    assert found["course"]["runs_by_status"] == {
        "completed": 1,
        "failed": 1,
        "running": 1,
        "stalled": 1,
    }
    told = [(each["condition"], each["run_count"]) for each in found["conditions"]]
    assert told == [(None, 1), ("a", 2), ("b", 1)]
    assert [each["failed_count"] for each in found["conditions"]] == [1, 1, 0]


def _start(seconds: float, name: str) -> Span:
    about = {**ABOUT, "crucible.experiment.name": name}
    span = span_of(1 + round(100 + seconds), "crucible_telemetry.experiment.start", **about)
    span.start_time_unix_nano = span.end_time_unix_nano = told_at(seconds)
    return span


def test_what_is_sent_while_it_is_archived_is_stored_and_the_newest_word_counts(
    tmp_path: Path, database: str, api: Api
) -> None:
    with ingest(database, tmp_path / "journal") as collector, psycopg.connect(database) as conn:
        collector.store(traces(_start(-60, "as started")))
        _send(api, "/sweep", {"name": "as described"}, "PATCH")
        _send(api, "/sweep/stop", {})
        _send(api, "/sweep/archive", {})
        # Said between the two others, whatever the clock says.
        conn.execute(
            "update crucible.experiments set status_at = %(at)s, described_at = %(at)s", AT
        )
        conn.commit()
        collector.store(traces(_start(-50, "as started before")))
        row = row_of(database, "experiments")
        assert (row["status"], row["name"]) == ("archived", "as described")
        collector.store(traces(_start(-30, "as started again")))
        row = row_of(database, "experiments")
        assert (row["status"], row["name"]) == ("running", "as started again")


def test_lists_are_chosen_from(stored: Stored, api: Api) -> None:
    stored.experiment("a-1", name="Learning rates", tags=["mlp", "digits"], owner="ada")
    stored.experiment("a-2", hypothesis="More RATES help", status="paused", tags=["mlp"])
    stored.experiment("b-1", status="archived")

    def found(**filters: Any) -> set[str]:
        return {row["experiment_id"] for row in api.ask("/experiments", **filters)}

    assert found(status="paused,archived") == {"a-2", "b-1"}
    assert found(tag="mlp") == {"a-1", "a-2"}
    assert found(tag="mlp,digits") == {"a-1"}
    assert found(owner="ada") == {"a-1"}
    assert found(prefix="a-") == {"a-1", "a-2"}
    assert found(text="rates") == {"a-1", "a-2"}
    assert found(text="%") == set()


def test_runs_are_chosen_from(stored: Stored, api: Api) -> None:
    stored.run("r1", status="completed", kind="training", model_name="mlp", parent_run_id="p")
    stored.run("r2", status="failed", first_seen=at(100), last_seen=at(200))
    stored.run("q3", kind="pipeline")

    def found(**filters: Any) -> set[str]:
        return {row["run_id"] for row in api.ask("/runs", **filters)}

    assert found(status="completed,failed") == {"r1", "r2"}
    assert found(kind="pipeline") == {"q3"}
    assert found(model="mlp") == found(parent="p") == {"r1"}
    assert found(prefix="r") == {"r1", "r2"}
    assert found(from_=at(50).isoformat()) == {"r2"}
    assert found(to=at(50).isoformat()) == {"r1", "q3"}
