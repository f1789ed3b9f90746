"""The settings of detection: what is in force and how to change it, and what is watched by it.

The settings are the database's: whichever collector is told, all follow within seconds, each from one
window to the next. What is remembered of series stays where their detectors do.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from crucible_collector.api.answer import only, whole
from crucible_collector.api.bodies import json_object
from crucible_collector.api.detection import DetectionSettings, DetectionVersion, Watching
from crucible_collector.api.models import One, Page
from crucible_collector.api.parameters import Paged, Text
from crucible_collector.api.versions import BESIDE, FAILURES, NONE_MADE, history, taken_out
from crucible_collector.detect.defaults import subjects
from crucible_collector.detect.engine import Use
from crucible_collector.detect.observations import Source, Subject
from crucible_collector.detect.plans import Plan
from crucible_collector.detect.settings import Detection, Rule
from crucible_collector.detect.watches import Watches, Way
from crucible_collector.errors import SettingsError
from crucible_collector.store.read import Reads

_DIRECTIONS = {1: "up", -1: "down", 0: "both"}
_WHOSE = ("experiments", "runs", "services", "conditions", "models", "attributes")
_BODY: dict[str, Any] = {
    "type": "object",
    "properties": {
        "enabled": {"type": "boolean", "default": True},
        "series_max": {"type": "integer", "default": 200_000},
        "rules": {
            "type": "array",
            "items": {"type": "object"},
            "description": "As [[detection.rules]] of a settings file; the first that fits decides.",
        },
        "webhooks": {
            "type": "array",
            "items": {"type": "object"},
            "description": "As [[detection.webhooks]]; secrets are named, never told.",
        },
        **BESIDE,
    },
    "examples": [
        {
            "rules": [{"name": "night", "runs": ["lr-sweep-3"], "silenced": True}],
            "changed_by": "ada",
            "reason": "I know that it diverges",
        }
    ],
}


class WatchFilter(BaseModel):
    model_config = ConfigDict(extra="forbid")

    event: Text | None = Field(
        None, description="Name of an event, also of one that nobody has sent."
    )
    metric: Text | None = Field(
        None,
        description="Name of a measurement or an OTLP metric, also where the registry has none such.",
    )


class Detects(Protocol):
    """What the service tells about its detection, and takes."""

    def detection_version(self) -> int:
        """Of the settings that this collector works by; 0: nobody ever made any."""
        ...

    def detection_use(self) -> Use:
        """How its engine is doing."""
        ...

    def put_detection(
        self, detection: Detection, changed_by: str, reason: str, follows: int | None
    ) -> int:
        """Put settings in force and return their version; ChangedMeanwhileError, DatabaseAwayError."""
        ...


def detection_router(reads: Reads, detects: Detects | None) -> APIRouter:
    router = APIRouter(prefix="/anomalies", tags=["anomalies"])

    @router.get(
        "/settings",
        response_model=One[DetectionSettings],
        summary="The settings of detection in force, and how they do",
    )
    def in_force() -> Response:
        """`settings` can be changed and put back, with `version` against changes meanwhile."""
        return whole(_in_force(reads) | {"collector": _told(detects)})

    @router.get(
        "/settings/history",
        response_model=Page[DetectionVersion],
        summary="All versions of the settings of detection, newest first",
    )
    def versions(filters: Annotated[Paged, Query()]) -> Response:
        return history(reads, "detection_versions", filters)

    @router.get(
        "/watches",
        response_model=One[Watching],
        summary="What is watched by the settings in force, and how",
    )
    def watches(filters: Annotated[WatchFilter, Query()]) -> Response:
        """All that the registry has watched, with the rules about it; or what is asked for."""
        found = _in_force(reads)
        try:
            watches = Watches(Detection.parse(found["settings"]))
        except SettingsError as error:
            message = f"version {found['version']} is not understood by this collector: {error}"
            raise SettingsError(message) from None
        ways = [
            _way(subject, way) for subject in _asked(filters) for way in watches.ways_of(subject)
        ]
        return whole({"version": found["version"], "watches": ways})

    if detects is not None:
        _take_changes(router, reads, detects)
    return router


def _take_changes(router: APIRouter, reads: Reads, detects: Detects) -> None:
    @router.put(
        "/settings",
        response_model=One[DetectionVersion],
        responses=FAILURES,
        openapi_extra={
            "requestBody": {"required": True, "content": {"application/json": {"schema": _BODY}}}
        },
        summary="Put other settings of detection in force, for every collector",
    )
    async def put(request: Request) -> Response:
        """Answers the version in force: a new one, or that which says the same already."""
        body = await json_object(request)
        return await run_in_threadpool(_put, reads, detects, body)


def _put(reads: Reads, detects: Detects, body: dict[str, Any]) -> Response:
    """On a thread: it asks the database."""
    change = taken_out(body)
    detection = Detection.parse(body)
    version = detects.put_detection(detection, change.changed_by, change.reason, change.version)
    rows = reads.json_rows("detection_version", version=version)
    return only(rows, "version", str(version))


def _in_force(reads: Reads) -> dict[str, Any]:
    rows = reads.json_rows("detection_version", version=None)
    if not rows:
        return NONE_MADE | {"settings": Detection.parse({}).as_json()}
    found: dict[str, Any] = json.loads(rows[0])
    return found


def _told(detects: Detects | None) -> dict[str, Any] | None:
    """What this collector says of it."""
    if detects is None:
        return None
    use = dataclasses.asdict(detects.detection_use())
    return {"version": detects.detection_version(), **use}


def _asked(filters: WatchFilter) -> list[Subject]:
    """The registry's subjects that fit; what it does not know is asked as if somebody had sent it."""
    found = [
        each
        for each in subjects()
        if filters.event in {None, each.event} and filters.metric in {None, each.metric}
    ]
    if found or filters.metric is None:
        return found or _of_event(filters.event or "")
    source = Source.METRIC if filters.event is None else Source.POINT
    return [Subject(source, filters.event or "", filters.metric)]


def _of_event(event: str) -> list[Subject]:
    return [
        Subject(Source.DURATION, event, "duration_ms"),
        Subject(Source.STATUS, event, "error_rate"),
    ]


def _way(subject: Subject, way: Way) -> dict[str, Any]:
    rule = way.rule
    return {
        "source": subject.source.value,
        "event": subject.event or None,
        "metric": subject.metric,
        "rule": None if rule is None else rule.name,
        "when": {} if rule is None else _when(rule),
        "is_watched": way.plan is not None,
        **_how(way.plan),
    }


def _when(rule: Rule) -> dict[str, Any]:
    told = rule.model_dump(mode="json", include=set(_WHOSE))
    return {key: value for key, value in told.items() if value}


def _how(plan: Plan | None) -> dict[str, Any]:
    names = ("watch_class", "detectors", "scale", "direction", "sensitivity", "severity_min")
    if plan is None:
        return dict.fromkeys((*names, "is_silenced", "samples_more", "webhooks"))
    return {
        "watch_class": plan.watch_class,
        "detectors": plan.detectors,
        "scale": "log" if plan.is_log else "linear",
        "direction": _DIRECTIONS[plan.direction],
        "sensitivity": plan.sensitivity,
        "severity_min": plan.severity_min.label,
        "is_silenced": plan.is_silenced,
        "samples_more": plan.samples_more,
        "webhooks": [webhook.name for webhook in plan.webhooks],
    }
