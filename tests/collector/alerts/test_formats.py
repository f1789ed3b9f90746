"""What receivers get: as its documentation says, whoever they are, whatever names people choose."""

from __future__ import annotations

import datetime as dt
import json
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from collector.alerts.receiving import GROUP_S, T0, Outgoing, Receiver, hook
from crucible_collector.alerts.formats import (
    ALERTMANAGER_FIRING_FOR,
    SLACK_BLOCKS_CHARACTERS_MAX,
    SLACK_SECTION_CHARACTERS_MAX,
    body_of,
    escaped,
)
from crucible_collector.alerts.message import Message, compose
from crucible_collector.alerts.sender import ALERTS_MAX
from crucible_collector.alerts.signature import signature
from crucible_collector.detect.webhooks import Format
from crucible_collector.store.causes import Cause
from crucible_collector.store.outbox import Due

GUIDE = (Path(__file__).parents[3] / "collector" / "README.md").read_text()
CAUSE = Cause("learning_rate", "e", None, 0.05, float("nan"), 811, "2026-11-23T10:00:00Z", 1000.0)

# postableAlerts of Alertmanager's api/v2/openapi.yaml.
LABEL_SET = {
    "type": "object",
    "additionalProperties": {"type": "string", "minLength": 1},
    "propertyNames": {"pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$"},
}
POSTABLE_ALERTS = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "labels": {**LABEL_SET, "required": ["alertname"]},
            "annotations": LABEL_SET,
            "startsAt": {"type": "string", "format": "date-time"},
            "endsAt": {"type": "string", "format": "date-time"},
            "generatorURL": {"type": "string", "format": "uri"},
        },
        "required": ["labels"],
        "additionalProperties": False,
    },
}
# What Slack says of the body of an incoming webhook, and of section blocks.
SLACK_MESSAGE = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "maxLength": 40_000},
        "blocks": {
            "type": "array",
            "maxItems": 50,
            "items": {
                "type": "object",
                "properties": {
                    "type": {"const": "section"},
                    "text": {
                        "type": "object",
                        "properties": {
                            "type": {"const": "mrkdwn"},
                            "text": {"type": "string", "minLength": 1, "maxLength": 3000},
                            "verbatim": {"type": "boolean"},
                        },
                        "required": ["type", "text"],
                        "additionalProperties": False,
                    },
                },
                "required": ["type", "text"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["text"],
    "additionalProperties": False,
}


def due(alert_id: int = 1, **columns: Any) -> Due:
    """A claimed alert; a test names what matters."""
    told: dict[str, Any] = {
        "alert_id": alert_id,
        "kind": "firing",
        "created_at": T0,
        "attempt_count": 1,
        "period_id": uuid.UUID(int=alert_id),
        "severity": "warning",
        "state": "active",
        "state_reason": None,
        "metric": "loss",
        "detector": "ewma",
        "event_name": "crucible_train.batch.stop",
        "experiment_id": "sweep",
        "run_id": "r",
        "condition": None,
        "model": None,
        "rule": "",
        "started_at": T0,
        "ended_at": None,
        "last_flag_at": T0,
        "flag_count": 1,
        "first_step": 812,
        "last_step": 812,
        "first_value": 12.3,
        "peak_at": T0,
        "peak_score": 5.2,
        "peak_value": 12.3,
        "peak_expected": 0.5,
        "peak_lower": 0.41,
        "peak_upper": 0.62,
        "trace_id": uuid.UUID(int=7),
        "span_id": -1,
        "unit": None,
        **columns,
    }
    return Due(**told)


def message(*alerts: Due) -> Message:
    causes = {alert.period_id: [CAUSE] for alert in alerts if alert.kind == "firing"}
    return compose("hook", alerts, causes, "http://crucible:8080")


def sent(form: Format, *alerts: Due, now: dt.datetime = T0) -> Any:
    return json.loads(body_of(message(*alerts), form, now))


OVER: dict[str, Any] = {
    "kind": "resolved",
    "state_reason": "the series is back",
    "ended_at": T0 + dt.timedelta(seconds=75),
    "flag_count": 14,
}


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({}, "loss of run r is 12.3 at step 812, expected 0.41 to 0.62 (ewma, score 5.2)"),
        ({"peak_lower": None}, "loss of run r is 12.3 at step 812, expected at most 0.62 (ewma, score 5.2)"),
        (
            {"peak_upper": None, "unit": "ms", "first_step": None},
            "loss of run r is 12.3 ms at 2026-11-23 10:00:00 UTC, expected at least 0.41 (ewma, score 5.2)",
        ),
        (
            {"peak_at": T0 + dt.timedelta(seconds=1), "peak_lower": None, "peak_upper": None},
            "loss of run r has reached 12.3, flagged from step 812 on, expected about 0.5 (ewma, score 5.2)",
        ),
        (
            {
                "peak_value": float("nan"), "peak_score": float("inf"), "detector": "non_finite",
                "peak_lower": None, "peak_upper": None, "peak_expected": None,
            },
            "loss of run r is nan at step 812 (non_finite)",
        ),
        (
            {"run_id": None, "metric": "duration_ms", "event_name": "ask", "model": "m"},
            "duration_ms of ask, model m, experiment sweep is 12.3 at step 812, expected 0.41 to 0.62 (ewma, score 5.2)",
        ),
        (
            {"run_id": None, "event_name": None, "experiment_id": None},
            "loss is 12.3 at step 812, expected 0.41 to 0.62 (ewma, score 5.2)",
        ),
        (
            {"peak_value": None, "metric": "heartbeat", "detector": "stall"},
            "heartbeat of run r has stopped, as was noticed at 2026-11-23 10:00:00 UTC (stall, score 5.2)",
        ),
        (OVER, "loss of run r is back after 1 min 15 s and 14 flags, at worst 12.3 (ewma)"),
        (
            {**OVER, "state_reason": "the run has ended", "peak_value": float("nan"), "detector": "non_finite"},
            "loss of run r was anomalous for 1 min 15 s, 14 flags, at worst nan; the run has ended (non_finite)",
        ),
        (
            {"metric": "accuracy", "detector": "drift", "peak_value": 0.6, "peak_lower": 0.8, "peak_upper": None},
            "accuracy of run r has a mean of 0.6 at step 812, expected at least 0.8 (drift, score 5.2)",
        ),
        (
            {"detector": "plateau", "peak_lower": None, "peak_upper": None},
            "loss of run r had not got better for long at step 812, a mean of 0.5 (plateau, score 5.2)",
        ),
        (
            {**OVER, "ended_at": T0 + dt.timedelta(hours=2, minutes=3), "flag_count": 1},
            "loss of run r is back after 2 h 3 min and 1 flag, at worst 12.3 (ewma)",
        ),
    ],
)  # fmt: skip
def test_one_sentence_says_what_happened(columns: dict[str, Any], says: str) -> None:
    assert message(due(**columns)).told[0].says == says


