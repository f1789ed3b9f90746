"""Registry → `crucible_schema/schema.json`: JSON Schema 2020-12 for other languages.

The document itself describes what the Elixir packages hand over, `{event_name, measurements,
metadata, timestamp}`, and lets unknown events pass. `$defs` has, beside what they share, two
schemas an event: under its name that shape, and under `wire:<name>` the span that it is on the
wire, its attributes as one flat object. What JSON Schema has no word for begins with `x-`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from crucible_schema.definitions import (
    AttributeDefinition,
    AttributeUse,
    Duration,
    EventDefinition,
    Location,
    MeasurementDefinition,
    MeasurementUse,
    Requirement,
    Watch,
)
from generator.aliases import AliasTable
from generator.registry import Registry

Json = dict[str, Any]

_TYPES = {"string": "string", "int": "integer", "double": "number", "boolean": "boolean"}
_NON_FINITE = ["NaN", "Infinity", "-Infinity"]


def json_schema(registry: Registry, aliases: AliasTable) -> Json:
    """Write the whole document."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:crucible-telemetry:events",
        "title": "Events of Crucible Telemetry",
        "description": (
            "One event as the Elixir packages hand it over. An event that is not known here is valid"
            " too. The span that an event is on the wire is $defs/wire:<event>."
        ),
        "x-aliases-version": aliases.version,
        "type": "object",
        "properties": {
            "event_name": {"$ref": "#/$defs/event_name"},
            "measurements": {"type": ["object", "null"]},
            "metadata": {"type": ["object", "null"]},
            "timestamp": {"$ref": "#/$defs/timestamp"},
        },
        "required": ["event_name"],
        "allOf": [
            {
                "if": {"properties": {"event_name": _name(event)}, "required": ["event_name"]},
                "then": _ref(event.name),
            }
            for event in registry.events.values()
        ],
        "$defs": _definitions(registry),
    }


def _definitions(registry: Registry) -> Json:
    definitions: Json = {
        "event_name": {
            "description": "Dotted, or its parts in a list.",
            "oneOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
            ],
        },
        "timestamp": {
            "description": (
                "When it happened: s, ms, µs or ns since 1970, told apart by magnitude, or RFC 3339."
                " Left out: when it is received."
            ),
            "type": ["integer", "number", "string"],
        },
        "non_finite": {
            "description": "What JSON has no number for.",
            "enum": _NON_FINITE,
        },
        "identity:metadata": {
            "description": "What every event's metadata may carry; null is a field left out.",
            "type": ["object", "null"],
            "properties": _metadata(registry.identity),
        },
        "identity:attributes": {
            "description": "What every span may carry.",
            "type": "object",
            "properties": _attributes(registry.identity, Location.SPAN),
        },
        "identity:resource": {
            "description": "Who sends.",
            "type": "object",
            "properties": _attributes(registry.identity, Location.RESOURCE),
            "required": _required_keys(registry.identity, Location.RESOURCE),
        },
    }
    for defined in registry.definitions.values():
        item = defined.definition
        if isinstance(item, MeasurementDefinition):
            definitions[f"measurement:{item.name}"] = _measurement(item)
        else:
            definitions[f"attribute:{item.key}"] = _attribute(item)
    for event in registry.events.values():
        definitions[event.name] = _event(event, registry)
    for event in registry.events.values():
        definitions[f"wire:{event.name}"] = _wire(event, registry)
    return definitions


def _attribute(item: AttributeDefinition) -> Json:
    schema: Json = {"description": _text(item.brief, item.note)}
    word = item.type.value
    if word.endswith("[]"):
        schema |= {"type": "array", "items": {"type": _TYPES[word.removesuffix("[]")]}}
    else:
        schema["type"] = _TYPES[word]
    if item.values:
        schema["x-values"] = list(item.values)
    if item.is_json:
        schema["contentMediaType"] = "application/json"
    schema["x-key"] = item.key
    if item.location is not Location.SPAN:
        schema["x-location"] = item.location.value
    if item.examples:
        schema["examples"] = [list(ex) if isinstance(ex, tuple) else ex for ex in item.examples]
    return schema


def _measurement(item: MeasurementDefinition) -> Json:
    schema: Json = {
        "description": _text(item.brief, item.note),
        "anyOf": [{"type": _TYPES[item.type.value]}, {"$ref": "#/$defs/non_finite"}],
        "x-key": item.key,
        "x-unit": item.unit,
        "x-instrument": item.instrument.value,
    }
    if item.lower_is_better is not None:
        schema["x-lower-is-better"] = item.lower_is_better
    if item.watch is not None:
        schema["x-watch"] = _watch(item.watch)
    schema["examples"] = list(item.examples)
    return schema


def _watch(watch: Watch) -> Json:
    told: Json = {
        "class": watch.watch_class.value,
        "scale": watch.scale.value,
        "direction": watch.direction.value,
    }
    return told if watch.sensitivity == 1.0 else told | {"sensitivity": watch.sensitivity}


