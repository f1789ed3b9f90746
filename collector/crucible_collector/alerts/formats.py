"""The bodies of deliveries: our own JSON, that of Slack's incoming webhooks, that of Alertmanager.

Each is a function of the message alone (Alertmanager's also of the time, see there), so that a delivery that is
tried again says the same.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from crucible_collector.alerts.message import Message, Told
from crucible_collector.detect.webhooks import Format
from crucible_collector.store.causes import Cause

VERSION = 1  # of our own JSON: more keys may come, those that are there stay what they are

_AS_THEY_ARE = (
    *("state", "metric", "detector", "event_name", "experiment_id", "run_id", "condition", "model"),
    *("rule", "unit", "flag_count", "first_step", "last_step"),
)
_TIMES = ("started_at", "last_flag_at", "ended_at", "peak_at")
_NUMBERS = ("first_value", "peak_value", "peak_expected", "peak_lower", "peak_upper", "peak_score")

# Limits of Block Kit: a section's text, and all blocks together, which is written nowhere and was found at
# 13,200 (slackapi/bolt-js, issue 2509); of the text that notifications show, what is worth showing.
SLACK_SECTION_CHARACTERS_MAX = 3000
SLACK_BLOCKS_CHARACTERS_MAX = 12_000
SLACK_TEXT_CHARACTERS_MAX = 4000
_SLACK_MARKS = {"critical": ":red_circle:", "warning": ":large_orange_circle:"}

# Alertmanager takes an alert that it hears of once for over after `resolve_timeout` (5 min), unless it says
# until when it holds. Ours are told once, and once more when they are over.
ALERTMANAGER_FIRING_FOR = dt.timedelta(days=1)
# What was over before it could be told is told for as long as Alertmanager waits by itself: it notifies of
# nothing that is over when it first hears of it.
ALERTMANAGER_OVER_FOR = dt.timedelta(minutes=5)
ALERTMANAGER_NAME = "CrucibleAnomaly"


def body_of(message: Message, form: Format, now: dt.datetime) -> bytes:
    """What is sent, as UTF-8."""
    document = _FORMS[form](message, now)
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode()


def as_json(message: Message, _now: dt.datetime) -> dict[str, Any]:
    """Our own: everything that is known."""
    first = message.told[0].alert
    return {
        "version": VERSION,
        "delivery": message.delivery,
        "webhook": message.webhook,
        "status": "firing" if message.is_firing else "resolved",
        "experiment_id": first.experiment_id,
        "run_id": first.run_id,
        "alerts": [_alert(told) for told in message.told],
    }


def _alert(told: Told) -> dict[str, Any]:
    alert = told.alert
    return {
        "alert_id": alert.alert_id,
        "kind": alert.kind,
        "severity": alert.severity,
        "created_at": _time(alert.created_at),
        "says": told.says,
        "causes": [_cause(cause) for cause in told.causes],
        "period": _period(told),
        "links": {"period": told.links.period, "run": told.links.run},
    }


def _period(told: Told) -> dict[str, Any]:
    alert = told.alert
    return {
        "period_id": str(alert.period_id),
        **{name: getattr(alert, name) for name in _AS_THEY_ARE},
        **{name: _time(getattr(alert, name)) for name in _TIMES},
        **{name: _number(getattr(alert, name)) for name in _NUMBERS},
        "trace_id": None if alert.trace_id is None else alert.trace_id.hex,
        "span_id": None if alert.span_id is None else f"{alert.span_id % (1 << 64):016x}",
    }


def _cause(cause: Cause) -> dict[str, Any]:
    return {
        "says": cause.says,
        "metric": cause.metric,
        "event_name": cause.event_name,
        "rank": cause.rank,
        "before": _number(cause.before),
        "after": _number(cause.after),
        "step": cause.step,
        "time": cause.time,
        "score": _number(cause.score),
    }


def as_slack(message: Message, _now: dt.datetime) -> dict[str, Any]:
    """A section an alert; `text` is what notifications show.

    `verbatim`: names of runs and metrics are not to become links, nor to call anybody.
    """
    lines = [told.says for told in message.told]
    most = min(SLACK_SECTION_CHARACTERS_MAX, SLACK_BLOCKS_CHARACTERS_MAX // len(message.told))
    return {
        "text": escaped("\n".join(lines), SLACK_TEXT_CHARACTERS_MAX),
        "blocks": [
            {
                "type": "section",
                "text": {"type": "mrkdwn", "text": _section(told, most), "verbatim": True},
            }
            for told in message.told
        ],
    }


def _section(told: Told, most: int) -> str:
    is_over = told.alert.kind == "resolved"
    mark = ":white_check_mark:" if is_over else _SLACK_MARKS.get(told.alert.severity, ":blue_book:")
    head = f"{mark} *{'resolved' if is_over else told.alert.severity}* "
    lines = [told.says, *(f"before that, {cause.says}" for cause in told.causes)]
    text = escaped("\n".join(lines), most - len(head))
    for name, link in (("run", told.links.run), ("period", told.links.period)):
        linked = f" <{escaped(link)}|{name}>" if link is not None else ""
        if len(head) + len(text) + len(linked) <= most:
            text += linked
    return head + text


_SLACK_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def escaped(text: str, most: int | None = None) -> str:
    """The text as Slack wants it, the three characters that mean something to it replaced.

    What is beyond `most` characters is cut off, never in the midst of one that was replaced.
    """
    parts = [_SLACK_ESCAPES.get(character, character) for character in text]
    if most is None or sum(map(len, parts)) <= most:
        return "".join(parts)
    length = 1  # of the mark that says so
    for number, part in enumerate(parts):
        length += len(part)
        if length > most:
            return "".join(parts[:number]) + "…"
    raise AssertionError("unreachable")


def as_alertmanager(message: Message, now: dt.datetime) -> list[dict[str, Any]]:
    """For POST /api/v2/alerts: one alert a period, over by `endsAt`.

    Labels tell alerts apart, and are the same when a period is over; what changes is an annotation.
    Alertmanager's clock is our `now`: what ends later than that is taken to go on.
    """
    latest = {told.alert.period_id: told for told in message.told}
    begun = {told.alert.period_id for told in message.told if told.alert.kind == "firing"}
    return [
        {
            "labels": _labels(told),
            "annotations": _annotations(told),
            "startsAt": _time(min(told.alert.started_at, now)),
            "endsAt": _time(_ends_at(told, now, is_news=period in begun)),
            "generatorURL": told.links.period,
        }
        for period, told in latest.items()
    ]


def _labels(told: Told) -> dict[str, str]:
    alert = told.alert
    labels = {
        "alertname": ALERTMANAGER_NAME,
        "severity": alert.severity,
        "metric": alert.metric,
        "detector": alert.detector,
        "event": alert.event_name,
        "experiment": alert.experiment_id,
        "run": alert.run_id,
        "condition": alert.condition,
        "model": alert.model,
        "rule": alert.rule,
        "period_id": str(alert.period_id),
    }
    return {name: value for name, value in labels.items() if value}


def _annotations(told: Told) -> dict[str, str]:
    annotations = {
        "summary": told.says,
        "cause": "; ".join(cause.says for cause in told.causes),
        "run_url": told.links.run,
    }
    return {name: value for name, value in annotations.items() if value}


def _ends_at(told: Told, now: dt.datetime, *, is_news: bool) -> dt.datetime:
    """`is_news`: nothing of the period was told before."""
    alert = told.alert
    if alert.kind == "firing":
        return now + ALERTMANAGER_FIRING_FOR
    if is_news:
        return now + ALERTMANAGER_OVER_FOR
    return max(min(alert.started_at, now), min(alert.ended_at or alert.last_flag_at, now))


def _time(at: dt.datetime | None) -> str | None:
    """RFC 3339 in UTC, as everywhere."""
    return None if at is None else at.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def _number(value: float | None) -> float | str | None:
    """As the API spells numbers that JSON has none for."""
    if value is None or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


_FORMS: Mapping[Format, Callable[[Message, dt.datetime], Any]] = {
    Format.JSON: as_json,
    Format.SLACK: as_slack,
    Format.ALERTMANAGER: as_alertmanager,
}
