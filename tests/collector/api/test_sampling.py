"""Sampling over REST: what is in force, how it is changed, what it saw and kept."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg
import pytest
from pydantic import TypeAdapter

from crucible_collector.api import api_server, create_app
from crucible_collector.api.bodies import BODY_BYTES_MAX
from crucible_collector.api.models import Failure, One, Page
from crucible_collector.api.sampling import Sampling, SamplingCount, SamplingVersion
from crucible_collector.batch import Signal
from crucible_collector.sample.rules import Rules
from crucible_collector.sample.rulings import RuleUse
from crucible_collector.sample.strategy import Use
from crucible_collector.store.connect import ingest_connection, reader_pool
from crucible_collector.store.read import Reader
from crucible_collector.store.sampling import put
from stored import Health, Stored, Switched, at

PATH = "/api/v1/sampling"
HALF = {"strategy": "uniform", "probability": 0.5}
MODELS: dict[str, TypeAdapter[Any]] = {
    "": TypeAdapter(One[Sampling]),
    "/history": TypeAdapter(Page[SamplingVersion]),
    "/ledger": TypeAdapter(Page[SamplingCount]),
}


@dataclass
class Here:
    """A collector whose sampler a test makes up, and whose database is real."""

    dsn: str = ""
    version: int = 0
    use: list[RuleUse] = field(default_factory=list)

    def sampling_version(self) -> int:
        return self.version

    def sampling_use(self) -> Sequence[RuleUse]:
        return self.use

    def forgotten_trace_count(self) -> int:
        return 3

    def put_sampling(self, rules: Rules, changed_by: str, reason: str, follows: int | None) -> int:
        with ingest_connection(self.dsn) as connection:
            return put(
                connection,
                rules.as_json(),
                rules.digest(),
                changed_by=changed_by,
                reason=reason,
                follows=follows,
            )


@dataclass
class Asked:
    client: httpx.Client
    here: Here

    def get(self, path: str = "", **parameters: Any) -> Any:
        named = {name.rstrip("_"): value for name, value in parameters.items()}
        answer = self.client.get(PATH + path, params=named)
        assert answer.status_code == 200, answer.text
        MODELS[path].validate_json(answer.content, strict=True)
        return answer.json()

    def put(self, body: Any) -> httpx.Response:
        return self.client.put(PATH, json=body)

    def refused(self, status: int, body: Any) -> str:
        answer = self.put(body)
        assert answer.status_code == status, answer.text
        return Failure.model_validate(answer.json()).error.message


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Switched, Here, str]]:
    reads, here = Switched(), Here()
    server = api_server(create_app(reads, Health(), None, here), stop_grace_s=1)
    host, port = server.start("127.0.0.1", 0)
    yield reads, here, f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def asked(database: str, served: tuple[Switched, Here, str]) -> Iterator[Asked]:
    reads, here, url = served
    vars(here).update(vars(Here(database)))
    with reader_pool(database) as pool, httpx.Client(base_url=url, timeout=30) as client:
        reads.reads = Reader(pool)
        yield Asked(client, here)


def test_at_first_everything_is_kept_and_nobody_said_so(asked: Asked) -> None:
    assert asked.get()["data"] == {
        "version": 0,
        "origin": None,
        "changed_at": None,
        "changed_by": "",
        "reason": "",
        "settings": {"decision_wait_s": 10.0, "rules": []},
        "collector": {"version": 0, "forgotten_trace_count": 3, "rules": []},
    }
    assert asked.get("/history")["data"] == []
    assert asked.get("/ledger")["data"] == []


def test_rules_are_put_in_force_and_told_with_every_default(asked: Asked) -> None:
    answer = asked.put({"rules": [HALF], "changed_by": "ada", "reason": "the disk fills up"})
    assert answer.status_code == 200
    TypeAdapter(One[SamplingVersion]).validate_json(answer.content, strict=True)
    told = answer.json()["data"]
    assert (told["origin"], told["changed_by"], told["reason"]) == (
        "api",
        "ada",
        "the disk fills up",
    )
    assert told["settings"] == Rules.parse({"rules": [HALF]}).as_json()
    in_force = asked.get()["data"]
    del in_force["collector"]
    assert in_force == told


def test_what_was_read_can_be_changed_and_put_back_unless_somebody_was_faster(asked: Asked) -> None:
    asked.put({"rules": [HALF]})
    read = asked.get()["data"]
    settings = {**read["settings"], "decision_wait_s": 5.0, "version": read["version"]}
    changed = asked.put(settings).json()["data"]
    assert changed["settings"]["decision_wait_s"] == 5.0
    message = asked.refused(409, {**settings, "decision_wait_s": 2.0})
    assert message.startswith(f"version {changed['version']} is in force, not {read['version']}")
    assert asked.get()["data"]["version"] == changed["version"]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"rules": [{**HALF, "probability": 0}]}, 422, "sampling rule rule-1: probability = 0"),
        ({"rules": [{"strategy": "unifrom"}]}, 422, "unifrom"),
        ({"rules": [HALF], "ruels": []}, 422, "ruels: unknown setting"),
        ({"rules": [HALF], "version": "1"}, 422, "version: input should be a valid integer"),
        ({"rules": [HALF], "version": -1}, 422, "version: input should be greater than"),
        ({"rules": [HALF], "reason": "a\0b"}, 422, "reason: no stored text has a NUL in it"),
        ({"rules": [HALF], "changed_by": "x" * 1025}, 422, "changed_by: at most 1024"),
        ({"rules": [{**HALF, "services": ["\0"]}]}, 422, "the database cannot keep these"),
        ([HALF], 400, "not a JSON object"),
        ({"rules": ["x" * BODY_BYTES_MAX]}, 413, "larger than"),
    ],
)
def test_wrong_rules_are_told_in_one_line_and_change_nothing(
    asked: Asked, body: Any, status: int, says: str
) -> None:
    message = asked.refused(status, body)
    assert says.lower() in message.lower()
    assert "\n" not in message
    assert asked.get()["data"]["version"] == 0


def test_only_json_is_taken(asked: Asked) -> None:
    text = json.dumps({"rules": [HALF]})
    assert asked.client.put(PATH, content=text).status_code == 415
    forged = {"content-type": "text/plain"}
    assert asked.client.put(PATH, content=text, headers=forged).status_code == 415
    named = {"content-type": "application/json; charset=utf-8"}
    assert asked.client.put(PATH, content=text, headers=named).status_code == 200
    assert asked.client.put(PATH, content="{", headers=named).status_code == 400
    assert asked.client.put(PATH, content="[" * 100_000, headers=named).status_code == 400


def test_every_version_can_be_had_newest_first_page_by_page(asked: Asked) -> None:
    versions = [
        asked.put({"rules": [{**HALF, "probability": p}]}).json()["data"]["version"]
        for p in (0.5, 0.25, 0.125)
    ]
    first = asked.get("/history", limit=2)
    rest = asked.get("/history", limit=2, cursor=first["meta"]["next_cursor"])
    told = first["data"] + rest["data"]
    assert [each["version"] for each in told] == versions[::-1]
    assert not rest["meta"]["has_more"]
    assert told[-1]["settings"]["rules"][0]["probability"] == 0.5


def test_each_rule_says_how_it_does_in_this_collector(asked: Asked) -> None:
    budget = {"name": "afford", "strategy": "importance", "budget_per_s": 200}
    version = asked.put({"rules": [budget]}).json()["data"]["version"]
    asked.here.version = version
    asked.here.use = [
        RuleUse("afford", Signal.TRACES, Use(200.0, 180.5, 12, 1), 1000, 20, 50.0),
        RuleUse("gone", Signal.LOGS, Use(), 0, 0, 1.0),
    ]
    told = asked.get()["data"]["collector"]
    afford, gone = told["rules"]
    assert told["version"] == version
    assert afford == {
        "rule": "afford",
        "signal": "spans",
        "strategy": "importance",
        "seen_count": 1000,
        "kept_count": 20,
        "kept_share": 0.02,
        "weight_mean": 50.0,
        "budget_per_s": 200.0,
        "spent_per_s": 180.5,
        "stratum_count": 12,
        "evicted_count": 1,
    }
    assert (gone["strategy"], gone["kept_share"], gone["weight_mean"]) == (None, None, None)


def fill(dsn: str) -> None:
    """Two collectors' counts of two rules over two hours."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        stored = Stored(conn)
        for number, journal in enumerate(("a" * 32, "b" * 32)):
            for minute in (0, 1, 61):
                told = {"journal_id": journal, "time": at(60 * minute), "rule": "thin"}
                counts = {"seen_count": 100, "error_seen_count": 2, "error_kept_count": 1}
                kept = {"kept_count": 10, "weight_sum": 95.0, "probability_min": 0.1 / (1 + number)}
                stored.insert(
                    "sampling_ledger",
                    {**told, "signal": "spans", "stratum": "ok", **counts, **kept},
                )
        told = {"journal_id": "a" * 32, "time": at(0), "rule": "logs", "signal": "log_records"}
        stored.insert("sampling_ledger", {**told, "seen_count": 5})


