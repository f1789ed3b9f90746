"""Alias table → the text of `crucible_schema/aliases.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from crucible_schema.definitions import MeasurementDefinition
from generator.aliases import AliasTable, Renaming
from generator.fields import MEASUREMENT_PREFIX
from generator.layout import Bracketed, Expression, Named, docstring, string
from generator.registry import Registry

_HEAD = '''"""What others call our events, attributes and measurements. Generated: do not edit.

`schemas/generate.py` makes it from `schemas/aliases.yaml` and from the aliases in
`schemas/registry/*.yaml`. `lookup` answers questions about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from crucible_schema.alias import Alias
'''


def aliases_module(registry: Registry, table: AliasTable) -> str:
    """Write the whole module."""
    pairs = [
        (
            f"ALIASES_VERSION: Final = {string(table.version)}",
            "Rises when an alias's meaning changes.",
        ),
        (
            _mapping("EVENT_ALIASES", "str, str", _events(registry)),
            "Other names of events, and the registry's.",
        ),
        (
            _mapping("EVENT_PREFIX_ALIASES", "str, str", _strings(table.prefixes)),
            "Beginnings of events' names up to a dot, and the registry's.",
        ),
        (
            _mapping("SPAN_ALIASES", "str, str", _strings(table.spans)),
            "Other names of spans with a life, and the registry's.",
        ),
        (
            _mapping("ATTRIBUTE_ALIASES", "str, Alias", _keys(table)),
            "Other keys of attributes and measurements; of several for one, the first counts most.",
        ),
        (
            _mapping("MEASUREMENT_ALIASES", "tuple[str, str], str", _measurements(registry, table)),
            "The registry's name of a measurement by event (or nothing: any) and other name.",
        ),
        (
            _mapping("MEASUREMENT_SCALES", "str, float", _scales(table)),
            "What a number is to be multiplied by, by its other key, where that is not 1.",
        ),
        (_prefixes(table), "Beginnings of keys whose numbers are measurements, ours first."),
    ]
    return f"{_HEAD}\n" + "\n".join(f"{code}\n{docstring(text)}" for code, text in pairs)


def _events(registry: Registry) -> dict[str, Expression]:
    return {
        string(alias): Expression(string(event.name))
        for event in registry.events.values()
        for alias in event.aliases
    }


def _strings(renamings: Iterable[Renaming]) -> dict[str, Expression]:
    return {string(item.old): Expression(string(item.new)) for item in renamings}


def _keys(table: AliasTable) -> dict[str, Expression]:
    found: dict[str, Expression] = {}
    for alias, convention in table.entries():
        parts = [Expression(string(alias.new)), Expression(string(convention.id))]
        if alias.scale != 1:
            parts.append(Expression(repr(alias.scale)))
        found[string(alias.old)] = Bracketed("Alias", parts)
    return found


def _measurements(registry: Registry, table: AliasTable) -> dict[str, Expression]:
    """Per event what its producer calls its numbers; for all of them what other conventions do.

    Keys of measurements that do not bear our prefix are among the latter.
    """
    found: dict[tuple[str, str], str] = {}
    for alias, _ in table.entries():
        definition = registry.definitions[alias.new].definition
        if isinstance(definition, MeasurementDefinition):
            found["", alias.old] = definition.name
    for defined in registry.definitions.values():
        definition = defined.definition
        if isinstance(definition, MeasurementDefinition) and not definition.key.startswith(
            MEASUREMENT_PREFIX
        ):
            found["", definition.key] = definition.name
    for event in registry.events.values():
        names = {use.measurement.name for use in event.measurements}
        for use in event.measurements:
            for field in use.fields:
                if field not in names:
                    found.setdefault((event.name, field), use.measurement.name)
    return {
        f"({string(event)}, {string(field)})": Expression(string(name))
        for (event, field), name in found.items()
    }


def _scales(table: AliasTable) -> dict[str, Expression]:
    return {
        string(alias.old): Expression(repr(alias.scale))
        for alias, _ in table.entries()
        if alias.scale != 1
    }


def _prefixes(table: AliasTable) -> str:
    prefixes = [MEASUREMENT_PREFIX, *table.measurement_prefixes]
    value = Bracketed("", [Expression(string(prefix)) for prefix in prefixes])
    return "\n".join(value.lines("MEASUREMENT_PREFIXES: Final[tuple[str, ...]] = ", "", 0))


def _mapping(name: str, types: str, items: Mapping[str, Expression]) -> str:
    entries = [Named(f"{key}: ", value) for key, value in items.items()]
    call = Bracketed("MappingProxyType", [Bracketed("", entries, "{}")])
    return "\n".join(call.lines(f"{name}: Final[Mapping[{types}]] = ", "", 0))
