"""What the doctor says of detection."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from crucible_collector.detect.settings import Detection
from crucible_collector.store.examine_detection import detection
from crucible_collector.store.versions import DETECTION, Connection

CHAT = {"name": "chat", "url_env": "CHAT_URL", "secret_env": "CHAT_KEY"}
OPS = {"name": "ops", "url": "http://127.0.0.1:9/"}


@pytest.fixture
def connection(plain_database: str) -> Iterator[Connection]:
    with psycopg.connect(plain_database, autocommit=True) as opened:
        yield opened


def have(connection: Connection, **told: Any) -> int:
    settings = Detection.parse(told)
    return DETECTION.put(connection, settings.as_json(), settings.digest())


def test_without_settings_the_registry_is_said_to_hold(connection: Connection) -> None:
    [finding] = detection(connection, {})
    assert (finding.check, finding.level) == ("detection", "ok")
    assert finding.says == "no settings: what the registry marks is watched, and nobody is alerted"


def test_what_is_in_force_is_told(connection: Connection) -> None:
    version = have(connection, rules=[{}, {}])
    [finding] = detection(connection, {})
    assert finding.says == f"version {version} is in force with 2 rules and nobody to alert"
    version = have(connection, rules=[{}], webhooks=[OPS])
    [told] = detection(connection, {})
    assert told.says == f"version {version} is in force with 1 rule and 1 webhook"
    version = have(connection, enabled=False)
    [finding] = detection(connection, {})
    assert finding.says == f"version {version} is in force, by which nothing is watched"


def test_webhooks_whose_variables_are_not_set_are_told_by_name(connection: Connection) -> None:
    version = have(connection, webhooks=[CHAT, OPS])
    told, warning = detection(connection, {"CHAT_KEY": "hush", "CHAT_URL": ""})
    assert told.says == f"version {version} is in force with 0 rules and 2 webhooks"
    assert warning.level == "warning"
    assert warning.says == "webhook chat: CHAT_URL not set in this environment"
    [told] = detection(connection, {"CHAT_KEY": "hush", "CHAT_URL": "http://127.0.0.1:9/"})
    assert told.level == "ok"


def test_settings_of_a_newer_collector_are_wrong(connection: Connection) -> None:
    DETECTION.put(connection, {"rules": [{"detectors": ["clairvoyant"]}]}, uuid.uuid4())
    [finding] = detection(connection, {})
    assert finding.level == "wrong"
    assert "clairvoyant" in finding.says