def test_json_has_every_key_that_the_guide_names_and_no_other() -> None:
    document = sent(Format.JSON, due(peak_value=float("inf")), due(2, **OVER))
    section = GUIDE.partition("**JSON**")[2].partition("**Slack**")[0]

    def named(row: str) -> set[str]:
        (cells,) = re.findall(rf"^\| {row} \|(.*)\|$", section, re.MULTILINE)
        return set(re.findall(r"`(\w+)`", cells))

    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", section, re.MULTILINE)
    assert set(document) == set(re.findall(r"`(\w+)`", " ".join(rows)))
    alert = document["alerts"][0]
    assert set(alert) == named("`alerts`") | {"period", "causes", "links"}
    assert set(alert["period"]) == named("… `period`")
    assert set(alert["causes"][0]) == named("… `causes`")
    assert set(alert["links"]) == named("… `links`")


def test_json_spells_numbers_times_and_ids_as_the_api_does() -> None:
    document = sent(Format.JSON, due(peak_value=float("inf"), run_id="a/b c"))
    alert = document["alerts"][0]
    assert document["version"] == 1
    assert alert["period"]["peak_value"] == "Infinity"
    assert alert["causes"][0]["after"] == "NaN"
    assert alert["period"]["started_at"] == "2026-11-23T10:00:00Z"
    assert alert["period"]["span_id"] == "f" * 16
    assert alert["period"]["trace_id"] == f"{7:032x}"
    assert alert["links"] == {
        "period": f"http://crucible:8080/api/v1/anomalies/periods/{uuid.UUID(int=1)}",
        "run": "http://crucible:8080/#/runs/a%2Fb%20c",
    }


def test_a_message_goes_on_while_anything_in_it_does() -> None:
    begun, over = due(), due(2, **OVER)
    assert sent(Format.JSON, begun, over)["status"] == "firing"
    assert sent(Format.JSON, over)["status"] == "resolved"
    ended = replace(due(3, **OVER), period_id=begun.period_id)
    assert sent(Format.JSON, begun, ended)["status"] == "resolved"


def test_slack_takes_it_whatever_people_call_their_runs() -> None:
    hostile = "<!channel> & <https://example.org|x>"
    document = sent(Format.SLACK, due(run_id=hostile))
    jsonschema.validate(document, SLACK_MESSAGE)
    text = document["blocks"][0]["text"]["text"]
    assert "<!channel>" not in text
    assert "&lt;!channel&gt; &amp; " in text
    assert ":large_orange_circle: *warning* loss of run" in text
    assert "before that, learning_rate became nan at step 811" in text
    assert f"/periods/{uuid.UUID(int=1)}|period>" in text
    assert ":white_check_mark: *resolved*" in json.dumps(sent(Format.SLACK, due(**OVER)))


