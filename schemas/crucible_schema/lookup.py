"""What SDK and collector ask of the registry: the name of an event, what a field or a key means.

Names come from outside and may be of any number, so what is remembered of them is bounded.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from crucible_schema.aliases import (
    ATTRIBUTE_ALIASES,
    EVENT_ALIASES,
    EVENT_PREFIX_ALIASES,
    MEASUREMENT_ALIASES,
    MEASUREMENT_PREFIXES,
    MEASUREMENT_SCALES,
    SPAN_ALIASES,
)
from crucible_schema.definitions import FreeMeasurements
from crucible_schema.registry import EVENTS, LIFECYCLES

MEASUREMENT_PREFIX: Final = "crucible.measurement."
"""The keys of our own measurements; the rest of the key is the name."""

_NAMES_MAX = 4096
_NS: Final = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
# Other fields that hold an event's duration, each with the unit that its name has wherever it is.
_DURATION_FIELDS: Final = {
    "duration_ns": "ns",
    "latency_us": "us",
    "duration_us": "us",
    "duration_ms": "ms",
    "elapsed_time": "ms",
    "duration_s": "s",
}


def is_known(event: str) -> bool:
    """Tell whether the registry has an event of this name; an alias is not one."""
    return event in EVENTS


@functools.lru_cache(_NAMES_MAX)
def canonical_event(name: str) -> str:
    """Give the registry's name of an event or of a span that is known under another.

    A name that means nothing here comes back unchanged, also where its beginning is an alias.
    """
    if name in EVENTS or name in LIFECYCLES:
        return name
    alias = EVENT_ALIASES.get(name) or SPAN_ALIASES.get(name)
    if alias is not None:
        return alias
    end = len(name)
    while end > 0:
        prefix = EVENT_PREFIX_ALIASES.get(name[:end])
        if prefix is not None and prefix != name:
            renamed = prefix + name[end:]
            renamed = EVENT_ALIASES.get(renamed, renamed)
            if renamed in EVENTS or renamed in LIFECYCLES:
                return renamed
        end = name.rfind(".", 0, end)
    return name


@functools.lru_cache(_NAMES_MAX)
def event_name(span_name: str, is_error: bool) -> str:
    """Name the event that the end of a span makes; the span's name may be an alias.

    `is_error` says that the span's status is ERROR. Names that are no life-cycle's come back
    unchanged: point events and start markers bear their own name, and so do foreign spans.
    """
    lifecycle = LIFECYCLES.get(canonical_event(span_name))
    if lifecycle is None:
        return span_name
    return lifecycle.exception or lifecycle.stop if is_error else lifecycle.stop


def is_series(event: str, measurement: str) -> bool:
    """Tell whether a measurement of an event becomes a point; never where the event is unknown.

    Both by their names in the registry.
    """
    named, is_free = _series(event)
    return named.get(measurement, is_free and measurement not in ATTRIBUTE_ALIASES)


@functools.lru_cache(_NAMES_MAX)
def _series(event: str) -> tuple[Mapping[str, bool], bool]:
    """Say of each of its own measurements whether it becomes a point, and what others do."""
    definition = EVENTS.get(event)
    if definition is None:
        return {}, False
    named = {use.measurement.name: use.is_series for use in definition.measurements}
    return named, definition.free_measurements is FreeMeasurements.SERIES


@functools.lru_cache(_NAMES_MAX)
def canonical_measurement(event: str, key: str) -> str:
    """Give the registry's name of a measurement.

    `key` is the key of an attribute, the name of a metric, or a field of the producer's
    `measurements`; `event` by its name in the registry, or empty. What is not known comes back
    unchanged, but for the prefix of our own keys.
    """
    name = key.removeprefix(MEASUREMENT_PREFIX)
    return MEASUREMENT_ALIASES.get((event, name)) or MEASUREMENT_ALIASES.get(("", name)) or name


def measurement_scale(key: str) -> float:
    """Give what a number under that key is to be multiplied by, to be in the registry's unit."""
    return MEASUREMENT_SCALES.get(key, 1.0)


def is_measurement_key(key: str) -> bool:
    """Tell whether a numeric attribute of a span with this key is a measurement."""
    if key.startswith(MEASUREMENT_PREFIX):
        return len(key) > len(MEASUREMENT_PREFIX)
    if not key.startswith(MEASUREMENT_PREFIXES):
        return False
    return key not in ATTRIBUTE_ALIASES or ("", key) in MEASUREMENT_ALIASES


@functools.cache
def _spellings() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for spelling, alias in ATTRIBUTE_ALIASES.items():
        found.setdefault(alias.key, [alias.key]).append(spelling)
    return MappingProxyType({key: tuple(keys) for key, keys in found.items()})


def spellings(key: str) -> tuple[str, ...]:
    """List the keys under which one of ours is also found, the one that counts most first."""
    return _spellings().get(key, (key,))


@functools.lru_cache(_NAMES_MAX)
def _metadata_keys(event: str) -> Mapping[str, str]:
    definition = EVENTS.get(event)
    return _claims(
        [(use.attribute.key, use.field, use.fields) for use in definition.attributes]
        if definition
        else []
    )


@functools.lru_cache(_NAMES_MAX)
def _measurement_keys(event: str) -> Mapping[str, str]:
    definition = EVENTS.get(event)
    return _claims(
        [(use.measurement.key, use.field, use.fields) for use in definition.measurements]
        if definition
        else []
    )


def _claims(uses: list[tuple[str, str, tuple[str, ...]]]) -> Mapping[str, str]:
    """Say which key each field belongs to: a field that the event itself names beats the others."""
    keys = {own: key for key, own, _ in uses if own}
    for key, _, fields in uses:
        for field in fields:
            keys.setdefault(field, key)
    return MappingProxyType(keys)


def metadata_key(event: str, field: str) -> str | None:
    """Give the attribute key of a field of an event's `metadata`, aliases included.

    None where the registry does not know the event or the field.
    """
    return _metadata_keys(canonical_event(event)).get(field)


def measurement_of(event: str, field: str) -> str | None:
    """Give the attribute key of a field of an event's `measurements`, aliases included.

    None where the registry does not know the event or the field; its duration is no such field.
    """
    return _measurement_keys(canonical_event(event)).get(field)


@functools.cache
def _producers_units() -> Mapping[str, str]:
    """Give the unit in which each package measures `duration`, by the first part of its names."""
    units: dict[str, str] = {}
    for event in EVENTS.values():
        if event.duration is not None and event.duration.field == "duration":
            units.setdefault(event.name.partition(".")[0], event.duration.unit)
    return MappingProxyType(units)


def duration_scale_ns(event: str, field: str) -> float | None:
    """Give the nanoseconds in one unit of a field of `measurements` that is the event's duration.

    None where the field is no duration. What the registry does not give a duration, or does not
    know at all, and is called `duration` is in the usual unit of its package, else in ns.
    """
    definition = EVENTS.get(canonical_event(event))
    if definition and definition.duration and definition.duration.field == field:
        return _NS[definition.duration.unit]
    if measurement_of(event, field) is not None:
        return None
    if field == "duration":
        return _NS[_producers_units().get(event.partition(".")[0], "ns")]
    return _NS[_DURATION_FIELDS[field]] if field in _DURATION_FIELDS else None
