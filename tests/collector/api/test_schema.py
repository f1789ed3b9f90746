"""The registry as it is served: all of it, true to the one that is in force, and cheap to ask again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema
import pytest

import crucible_schema
from crucible_collector.api import api_server, create_app
from crucible_collector.api.models import Failure, One
from crucible_collector.api.registry import EventDescription, Registry
from stored import Health, NoDatabase

PATH = "/api/v1/schema"


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    server = api_server(create_app(NoDatabase(), Health()), stop_grace_s=1)
    host, port = server.start("127.0.0.1", 0)
    try:
        with httpx.Client(base_url=f"http://{host}:{port}", timeout=30) as client:
            yield client
    finally:
        server.stop()


@pytest.fixture(scope="module")
def registry(client: httpx.Client) -> dict[str, Any]:
    response = client.get(PATH)
    One[Registry].model_validate_json(response.content)
    found: dict[str, Any] = response.json()["data"]
    return found


def test_every_event_and_metric_is_there(registry: dict[str, Any]) -> None:
    assert [event["name"] for event in registry["events"]] == sorted(crucible_schema.EVENTS)
    assert {metric["name"] for metric in registry["metrics"]} == set(crucible_schema.METRICS)


def test_an_event_says_what_it_measures_and_how_that_is_watched(registry: dict[str, Any]) -> None:
    (epoch,) = (e for e in registry["events"] if e["name"] == "crucible_train.epoch.stop")
    assert (epoch["kind"], epoch["phase"], epoch["span_name"]) == (
        "span",
        "stop",
        "crucible_train.epoch",
    )
    (loss,) = (each for each in epoch["measurements"] if each["name"] == "loss")
    assert (loss["unit"], loss["type"], loss["lower_is_better"], loss["is_series"]) == (
        "1",
        "double",
        True,
        True,
    )
    assert loss["watch"] == {"watch_class": "trend", "scale": "log"}
    assert loss["fields"][:2] == ["loss", "epoch_loss"]
    attributes = {each["key"]: each for each in epoch["attributes"]}
    assert attributes["crucible.run.id"]["fields"] == ["run_id"]
    assert attributes["crucible.epoch"]["type"] == "int"
    assert epoch["duration"]["unit"] == "ns"


def test_aliases_are_those_in_force_and_have_a_version(registry: dict[str, Any]) -> None:
    found = registry["aliases"]
    assert found["version"] == crucible_schema.ALIASES_VERSION
    assert found["events"] == dict(crucible_schema.EVENT_ALIASES)
    for key, alias in found["attributes"].items():
        assert crucible_schema.ATTRIBUTE_ALIASES[key].key == alias["key"]
    for alias in found["measurements"]:
        event = alias["event"] or ""
        assert crucible_schema.canonical_measurement(event, alias["name"]) == alias["measurement"]


def test_its_json_schema_takes_an_event_and_refuses_what_is_none(registry: dict[str, Any]) -> None:
    schema = jsonschema.Draft202012Validator(registry["json_schema"])
    event = {
        "event_name": ["crucible_train", "epoch", "stop"],
        "measurements": {"loss": 0.5, "duration": 7},
        "metadata": {"run_id": "r", "epoch": 3},
        "timestamp": 1_795_428_000_000_000,
    }
    assert schema.is_valid(event)
    assert not schema.is_valid({**event, "measurements": {"loss": "low"}})
    assert not schema.is_valid({"measurements": {}})


@pytest.mark.parametrize("name", ["crucible_train.epoch.stop", "crucible_kitchen.training.epoch"])
def test_one_event_is_found_by_its_name_and_by_an_alias(client: httpx.Client, name: str) -> None:
    response = client.get(f"{PATH}/events/{name}")
    found = One[EventDescription].model_validate_json(response.content)
    assert found.data.name == "crucible_train.epoch.stop"


def test_an_event_that_nobody_knows_is_not_found(client: httpx.Client) -> None:
    response = client.get(f"{PATH}/events/no.such.event")
    assert response.status_code == 404
    assert Failure.model_validate_json(response.content).error.code == "not_found"


@pytest.mark.parametrize("path", [PATH, f"{PATH}/events/crucible_train.epoch.stop"])
def test_what_has_not_changed_is_not_sent_again(client: httpx.Client, path: str) -> None:
    first = client.get(path)
    etag = first.headers["etag"]
    again = client.get(path, headers={"if-none-match": f'"other", W/{etag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert client.get(path, headers={"if-none-match": '"other"'}).status_code == 200


def test_it_is_packed_for_who_can_unpack(client: httpx.Client) -> None:
    packed = client.get(PATH, headers={"accept-encoding": "gzip"})
    plain = client.get(PATH, headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 10
