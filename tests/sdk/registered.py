"""Whether what was captured is what the registry says it should be."""

from __future__ import annotations

from typing import Any

from crucible_schema import EVENTS, AttributeType, Requirement
from crucible_telemetry.testing import Captured, Event

PYTHON_TYPES: dict[AttributeType, type] = {
    AttributeType.STRING: str,
    AttributeType.INT: int,
    AttributeType.DOUBLE: float,
    AttributeType.BOOLEAN: bool,
    AttributeType.STRINGS: tuple,
}


def assert_registered(captured: Captured, *, but: frozenset[str] = frozenset()) -> None:
    """Every attribute is known, of its type and one of its values; nothing required is missing.

    but: keys that this scenario has a reason to leave out.
    """
    for event in captured.events:
        definition = EVENTS[event.name]
        uses = {use.attribute.key: use for use in definition.attributes}
        attributes: dict[str, Any] = {**(event.span.resource.attributes or {}), **event.attributes}
        for key, value in attributes.items():
            assert key in uses, (event.name, key)
            assert isinstance(value, PYTHON_TYPES[uses[key].attribute.type]), (event.name, key)
            allowed = uses[key].values or uses[key].attribute.values
            assert not allowed or value in allowed, (event.name, key, value)
        for exception in event.span.events:
            attributes |= exception.attributes or {}
        required = {key for key, use in uses.items() if use.requirement is Requirement.REQUIRED}
        assert required - but <= set(attributes), event.name
        measured = {
            use.measurement.name
            for use in definition.measurements
            if use.requirement is Requirement.REQUIRED
        }
        assert measured <= set(event.measurements), event.name


def only(captured: Captured, name: str) -> Event:
    (event,) = captured.named(name)
    return event
