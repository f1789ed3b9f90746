"""Settings of detection over REST: what is in force, how it is changed, and what is watched by it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from crucible_collector.api import api_server, create_app
from crucible_collector.api.detection import DetectionSettings, DetectionVersion, Watching
from crucible_collector.api.models import Failure, One, Page
from crucible_collector.detect.engine import Use
from crucible_collector.detect.settings import Detection
from crucible_collector.store.connect import ingest_connection, reader_pool
from crucible_collector.store.read import Reader
from crucible_collector.store.versions import DETECTION
from stored import Health, Switched

SETTINGS, WATCHES = "/api/v1/anomalies/settings", "/api/v1/anomalies/watches"
QUIET = {"name": "quiet", "runs": ["run-1"], "silenced": True}
CHAT = {"name": "chat", "url_env": "CHAT_URL"}
MODELS: dict[str, TypeAdapter[Any]] = {
    SETTINGS: TypeAdapter(One[DetectionSettings]),
    f"{SETTINGS}/history": TypeAdapter(Page[DetectionVersion]),
    WATCHES: TypeAdapter(One[Watching]),
}


@dataclass
class Here:
    """A collector whose engine a test makes up, and whose database is real."""

    dsn: str = ""
    version: int = 0
    use: Use = field(default_factory=Use)

    def detection_version(self) -> int:
        return self.version

    def detection_use(self) -> Use:
        return self.use

    def put_detection(
        self, detection: Detection, changed_by: str, reason: str, follows: int | None
    ) -> int:
        with ingest_connection(self.dsn) as connection:
            return DETECTION.put(
                connection,
                detection.as_json(),
                detection.digest(),
                changed_by=changed_by,
                reason=reason,
                follows=follows,
            )


@dataclass
class Asked:
    client: httpx.Client
    here: Here

    def get(self, path: str = SETTINGS, **parameters: Any) -> Any:
        answer = self.client.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        MODELS[path].validate_json(answer.content, strict=True)
        return answer.json()

    def put(self, body: Any) -> httpx.Response:
        return self.client.put(SETTINGS, json=body)

    def refused(self, status: int, body: Any) -> str:
        answer = self.put(body)
        assert answer.status_code == status, answer.text
        return Failure.model_validate(answer.json()).error.message

    def watches(self, **filters: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(WATCHES, **filters)["data"]["watches"]
        return found


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Switched, Here, str]]:
    reads, here = Switched(), Here()
    server = api_server(create_app(reads, Health(), detects=here), stop_grace_s=1)
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


def test_at_first_the_defaults_are_in_force_and_nobody_said_so(asked: Asked) -> None:
    asked.here.use = Use(12, 3600, 1, 1000, 4, 0)
    assert asked.get()["data"] == {
        "version": 0,
        "origin": None,
        "changed_at": None,
        "changed_by": "",
        "reason": "",
        "settings": {"enabled": True, "series_max": 200_000, "rules": [], "webhooks": []},
        "collector": {
            "version": 0,
            "series_count": 12,
            "memory_bytes": 3600,
            "evicted_count": 1,
            "value_count": 1000,
            "late_count": 4,
            "unstored_count": 0,
        },
    }
    assert asked.get(f"{SETTINGS}/history")["data"] == []


def test_settings_are_put_in_force_and_told_with_every_default(asked: Asked) -> None:
    body = {"rules": [QUIET], "webhooks": [CHAT]}
    answer = asked.put({**body, "changed_by": "ada", "reason": "I know"})
    assert answer.status_code == 200
    TypeAdapter(One[DetectionVersion]).validate_json(answer.content, strict=True)
    told = answer.json()["data"]
    assert (told["origin"], told["changed_by"], told["reason"]) == ("api", "ada", "I know")
    assert told["settings"] == Detection.parse(body).as_json()
    in_force = asked.get()["data"]
    del in_force["collector"]
    assert in_force == told


def test_what_was_read_can_be_changed_and_put_back_unless_somebody_was_faster(
    asked: Asked,
) -> None:
    asked.put({"rules": [QUIET]})
    read = asked.get()["data"]
    settings = {**read["settings"], "enabled": False, "version": read["version"]}
    changed = asked.put(settings).json()["data"]
    assert changed["settings"]["enabled"] is False
    message = asked.refused(409, {**settings, "enabled": True})
    assert message.startswith(f"version {changed['version']} is in force, not {read['version']}")
    assert asked.get()["data"]["version"] == changed["version"]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"rules": [{**QUIET, "sensitivity": 0}]}, 422, "detection rule quiet: sensitivity = 0"),
        ({"webhooks": [{"url_env": "A", "secret": "hush"}]}, 422, "secret_env is one"),
        ({"rules": [QUIET], "ruels": []}, 422, "ruels: unknown setting"),
        ({"rules": [QUIET], "version": "1"}, 422, "version: input should be a valid integer"),
        ({"rules": [QUIET], "reason": "a\0b"}, 422, "reason: no stored text has a NUL in it"),
        ({"rules": [{**QUIET, "services": ["\0"]}]}, 422, "the database cannot keep these"),
        ([QUIET], 400, "not a JSON object"),
    ],
)
def test_wrong_settings_are_told_in_one_line_and_change_nothing(
    asked: Asked, body: Any, status: int, says: str
) -> None:
    message = asked.refused(status, body)
    assert says.lower() in message.lower()
    assert "\n" not in message
    assert asked.get()["data"]["version"] == 0


def test_only_json_is_taken(asked: Asked) -> None:
    forged = {"content-type": "text/plain"}
    answer = asked.client.put(SETTINGS, content=json.dumps({"rules": []}), headers=forged)
    assert answer.status_code == 415


def test_every_version_can_be_had_newest_first_page_by_page(asked: Asked) -> None:
    path = f"{SETTINGS}/history"
    versions = [
        asked.put({"rules": [{**QUIET, "runs": [run]}]}).json()["data"]["version"]
        for run in ("a", "b", "c")
    ]
    first = asked.get(path, limit=2)
    rest = asked.get(path, limit=2, cursor=first["meta"]["next_cursor"])
    assert [each["version"] for each in first["data"] + rest["data"]] == versions[::-1]
    assert not rest["meta"]["has_more"]
    assert asked.client.get(path, params={"cursor": "WzEsImEiXQ"}).status_code == 422


def test_what_the_registry_marks_is_told_with_its_detectors(asked: Asked) -> None:
    everything = asked.watches()
    assert {each["source"] for each in everything} == {
        "point", "span", "duration", "status", "step", "metric",
    }  # fmt: skip
    assert all(each["is_watched"] and each["rule"] is None for each in everything)
    [loss] = asked.watches(event="crucible_train.batch.stop", metric="loss")
    assert loss == {
        "source": "point",
        "event": "crucible_train.batch.stop",
        "metric": "loss",
        "rule": None,
        "when": {},
        "is_watched": True,
        "watch_class": "trend",
        "detectors": ["non_finite", "ewma", "drift", "plateau"],
        "scale": "log",
        "direction": "up",
        "sensitivity": 1.0,
        "severity_min": "info",
        "is_silenced": False,
        "samples_more": True,
        "webhooks": [],
    }
    [unknown] = asked.watches(metric="queue.length")
    assert (unknown["source"], unknown["event"], unknown["is_watched"]) == ("metric", None, False)
    lengths, errors = asked.watches(event="GET /items")
    assert (lengths["source"], errors["source"]) == ("duration", "status")


def test_rules_stand_in_the_order_in_which_they_decide(asked: Asked) -> None:
    rules = [
        QUIET,
        {"name": "not", "runs": ["run-2"], "metrics": ["loss"], "watch": False},
        {"name": "all", "events": ["crucible_train"], "sensitivity": 2},
        {"name": "never", "models": ["large"]},
    ]
    version = asked.put({"rules": rules, "webhooks": [CHAT]}).json()["data"]["version"]
    assert asked.get(WATCHES)["data"]["version"] == version
    found = asked.watches(event="crucible_train.batch.stop", metric="loss")
    told = [(each["rule"], each["when"], each["is_watched"]) for each in found]
    assert told == [
        ("quiet", {"runs": ["run-1"]}, True),
        ("not", {"runs": ["run-2"]}, False),
        ("all", {}, True),
    ]
    assert found[0]["is_silenced"]
    assert found[1]["detectors"] is None
    assert (found[2]["sensitivity"], found[2]["webhooks"]) == (2.0, ["chat"])
    *_, last = asked.watches(metric="cost_usd")
    assert last["rule"] is None


def test_settings_of_a_newer_collector_are_said_not_to_be_understood(asked: Asked) -> None:
    with ingest_connection(asked.here.dsn) as connection:
        version = DETECTION.put(connection, {"enabled": "perhaps"}, uuid.uuid4())
    assert asked.get()["data"]["settings"] == {"enabled": "perhaps"}
    answer = asked.client.get(WATCHES)
    assert answer.status_code == 422
    message = Failure.model_validate(answer.json()).error.message
    assert message.startswith(f"version {version} is not understood by this collector: detection:")
