"""What the registry says of events, measurements and attributes, as `GET /api/v1/schema` gives it.

What a reader could not guess: it is put together once and kept as text and as gzip, 2.8 MB and 0.1 MB.
It changes only with the collector's version, which its ETag tells.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

import crucible_schema
from crucible_schema import (
    AttributeUse,
    EventDefinition,
    Instrument,
    MeasurementUse,
    MetricDefinition,
    aliases,
)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


Requirement = Literal["required", "conditionally_required", "recommended", "opt_in"]
InstrumentName = Literal["gauge", "counter", "updowncounter", "histogram"]
Kind = Literal["span", "point"]


class WatchDescription(_Model):
    """How a number is watched for anomalies unless told otherwise."""

    watch_class: Literal["trend", "throughput", "learning_rate", "level"]
    scale: Literal["linear", "log"]


class MeasurementDescription(_Model):
    key: str = Field(examples=["crucible.measurement.loss"], description="Attribute on the wire.")
    name: str = Field(examples=["loss"])
    fields: list[str] = Field(description="Names in the family's `measurements`.")
    type: Literal["int", "double"]
    unit: str = Field(description="UCUM.", examples=["s", "1", "By"])
    instrument: InstrumentName
    brief: str
    note: str
    lower_is_better: bool | None = Field(description="Null: neither is better.")
    watch: WatchDescription | None = Field(description="Null: not watched.")
    is_series: bool = Field(description="Whether it becomes a point with a step.")
    requirement: Requirement
    condition: str


class AttributeDescription(_Model):
    key: str = Field(examples=["crucible.run.id"])
    fields: list[str] = Field(description="Paths in the family's `metadata`.")
    type: str = Field(examples=["string", "int", "string[]"])
    location: Literal["span", "exception", "resource"]
    brief: str
    note: str
    values: list[str] = Field(description="Members of an enum; others may still arrive.")
    is_json: bool = Field(description="The string is JSON.")
    examples: list[Any]
    requirement: Requirement
    condition: str


class DurationDescription(_Model):
    """The span's own length, in ns on the wire."""

    field: str
    unit: Literal["ns", "us", "ms", "s"] = Field(description="The producer's, in `measurements`.")
    is_required: bool
    watch: WatchDescription | None


class EventDescription(_Model):
    name: str = Field(examples=["crucible_train.epoch.stop"])
    kind: Kind
    phase: Literal["start", "stop", "exception"] | None
    lifecycle: str | None = Field(examples=["crucible_train.epoch"])
    span_name: str = Field(description="Of its span on the wire.")
    producer: str
    brief: str
    note: str
    aliases: list[str] = Field(description="Names under which others send it.")
    duration: DurationDescription | None
    free_measurements: Literal["none", "attributes", "series"] = Field(
        description="What becomes of measurements that are not named here."
    )
    measurements: list[MeasurementDescription]
    attributes: list[AttributeDescription]


class MetricDescription(_Model):
    """An OTLP metric whose meaning is known."""

    name: str
    unit: str
    instrument: InstrumentName
    brief: str
    note: str
    lower_is_better: bool | None
    watch: WatchDescription | None
    attributes: list[AttributeDescription]


class AliasDescription(_Model):
    """A key that other conventions use."""

    key: str = Field(examples=["gen_ai.usage.input_tokens"])
    convention: str = Field(examples=["otel_gen_ai"])
    unit_scale: float = Field(description="A number times this is in the unit of `key`.")


class MeasurementAlias(_Model):
    event: str | None = Field(description="Only in this event; null: in any.")
    name: str
    measurement: str


class Aliases(_Model):
    version: str = Field(description="Rises when the meaning of an alias changes.")
    events: dict[str, str]
    event_prefixes: dict[str, str] = Field(description="Beginnings of names, up to a dot.")
    spans: dict[str, str]
    attributes: dict[str, AliasDescription]
    measurements: list[MeasurementAlias]


class Registry(_Model):
    events: list[EventDescription]
    metrics: list[MetricDescription]
    aliases: Aliases
    json_schema: dict[str, Any] = Field(
        description="JSON Schema 2020-12 of one event as `POST /telemetry/events` takes it; in "
        "`$defs` one schema an event, and `wire:<event>` for its attributes on the wire."
    )


