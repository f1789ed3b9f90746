"""Settings of detection are checked whole, hold no secrets, and a mistake is told in one line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crucible_collector.detect.detector import Severity
from crucible_collector.detect.detectors import DETECTORS
from crucible_collector.detect.settings import DETECTOR_NAMES, RULES_MAX, Detection
from crucible_collector.detect.webhooks import Format, Webhook
from crucible_collector.errors import SettingsError

OPS = {"name": "ops", "url": "http://127.0.0.1:9/alerts"}
EVERYTHING: dict[str, Any] = {
    "enabled": False,
    "series_max": 5000,
    "rules": [
        {
            "name": "queue",
            "metrics": ["queue.*", "*"],
            "events": ["crucible_train.batch"],
            "experiments": ["sweep"],
            "runs": ["run-1"],
            "services": ["gateway"],
            "conditions": ["lr=1e-3"],
            "models": ["large"],
            "attributes": {"region": "eu"},
            "watch": True,
            "class": "trend",
            "detectors": ["zscore", "iqr"],
            "scale": "log",
            "direction": "both",
            "sensitivity": 0.5,
            "severity_min": "warning",
            "silenced": True,
            "sample_more": False,
            "webhooks": [],
        }
    ],
    "webhooks": [
        {
            "name": "chat",
            "url_env": "CHAT_URL",
            "format": "slack",
            "secret_env": "CHAT_KEY",
            "severity_min": "critical",
            "group_s": 10,
            "per_minute_max": 6,
            "give_up_after_s": 600,
            "tells_resolved": False,
        }
    ],
}


def complaint(value: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        Detection.parse(value)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_without_settings_all_is_watched_and_nobody_is_alerted() -> None:
    detection = Detection.parse({})
    assert detection == Detection.parse("{}")
    assert (detection.enabled, detection.rules, detection.webhooks) == (True, (), ())


@pytest.mark.parametrize("told", [{}, EVERYTHING, {"rules": [{}], "webhooks": [OPS]}])
def test_the_canonical_form_says_the_same_and_spells_out_every_default(
    told: dict[str, Any],
) -> None:
    detection = Detection.parse(told)
    form = detection.as_json()
    assert Detection.parse(form) == Detection.parse(json.dumps(form)) == detection
    assert Detection.parse(form).digest() == detection.digest()
    assert {"enabled", "series_max", "rules", "webhooks"} == form.keys()
    assert all("severity_min" in each for each in form["rules"] + form["webhooks"])


def test_every_setting_that_is_told_is_in_the_canonical_form() -> None:
    form = Detection.parse(EVERYTHING).as_json()
    assert form["rules"] == [EVERYTHING["rules"][0] | {"metrics": ["queue", "*"]}]
    assert form["webhooks"] == [EVERYTHING["webhooks"][0] | {"url": ""}]
    assert (form["enabled"], form["series_max"]) == (False, 5000)


def test_webhooks_come_out_as_the_rest_of_the_collector_has_them() -> None:
    chat, ops = Detection.parse({"webhooks": [*EVERYTHING["webhooks"], OPS]}).webhooks
    severity = Severity.CRITICAL
    assert chat == Webhook(
        "chat", "", "CHAT_URL", Format.SLACK, "CHAT_KEY", severity, 10.0, 6.0, 600.0, False
    )
    assert ops == Webhook("ops", "http://127.0.0.1:9/alerts")


def test_equal_settings_have_one_digest_however_they_are_written() -> None:
    short = {"rules": [{"metrics": ["queue.*"]}]}
    long = {"enabled": True, "rules": [{"name": "rule-1", "metrics": ["queue"], "runs": []}]}
    assert Detection.parse(short).digest() == Detection.parse(long).digest()
    assert Detection.parse(short).digest() != Detection.parse({}).digest()


def test_every_detector_and_no_other_can_be_named_in_a_rule() -> None:
    assert set(DETECTOR_NAMES) == set(DETECTORS)


def test_what_has_no_name_has_that_of_its_place() -> None:
    url = {"url": "https://example.org"}
    detection = Detection.parse({"rules": [{}, {"name": "a"}, {}], "webhooks": [url, OPS]})
    assert [each.name for each in detection.rules] == ["rule-1", "a", "rule-3"]
    assert [each.name for each in detection.webhooks] == ["webhook-1", "ops"]


def test_settings_that_are_in_force_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Detection.parse({}).enabled = False


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"name": "a", "metric": ["loss"]}, "rule a: metric: unknown setting; metrics is one"),
        ({"clas": "trend"}, "rule rule-1: clas: unknown setting; class is one"),
        ({"watch_class": "trend"}, "watch_class: unknown setting; known are name, metrics"),
        ({"class": "trned"}, "class = 'trned': input should be 'trend', 'throughput', 'learning_rate' or"),
        ({"detectors": ["ewmaa"]}, "detectors.0 = 'ewmaa': input should be 'non_finite', 'ewma'"),
        ({"detectors": []}, "detectors = []: expected at least one, each once"),
        ({"detectors": ["iqr", "iqr"]}, "expected at least one, each once"),
        ({"sensitivity": 0}, "sensitivity = 0: input should be greater than 0"),
        ({"sensitivity": -1}, "sensitivity = -1: input should be greater than 0"),
        ({"sensitivity": float("nan")}, "sensitivity = nan"),
        ({"direction": "sideways"}, "direction = 'sideways': input should be 'up', 'down' or 'both'"),
        ({"scale": "cubic"}, "scale = 'cubic': input should be 'linear' or 'log'"),
        ({"severity_min": "bad"}, "severity_min = 'bad': input should be 'info', 'warning' or 'critical'"),
        ({"metrics": ["a b"]}, "metrics.0 = 'a b': 'a b' is neither a metric's name nor its beginning"),
        ({"metrics": ["a*b"]}, "neither a metric's name"),
        ({"events": ["*"]}, "events.0 = '*': '*' is neither an event's name"),
        ({"metrics": "loss"}, "metrics = 'loss': expected a list"),
        ({"attributes": {"a": 3}}, "attributes.a = 3: input should be a valid string"),
        ({"watch": False, "scale": "log"}, "watch = false leaves nothing to say about scale"),
        ({"webhooks": ["chat"]}, "rule rule-1: webhooks = 'chat': expected one of ops"),
        (3, "rule rule-1: expected a table"),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_told_with_its_name_its_key_and_what_is_accepted(
    rule: Any, said: str
) -> None:
    line = complaint({"rules": [rule], "webhooks": [OPS]})
    assert line.startswith("detection")
    assert said in line


SECRET = "hush-hush"


@pytest.mark.parametrize(
    ("webhook", "said"),
    [
        ({}, "webhook webhook-1: expected either url or url_env"),
        ({"url": "http://a", "url_env": "A"}, "webhook webhook-1: expected either url or url_env"),
        ({"name": "x", "url": f"ftp://{SECRET}"}, "webhook x: url: expected an address that begins with http://"),
        ({"url": SECRET}, "url: expected an address that begins with http://"),
        ({"url": f"http://{SECRET}:99999/"}, "url: expected an address"),
        ({"url": f"https://[{SECRET}"}, "url: expected an address"),
        ({"url": f"https://ada:{SECRET}@example.org/"}, "name the environment variable that holds it in url_env"),
        ({"url": f"https://hooks.slack.com/services/{SECRET}"}, "this address is a secret"),
        ({"url_env": f"https://{SECRET}"}, "url_env: expected the name of an environment variable"),
        ({"url_env": "A", "secret_env": f"{SECRET}!"}, "secret_env: expected the name of an environment variable"),
        ({"url_env": "A", "secret": SECRET}, "secret: unknown setting; secret_env is one"),
        ({"url_env": "A", "format": "pager"}, "format = 'pager': input should be 'json', 'slack' or 'alertmanager'"),
        ({"url_env": "A", "per_minute_max": 0}, "per_minute_max = 0: input should be greater than 0"),
    ],
)  # fmt: skip
def test_a_wrong_webhook_is_told_without_what_may_be_secret(
    webhook: dict[str, Any], said: str
) -> None:
    line = complaint({"webhooks": [webhook]})
    assert line.startswith("detection webhook ")
    assert said in line
    assert SECRET not in line


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{", "detection: not JSON"),
        ("[" * 100_000, "detection: not JSON"),
        ("[]", "detection = []: expected a table"),
        ({"rules": 3}, "detection: rules = 3: expected a list"),
        ({"serie_max": 3}, "serie_max: unknown setting; series_max is one"),
        ({"series_max": 3}, "series_max = 3: input should be greater than or equal to 1000"),
        ({"rules": [{"name": "x"}] * 2}, "two rules are named 'x'"),
        ({"webhooks": [OPS] * 2}, "two webhooks are named 'ops'"),
        ({"rules": [{"webhooks": ["ops"]}]}, "webhooks = 'ops': expected none, as there is none"),
        ({"rules": [{}] * (RULES_MAX + 1)}, "should have at most 100 items"),
    ],
)
def test_what_is_wrong_as_a_whole_is_told_too(value: Any, said: str) -> None:
    assert said in complaint(value)
