"""Registry → the text of `crucible_schema/events.py`."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping

from crucible_schema.definitions import (
    AttributeDefinition,
    AttributeUse,
    Duration,
    EventDefinition,
    LifecycleDefinition,
    MeasurementDefinition,
    MeasurementUse,
    MetricDefinition,
    Watch,
)
from generator.fields import Defined
from generator.layout import Bracketed, Expression, Named, docstring, string
from generator.registry import Registry, constant_name, enum_name

Definition = (
    AttributeDefinition
    | AttributeUse
    | Duration
    | EventDefinition
    | LifecycleDefinition
    | MeasurementDefinition
    | MeasurementUse
    | MetricDefinition
    | Watch
)

_HEAD = '''"""Every event, attribute and measurement that has a meaning here. Generated: do not edit.

`schemas/generate.py` makes it from `schemas/registry/*.yaml`. Constants come first (attribute keys,
names of spans and events, enums), then the definitions they stand for.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from crucible_schema.definitions import (
    AttributeDefinition,
    AttributeType,
    AttributeUse,
    Duration,
    EventDefinition,
    EventKind,
    FreeMeasurements,
    Instrument,
    LifecycleDefinition,
    Location,
    MeasurementDefinition,
    MeasurementUse,
    MetricDefinition,
    Phase,
    Requirement,
    Watch,
    WatchClass,
    WatchScale,
    overridden,
)
'''


def python_module(registry: Registry) -> str:
    """Write the whole module."""
    with_members = [defined for defined in registry.definitions.values() if defined.members]
    blocks = [f"{_HEAD}\n{_constants(registry)}", *map(_enum, with_members), _mappings(registry)]
    return "\n\n".join(blocks)


def _constants(registry: Registry) -> str:
    definitions = [defined.definition for defined in registry.definitions.values()]
    sections = [
        "# Attribute keys\n",
        *(_constant(item.key, item.brief, item.note) for item in definitions),
        "# Names of spans that begin and end\n",
        *(_constant(span.span_name, span.brief) for span in registry.lifecycles.values()),
        "# Names of events\n",
        *(_constant(event.name, event.brief) for event in registry.events.values()),
    ]
    return "\n".join(sections)


def _constant(key: str, brief: str, note: str = "") -> str:
    return f"{constant_name(key)}: Final = {string(key)}\n{docstring(brief, note)}"


def _enum(defined: Defined) -> str:
    key = defined.definition.key
    head = f"class {enum_name(key)}(enum.StrEnum):\n"
    lines = [head + docstring(defined.definition.brief, f"Values of `{key}`.", indent=4)]
    for member in defined.members:
        line = f"    {constant_name(member.id)} = {string(member.value)}\n"
        lines.append(line + docstring(member.brief, indent=4))
    return "\n".join(lines)


def _mappings(registry: Registry) -> str:
    definitions = [defined.definition for defined in registry.definitions.values()]
    plain = [item for item in definitions if isinstance(item, AttributeDefinition)]
    measured = [item for item in definitions if isinstance(item, MeasurementDefinition)]
    code = _Code(registry)
    sections = [
        code.mapping("ATTRIBUTES", AttributeDefinition, {item.key: item for item in plain}),
        docstring("Attributes that are not measurements, by key."),
        code.mapping("MEASUREMENTS", MeasurementDefinition, {item.name: item for item in measured}),
        docstring("Measurements, by name."),
        code.identity(),
        docstring("What every event may carry."),
        code.mapping("EVENTS", EventDefinition, registry.events),
        docstring("Events, by name."),
        code.mapping("LIFECYCLES", LifecycleDefinition, registry.lifecycles),
        docstring("Spans that begin and end, by the name of the span."),
        code.mapping("METRICS", MetricDefinition, registry.metrics),
        docstring("OTLP metrics whose meaning is known, by name."),
    ]
    pairs = zip(sections[::2], sections[1::2], strict=True)
    return "\n".join(f"{assignment}\n{meaning}" for assignment, meaning in pairs)


class _Code:
    """Definitions as code; whatever has a constant is written as that constant."""

    def __init__(self, registry: Registry) -> None:
        names = (*registry.definitions, *registry.lifecycles, *registry.events)
        self._constants = {name: constant_name(name) for name in names}
        self._identity = registry.identity

    def mapping(self, name: str, value_type: type, items: Mapping[str, Definition]) -> str:
        entries = [Named(f"{self._text(key)}: ", self._call(item)) for key, item in items.items()]
        call = Bracketed("MappingProxyType", [Bracketed("", entries, "{}")])
        prefix = f"{name}: Final[Mapping[str, {value_type.__name__}]] = "
        return "\n".join(call.lines(prefix, "", 0))

    def identity(self) -> str:
        uses = Bracketed("", [self._call(use) for use in self._identity])
        return "\n".join(uses.lines("IDENTITY: Final = ", "", 0))

    def _call(self, item: Definition) -> Bracketed:
        arguments: list[Expression] = []
        # What is used, and how firmly, reads well without its parameter's name.
        positional = 2 if isinstance(item, AttributeUse | MeasurementUse) else 0
        for index, field in enumerate(dataclasses.fields(item)):
            value = getattr(item, field.name)
            if value == field.default:
                continue
            if isinstance(item, EventDefinition) and field.name == "attributes":
                code = self._overridden(item.attributes)
            else:
                code = self._value(value)
            by_place = index == len(arguments) < positional
            arguments.append(code if by_place else Named(f"{field.name}=", code))
        return Bracketed(type(item).__name__, arguments)

    def _overridden(self, uses: tuple[AttributeUse, ...]) -> Expression:
        """Write an event's attributes without those it has in common with every event."""
        own = [self._call(use) for use in uses if use not in self._identity]
        return (
            Bracketed("overridden", [Expression("IDENTITY"), *own])
            if own
            else Expression("IDENTITY")
        )

    def _value(self, value: object) -> Expression:
        if isinstance(value, enum.Enum):
            return Expression(f"{type(value).__name__}.{value.name}")
        if isinstance(value, AttributeUse | Duration | MeasurementUse | Watch):
            return self._call(value)
        if isinstance(value, tuple):
            return Bracketed("", [self._value(item) for item in value])
        match value:
            case AttributeDefinition():
                code = f"ATTRIBUTES[{self._text(value.key)}]"
            case MeasurementDefinition():
                code = f"MEASUREMENTS[{self._text(value.name)}]"
            case str():
                code = self._text(value)
            case _:
                code = repr(value)
        return Expression(code)

    def _text(self, text: str) -> str:
        return self._constants.get(text) or string(text)