@pytest.mark.parametrize("count", [1, ALERTS_MAX])
def test_slack_takes_the_longest_that_there_can_be(count: int) -> None:
    longest = {"run_id": "<" * 256, "metric": "&" * 256, "unit": ">" * 2000}
    document = sent(Format.SLACK, *(due(number, **longest) for number in range(1, count + 1)))
    jsonschema.validate(document, SLACK_MESSAGE)
    texts = [block["text"]["text"] for block in document["blocks"]]
    assert len(texts) == count
    assert sum(map(len, texts)) <= SLACK_BLOCKS_CHARACTERS_MAX
    assert all(re.search(r"&(?!(amp|lt|gt);)", text) is None for text in texts)


def test_what_is_cut_ends_with_a_mark_and_in_no_half_of_an_escape() -> None:
    assert escaped("a<b", 99) == "a&lt;b"
    assert escaped("a<b", 6) == "a&lt;b"
    assert escaped("a<bc", 6) == "a&lt;…"
    assert escaped("a<bc", 5) == "a…"
    assert len(escaped("<" * 10_000, SLACK_SECTION_CHARACTERS_MAX)) <= SLACK_SECTION_CHARACTERS_MAX


def test_alertmanager_takes_alerts_that_begin_and_end() -> None:
    now = T0 + dt.timedelta(seconds=100)
    (begun,) = sent(Format.ALERTMANAGER, due(), now=now)
    (over,) = sent(Format.ALERTMANAGER, due(**OVER), now=now)
    for alert in (begun, over):
        jsonschema.validate(
            [alert], POSTABLE_ALERTS, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
        )
    assert begun["labels"] == over["labels"]
    assert begun["startsAt"] == over["startsAt"] == "2026-11-23T10:00:00Z"
    assert dt.datetime.fromisoformat(begun["endsAt"]) == now + ALERTMANAGER_FIRING_FOR
    assert over["endsAt"] == "2026-11-23T10:01:15Z"
    assert begun["annotations"]["cause"] == "learning_rate became nan at step 811 (it was 0.05)"


def test_alertmanager_is_told_of_what_was_over_before_it_was_told() -> None:
    alerts = due(), due(2, **OVER, period_id=uuid.UUID(int=1))
    (told,) = sent(Format.ALERTMANAGER, *alerts)
    assert dt.datetime.fromisoformat(told["endsAt"]) > T0
    assert "is back" in told["annotations"]["summary"]


def test_alertmanager_never_gets_an_end_before_a_beginning_nor_an_end_that_is_yet_to_come() -> None:
    ahead = T0 + dt.timedelta(minutes=30)
    alert = due(kind="resolved", started_at=ahead, ended_at=ahead)
    (told,) = sent(Format.ALERTMANAGER, alert)
    assert told["startsAt"] == told["endsAt"] == "2026-11-23T10:00:00Z"


@pytest.fixture
def is_genuine() -> Callable[..., bool]:
    """The guide's snippet, as a reader copies it."""
    (snippet,) = re.findall(r"<!-- test: signature -->\n```python\n(.*?)```", GUIDE, re.DOTALL)
    known: dict[str, Any] = {}
    exec(snippet, known)
    found: Callable[..., bool] = known["is_genuine"]
    return found


def test_the_guides_snippet_tells_what_is_genuine(
    outgoing: Outgoing, received: Receiver, is_genuine: Callable[..., bool]
) -> None:
    outgoing.has_alert(run_id="lärm")
    outgoing.time.passes(GROUP_S)
    webhook = hook(received.url, secret_env="HOOK_KEY")
    with outgoing.sender(webhook, environment={"HOOK_KEY": "geheim"}) as send:
        send()
    (request,) = received.requests
    header, now = request.headers["X-Crucible-Signature"], outgoing.time.now().timestamp()
    assert is_genuine(request.body, header, "geheim", now)
    assert not is_genuine(request.body, header, "another", now)
    assert not is_genuine(request.body + b" ", header, "geheim", now)
    assert not is_genuine(request.body, header, "geheim", now + 301)
    later = header.replace(f"t={int(now)}", f"t={int(now) + 200}")
    assert not is_genuine(request.body, later, "geheim", now + 301)


def test_a_signature_of_now_is_genuine_without_saying_what_time_it_is(
    is_genuine: Callable[..., bool],
) -> None:
    assert is_genuine(b"{}", signature(b"{}", "k", time.time()), "k")
