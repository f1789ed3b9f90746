"""Registry → the text of `crucible_schema/catalogue.py`: what the registry says about each name."""

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
from generator.layout import Bracketed, Expression, Named, docstring, string
from generator.registry import Registry

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

_HEAD = '''"""What the registry says about every event, attribute and number. Generated: do not edit.

`schemas/generate.py` makes it from `schemas/registry/*.yaml`. Ask `crucible_schema.registry`, which
reads this in when it has to.
"""

from __future__ import annotations

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
    WatchDirection,
    WatchScale,
    overridden,
)
'''


def catalogue_module(registry: Registry) -> str:
    """Write the whole module."""
    return f"{_HEAD}\n{_mappings(registry)}"


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
    """Definitions as code."""

    def __init__(self, registry: Registry) -> None:
        self._identity = registry.identity

    def mapping(self, name: str, value_type: type, items: Mapping[str, Definition]) -> str:
        entries = [Named(f"{string(key)}: ", self._call(item)) for key, item in items.items()]
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
                code = f"ATTRIBUTES[{string(value.key)}]"
            case MeasurementDefinition():
                code = f"MEASUREMENTS[{string(value.name)}]"
            case str():
                code = string(value)
            case _:
                code = repr(value)
        return Expression(code)
