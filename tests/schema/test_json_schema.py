"""The published schema is JSON Schema 2020-12, complete, and says no where it should."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from crucible_schema import (
    ALIASES_VERSION,
    ATTRIBUTES,
    EVENTS,
    MEASUREMENTS,
    Watch,
    json_schema,
    measurement_of,
    metadata_key,
)

SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
BATCH = "crucible_train.batch.stop"


def event(name: str | list[str] = BATCH, **parts: Any) -> dict[str, Any]:
    return {"event_name": name, "measurements": {"loss": 0.4}, "metadata": {"epoch": 3}, **parts}


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_it_is_json_schema_2020_12() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["x-aliases-version"] == ALIASES_VERSION


def test_every_reference_leads_somewhere_and_every_definition_is_used() -> None:
    found = set(references(SCHEMA))
    assert {reference.removeprefix("#/$defs/") for reference in found} <= set(SCHEMA["$defs"])
    entries = {f"#/$defs/wire:{name}" for name in EVENTS} | {
        "#/$defs/identity:attributes", "#/$defs/identity:resource", "#/$defs/identity:metadata"
    }  # fmt: skip
    unused = {f"#/$defs/{name}" for name in SCHEMA["$defs"]} - found - entries
    # What only metrics and other producers' spans have stands there for its meaning.
    described = {f"#/$defs/attribute:{key}" for key in ATTRIBUTES}
    described |= {f"#/$defs/measurement:{name}" for name in MEASUREMENTS}
    assert unused <= described


def test_it_has_every_event_attribute_and_measurement() -> None:
    definitions = SCHEMA["$defs"]
    for name in EVENTS:
        assert definitions[name]["title"] == name
        assert definitions[f"wire:{name}"]["properties"]["name"] == {
            "const": EVENTS[name].span_name
        }
    for key, attribute in ATTRIBUTES.items():
        assert definitions[f"attribute:{key}"]["x-key"] == attribute.key
    for name, measurement in MEASUREMENTS.items():
        found = definitions[f"measurement:{name}"]
        assert (found["x-key"], found["x-unit"]) == (measurement.key, measurement.unit)
        assert found.get("x-lower-is-better") == measurement.lower_is_better
        watch = measurement.watch
        if watch is None:
            assert "x-watch" not in found
        else:
            assert found["x-watch"] == told(watch)


def told(watch: Watch) -> dict[str, object]:
    sensitivity = {} if watch.sensitivity == 1 else {"sensitivity": watch.sensitivity}
    how: dict[str, object] = {
        "class": watch.watch_class,
        "scale": watch.scale,
        "direction": watch.direction,
    }
    return how | sensitivity


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_says_who_sends_it_and_how(name: str) -> None:
    definition, found = EVENTS[name], SCHEMA["$defs"][name]
    assert found["x-producer"] == definition.producer
    assert (found["x-kind"], found["x-span-name"]) == (definition.kind, definition.span_name)
    assert found.get("x-aliases", []) == list(definition.aliases)
    duration = definition.duration
    if duration is None:
        assert "x-duration" not in found
    else:
        watch = {"x-watch": told(duration.watch)} if duration.watch else {}
        assert found["x-duration"] == {"field": duration.field, "unit": duration.unit, **watch}


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_of_its_producer_s_fields_is_valid(name: str) -> None:
    """Every field that the schema lists, filled in with its own example, is one that is understood."""
    found = SCHEMA["$defs"][name]["properties"]
    measurements = {
        field: example(part) for field, part in found["measurements"]["properties"].items()
    }
    fields = found["metadata"].get("properties", {})
    metadata = {field: example(part) for field, part in fields.items()}
    VALIDATOR.validate({"event_name": name, "measurements": measurements, "metadata": metadata})
    VALIDATOR.validate({"event_name": name.split("."), "measurements": measurements})
    duration = EVENTS[name].duration
    for field, part in found["measurements"]["properties"].items():
        if "properties" not in part and field != (duration and duration.field):
            assert measurement_of(name, field) is not None
    for field, part in fields.items():
        if "properties" not in part:
            assert metadata_key(name, field) is not None


def example(schema: dict[str, Any]) -> Any:
    if "properties" in schema:
        return {name: example(part) for name, part in schema["properties"].items()}
    if "$ref" in schema:
        return example(SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")])
    if "anyOf" in schema and "examples" not in schema:
        return example(schema["anyOf"][0])
    if schema.get("x-values"):
        return schema["x-values"][0]
    default = True if schema.get("type") == "boolean" else 1
    return schema.get("examples", [default])[0]


@pytest.mark.parametrize(
    "value",
    [
        event(),
        event(["crucible_train", "batch", "stop"]),
        event("crucible_kitchen.training.step", measurements={"lr": 0.1}),
        event(measurements={"loss": "NaN", "made_up": 1}),
        event(metadata={"made_up": {"of": ["anything"]}}),
        event("crucible_train.training.start", metadata={"config": {"learning_rate": 0.1}}),
        event("crucible_train.training.start", metadata={"config": '{"learning_rate": 0.1}'}),
        event("somebody.elses.event", measurements={"loss": "low"}),
        event(metadata=None, measurements=None),
        event(metadata={"epoch": None, "learning_rate": None, "status": None}),
        event(timestamp="2026-11-01T10:00:00Z"),
        event(timestamp=1_793_527_200_000_000),
        {"event_name": "x"},
    ],
)
def test_what_may_come_is_valid(value: Any) -> None:
    VALIDATOR.validate(value)


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        event(""),
        event([]),
        {"event_name": ["crucible_train", 3]},
        event(measurements=[]),
        event(measurements={"loss": "low"}),
        event(["crucible_train", "batch", "stop"], measurements={"loss": "low"}),
        event("crucible_kitchen.training.step", measurements={"lr": "fast"}),
        event(measurements={"tokens": 1.5}),
        event(metadata={"epoch": "third"}),
        event("crucible_train.training.start", metadata={"config": 7}),
        event(timestamp=True),
    ],
)
def test_what_is_wrong_is_refused(value: Any) -> None:
    assert not VALIDATOR.is_valid(value)


def test_a_span_without_what_its_event_asks_for_is_refused() -> None:
    wire = jsonschema.Draft202012Validator(
        {"$ref": f"#/$defs/wire:{BATCH}", "$defs": SCHEMA["$defs"]}
    )
    attributes = {"crucible.run.id": "r", "crucible.step": 1}
    span = {
        "name": "crucible_train.batch",
        "attributes": attributes,
        "resource": {"service.name": "trainer"},
    }
    wire.validate(span)
    for broken in (
        {**span, "name": "crucible_train.epoch"},
        {**span, "resource": {}},
        {**span, "attributes": {"crucible.run.id": "r"}},
        {**span, "attributes": {**attributes, "crucible.step": "first"}},
        {**span, "attributes": {**attributes, "crucible.measurement.loss": "low"}},
    ):
        assert not wire.is_valid(broken)