def _event(event: EventDefinition, registry: Registry) -> Json:
    own = _own(event, registry)
    metadata: Json = {"$ref": "#/$defs/identity:metadata", "type": ["object", "null"]}
    if own:
        metadata["properties"] = _metadata(own)
    measurements: Json = {"type": ["object", "null"], "properties": _fields(event)}
    schema: Json = {
        "title": event.name,
        "description": _text(event.brief, event.note),
        "type": "object",
        "properties": {
            "event_name": _name(event),
            "measurements": measurements,
            "metadata": metadata,
            "timestamp": {"$ref": "#/$defs/timestamp"},
        },
        "required": ["event_name"],
        "x-producer": event.producer,
        "x-kind": event.kind.value,
        "x-span-name": event.span_name,
        "x-free-measurements": event.free_measurements.value,
    }
    if event.lifecycle is not None and event.phase is not None:
        schema |= {"x-lifecycle": event.lifecycle, "x-phase": event.phase.value}
    if event.duration is not None:
        schema["x-duration"] = {"field": event.duration.field, "unit": event.duration.unit}
        if event.duration.watch is not None:
            schema["x-duration"]["x-watch"] = _watch(event.duration.watch)
    if event.aliases:
        schema["x-aliases"] = list(event.aliases)
    return schema


def _wire(event: EventDefinition, registry: Registry) -> Json:
    attributes: Json = {"$ref": "#/$defs/identity:attributes"}
    own = _own(event, registry)
    properties = _attributes(own, Location.SPAN)
    properties |= {use.measurement.key: _use(use) for use in event.measurements}
    if properties:
        attributes["properties"] = properties
    required = [*_required_keys(own, Location.SPAN), *_required_keys(event.measurements)]
    if required:
        attributes["required"] = required
    return {
        "title": f"{event.name} on the wire",
        "type": "object",
        "properties": {
            "name": {"const": event.span_name},
            "attributes": attributes,
            "resource": {"$ref": "#/$defs/identity:resource"},
        },
        "required": ["name", "attributes", "resource"],
    }


def _own(event: EventDefinition, registry: Registry) -> list[AttributeUse]:
    return [use for use in event.attributes if use not in registry.identity]


def _name(event: EventDefinition) -> Json:
    names = [event.name, *event.aliases]
    return {"enum": [*names, *(name.split(".") for name in names)]}


def _fields(event: EventDefinition) -> Json:
    properties: Json = {}
    for use in event.measurements:
        for field in use.fields:
            _place(properties, field, _use(use))
    if event.duration is not None:
        properties[event.duration.field] = _duration(event.duration)
    return properties


def _duration(duration: Duration) -> Json:
    return {"description": "How long it took.", "type": "number", "x-unit": duration.unit}


def _metadata(uses: Iterable[AttributeUse]) -> Json:
    """Write attributes as fields of `metadata`; what the resource or an exception says has none."""
    properties: Json = {}
    for use in uses:
        for field in use.fields:
            if use.attribute.location is Location.SPAN or field == "stacktrace":
                _place(properties, field, _told(use))
    return properties


def _told(use: AttributeUse) -> Json:
    """Describe a field of `metadata`.

    Null is a field left out; what is text of JSON on the wire may come as what it says.
    """
    schema = _use(use)
    others = ["null", "object", "array"] if use.attribute.is_json else ["null"]
    return {"anyOf": [{"$ref": schema.pop("$ref")}, {"type": others}], **schema}


def _place(properties: Json, field: str, schema: Json) -> None:
    """Put a field in; a dotted one lies in a map of its own."""
    outer, _, inner = field.partition(".")
    if inner:
        group = properties.setdefault(outer, {"type": "object", "properties": {}})
        group["properties"][inner] = schema
    else:
        properties[field] = schema


def _attributes(uses: Iterable[AttributeUse], location: Location) -> Json:
    return {use.attribute.key: _use(use) for use in uses if use.attribute.location is location}


def _use(use: AttributeUse | MeasurementUse) -> Json:
    if isinstance(use, MeasurementUse):
        schema = _ref(f"measurement:{use.measurement.name}")
        if use.is_series:
            schema["x-series"] = True
    else:
        schema = _ref(f"attribute:{use.attribute.key}")
        if use.values:
            schema["x-values"] = list(use.values)
    if use.condition:
        schema["x-required"] = use.condition
    return schema


def _required_keys(
    uses: Iterable[AttributeUse | MeasurementUse], location: Location = Location.SPAN
) -> list[str]:
    keys = []
    for use in uses:
        is_here = isinstance(use, MeasurementUse) or use.attribute.location is location
        if use.requirement is Requirement.REQUIRED and is_here:
            keys.append(
                use.measurement.key if isinstance(use, MeasurementUse) else use.attribute.key
            )
    return keys


def _ref(name: str) -> Json:
    return {"$ref": f"#/$defs/{name.replace('~', '~0').replace('/', '~1')}"}


def _text(brief: str, note: str) -> str:
    return f"{brief} {note}".strip()