def test_the_ledger_adds_up_over_collectors_also_where_nothing_was_kept(
    asked: Asked, database: str
) -> None:
    fill(database)
    nothing, some = asked.get("/ledger")["data"]
    assert some == {
        "time": None,
        "rule": "thin",
        "signal": "spans",
        "stratum": "ok",
        "seen_count": 600,
        "kept_count": 60,
        "kept_share": 0.1,
        "weight_sum": 570.0,
        "weight_mean": 9.5,
        "probability_min": 0.05,
        "error_seen_count": 12,
        "error_kept_count": 6,
        "error_probability_min": 1.0,
    }
    assert (nothing["rule"], nothing["kept_share"], nothing["weight_mean"]) == ("logs", 0.0, None)


def test_the_ledger_is_told_by_time_rule_and_signal_page_by_page(
    asked: Asked, database: str
) -> None:
    fill(database)
    seen = []
    cursor: dict[str, str] = {}
    while True:
        page = asked.get("/ledger", interval="1h", limit=1, **cursor)
        seen += [(row["time"], row["rule"], row["seen_count"]) for row in page["data"]]
        if not page["meta"]["has_more"]:
            break
        cursor = {"cursor": page["meta"]["next_cursor"]}
    assert seen == [
        ("2026-11-23T10:00:00.000000000Z", "logs", 5),
        ("2026-11-23T10:00:00.000000000Z", "thin", 400),
        ("2026-11-23T11:00:00.000000000Z", "thin", 200),
    ]
    assert asked.get("/ledger", limit=1)["data"][0]["rule"] == "logs"
    [hour] = asked.get("/ledger", from_=at(60).isoformat(), to=at(120).isoformat())["data"]
    assert hour["seen_count"] == 200
    [logs] = asked.get("/ledger", signal="log_records")["data"]
    assert logs["rule"] == "logs"
    assert asked.get("/ledger", rule="thin", interval="1d")["data"][0]["seen_count"] == 600


@pytest.mark.parametrize("path", ["/history", "/ledger"])
def test_a_cursor_of_another_list_is_refused(asked: Asked, path: str) -> None:
    for cursor in ("x", "WzEsImEiXQ", "WzEsImEiLCJiIiwiYyIsImQiXQ"):
        answer = asked.client.get(PATH + path, params={"cursor": cursor})
        assert answer.status_code == 422, answer.text