@dataclass(frozen=True, slots=True)
class Text:
    """An answer that does not change."""

    body: bytes
    packed: bytes  # gzip
    etag: str

    @classmethod
    def of(cls, data: Any) -> Text:
        text = json.dumps({"data": data, "meta": {}}, ensure_ascii=False, separators=(",", ":"))
        body = text.encode()
        digest = hashlib.sha256(body, usedforsecurity=False).hexdigest()[:16]
        # No time in the header, so that the same text is the same bytes.
        return cls(body, gzip.compress(body, mtime=0), f'"{digest}"')


@functools.cache
def registry_text() -> Text:
    """The whole registry; about half a second the first time."""
    events = crucible_schema.EVENTS.values()
    found = Registry(
        events=[described(event) for event in sorted(events, key=lambda each: each.name)],
        metrics=[_metric(metric) for metric in crucible_schema.METRICS.values()],
        aliases=_aliases(),
        json_schema=crucible_schema.json_schema(),
    )
    return Text.of(found.model_dump(mode="json"))


@functools.lru_cache(maxsize=64)
def event_text(name: str) -> Text | None:
    """One event, by its name or an alias; None where there is none."""
    event = crucible_schema.EVENTS.get(crucible_schema.canonical_event(name))
    return None if event is None else Text.of(described(event).model_dump(mode="json"))


def described(event: EventDefinition) -> EventDescription:
    duration = event.duration
    return EventDescription.model_validate(
        {
            "name": event.name,
            "kind": event.kind.value,
            "phase": event.phase and event.phase.value,
            "lifecycle": event.lifecycle,
            "span_name": event.span_name,
            "producer": event.producer,
            "brief": event.brief,
            "note": event.note,
            "aliases": list(event.aliases),
            "duration": duration
            and {
                "field": duration.field,
                "unit": duration.unit,
                "is_required": duration.is_required,
                "watch": _watch(duration.watch),
            },
            "free_measurements": event.free_measurements.value,
            "measurements": [_measurement(use) for use in event.measurements],
            "attributes": [_attribute(use) for use in event.attributes],
        }
    )


def _measurement(use: MeasurementUse) -> dict[str, Any]:
    measurement = use.measurement
    return {
        "key": measurement.key,
        "name": measurement.name,
        "fields": list(dict.fromkeys(use.fields)),
        "type": measurement.type.value,
        "unit": measurement.unit,
        "instrument": measurement.instrument.value,
        "brief": measurement.brief,
        "note": use.note or measurement.note,
        "lower_is_better": measurement.lower_is_better,
        "watch": _watch(measurement.watch),
        "is_series": use.is_series,
        "requirement": use.requirement.value,
        "condition": use.condition,
    }


def _attribute(use: AttributeUse) -> dict[str, Any]:
    attribute = use.attribute
    return {
        "key": attribute.key,
        "fields": list(dict.fromkeys(field for field in use.fields if field)),
        "type": attribute.type.value,
        "location": attribute.location.value,
        "brief": attribute.brief,
        "note": use.note or attribute.note,
        "values": list(use.values or attribute.values),
        "is_json": attribute.is_json,
        "examples": list(attribute.examples),
        "requirement": use.requirement.value,
        "condition": use.condition,
    }


def _metric(metric: MetricDefinition) -> MetricDescription:
    instrument: Instrument = metric.instrument
    return MetricDescription.model_validate(
        {
            "name": metric.name,
            "unit": metric.unit,
            "instrument": instrument.value,
            "brief": metric.brief,
            "note": metric.note,
            "lower_is_better": metric.lower_is_better,
            "watch": _watch(metric.watch),
            "attributes": [_attribute(use) for use in metric.attributes],
        }
    )


def _watch(watch: crucible_schema.Watch | None) -> dict[str, str] | None:
    if watch is None:
        return None
    return {"watch_class": watch.watch_class.value, "scale": watch.scale.value}


def _aliases() -> Aliases:
    return Aliases(
        version=aliases.ALIASES_VERSION,
        events=dict(aliases.EVENT_ALIASES),
        event_prefixes=dict(aliases.EVENT_PREFIX_ALIASES),
        spans=dict(aliases.SPAN_ALIASES),
        attributes={
            key: AliasDescription(
                key=alias.key, convention=alias.convention, unit_scale=alias.unit_scale
            )
            for key, alias in aliases.ATTRIBUTE_ALIASES.items()
        },
        measurements=[
            MeasurementAlias(event=event or None, name=name, measurement=measurement)
            for (event, name), measurement in aliases.MEASUREMENT_ALIASES.items()
        ],
    )
