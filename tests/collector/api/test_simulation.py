"""Trying sampling rules over REST: what is answered, what is refused, and one at a time."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
import pytest
from pydantic import TypeAdapter

from crucible_collector.api import api_server, create_app
from crucible_collector.api.bodies import BODY_BYTES_MAX
from crucible_collector.api.models import Failure, One
from crucible_collector.api.simulated import Simulated
from crucible_collector.sample.rules import Rules
from crucible_collector.simulate import simulation
from crucible_collector.simulate.simulation import Simulation
from databases import TestServer
from stored import Health, Stored, Switched, at

PATH = "/api/v1/sampling/simulate"
HALF = {"strategy": "uniform", "probability": 0.5}
ANSWER: TypeAdapter[Any] = TypeAdapter(One[Simulated])


def asked(*rules: dict[str, Any], **told: Any) -> dict[str, Any]:
    return {
        "rules": rules,
        "from": at(0).isoformat(),
        "to": at(3600).isoformat(),
        **told,
    }


@contextmanager
def serving(runs: Simulation) -> Iterator[httpx.Client]:
    server = api_server(create_app(Switched(), Health(), simulates=runs), stop_grace_s=1)
    host, port = server.start("127.0.0.1", 0)
    try:
        with httpx.Client(base_url=f"http://{host}:{port}", timeout=60) as client:
            yield client
    finally:
        server.stop()


@pytest.fixture(scope="module")
def dsn(plain_server: TestServer) -> Iterator[str]:
    with plain_server.database() as found:
        with psycopg.connect(found, autocommit=True) as conn:
            for second in range(50):
                Stored(conn).span(time=at(second), event_name="ask", span_id=second)
        yield found


@pytest.fixture(scope="module")
def runs(dsn: str) -> Simulation:
    return Simulation(lambda: dsn)


@pytest.fixture(scope="module")
def client(runs: Simulation) -> Iterator[httpx.Client]:
    with serving(runs) as found:
        yield found


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    error = Failure.model_validate_json(answer.content).error
    return answer.status_code, error.code, error.message


def test_the_answer_is_what_the_page_of_the_api_says(client: httpx.Client) -> None:
    answer = client.post(PATH, json=asked(HALF, experiment=None))
    assert answer.status_code == 200, answer.text
    ANSWER.validate_json(answer.content, strict=True)
    found = answer.json()["data"]
    assert (found["span_count"], found["log_count"], found["is_complete"]) == (50, 0, True)
    assert [each["rule"] for each in found["rules"]] == ["rule-1"]
    assert [each["event"] for each in found["events"]] == [None, "ask"]
    assert found["from_time"] == "2026-11-23T10:00:00.000000000Z"
    # All are of one trace, which is kept or is not.
    assert found["totals"][0]["kept_count"] in {0, 50}


def test_nothing_is_written_and_no_rule_comes_into_force(client: httpx.Client, dsn: str) -> None:
    written = "select count(*) from crucible.sampling_settings"
    client.post(PATH, json=asked(HALF))
    with psycopg.connect(dsn) as conn:
        assert conn.execute(written).fetchone() == (0,)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (asked({"strategy": "uniform", "probability": 2}), "probability = 2"),
        (asked({"strategy": "uniforn"}), "strategy = 'uniforn'"),
        (asked(HALF, budget=1), "budget: unknown setting"),
        ({"rules": []}, "from: field required"),
        (asked(HALF, to="yesterday"), "to: expected a time"),
        (asked(HALF, to=at(-1).isoformat()), "from: expected a time before `to`"),
        (asked(HALF, experiment=7), "experiment: "),
        (asked(HALF, experiment="a\0"), "experiment: no stored text has a NUL"),
    ],
)
def test_what_is_wrong_is_refused_with_one_line(
    client: httpx.Client, body: dict[str, Any], says: str
) -> None:
    status, code, message = refusal(client.post(PATH, json=body))
    assert (status, code) == (422, "invalid_settings")
    assert says in message
    assert "\n" not in message


def test_what_is_no_json_object_is_refused(client: httpx.Client) -> None:
    told = {"Content-Type": "application/json"}
    assert refusal(client.post(PATH, content=b"[", headers=told))[:2] == (400, "malformed")
    assert refusal(client.post(PATH, content=b"[]", headers=told))[:2] == (400, "malformed")
    assert refusal(client.post(PATH, content=b"{}"))[0] == 415
    large = b" " * (BODY_BYTES_MAX + 1)
    assert refusal(client.post(PATH, content=large, headers=told))[:2] == (413, "too_large")


def test_one_runs_at_a_time_and_the_next_is_told_to_come_back(
    client: httpx.Client, runs: Simulation
) -> None:
    with runs.running():
        answer = client.post(PATH, json=asked(HALF))
        assert refusal(answer)[:2] == (503, "overloaded")
        assert int(answer.headers["Retry-After"]) >= 1
    assert client.post(PATH, json=asked(HALF)).status_code == 200


def test_it_is_bounded_and_says_where_it_stopped(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulation, "API_RECORDS_MAX", 20)
    found = client.post(PATH, json=asked(HALF)).json()["data"]
    assert (found["is_complete"], found["span_count"]) == (False, 20)
    assert "20 records" in found["stopped_because"]


def test_a_database_that_is_away_is_said_to_be() -> None:
    with serving(Simulation(lambda: "host=127.0.0.1 port=1")) as client:
        status, code, _ = refusal(client.post(PATH, json=asked(HALF)))
    assert (status, code) == (503, "database_away")


def test_the_same_is_answered_as_on_the_command_line(client: httpx.Client, dsn: str) -> None:
    direct = simulation.simulate(
        dsn, Rules.parse({"rules": [HALF]}), at(0), at(0) + dt.timedelta(hours=1)
    ).as_json()
    asked_for = client.post(PATH, json=asked(HALF)).json()["data"]
    for each in (direct, asked_for):
        del each["took_s"]
    assert asked_for == json.loads(json.dumps(direct))
