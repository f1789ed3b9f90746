"""What SDK and collector ask of the registry: the name of an event, and what becomes a point."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from crucible_schema.definitions import FreeMeasurements
from crucible_schema.events import EVENTS, LIFECYCLES

SERIES_MEASUREMENTS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {name: event.series_measurements for name, event in EVENTS.items()}
)
"""For each event, the names of its own measurements that become points."""

FREE_SERIES_EVENTS: Final = frozenset(
    name for name, event in EVENTS.items() if event.free_measurements is FreeMeasurements.SERIES
)
"""Events whose measurements become points also where the registry does not name them."""

EVENT_ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {alias: name for name, event in EVENTS.items() for alias in event.aliases}
)
"""Names under which other producers send an event, and the event's own name."""

_NAMED_NON_SERIES: Final = frozenset(
    (name, use.measurement.name)
    for name, event in EVENTS.items()
    for use in event.measurements
    if not use.is_series
)


def event_name(span_name: str, is_error: bool) -> str:
    """Name the event that the end of a span makes.

    `is_error` says that the span's status is ERROR. Names that are no life-cycle's come back
    unchanged: point events and start markers bear their own name, and so do foreign spans.
    """
    lifecycle = LIFECYCLES.get(span_name)
    if lifecycle is None:
        return span_name
    return lifecycle.exception or lifecycle.stop if is_error else lifecycle.stop


def canonical_event(name: str) -> str:
    """The event's own name for one that other producers send it under; any other name unchanged."""
    return EVENT_ALIASES.get(name, name)


def is_known(event: str) -> bool:
    """Tell whether the registry knows an event by this, its own name."""
    return event in EVENTS


def is_series(event: str, measurement: str) -> bool:
    """Tell whether a measurement of an event becomes a point; never where the event is unknown."""
    if measurement in SERIES_MEASUREMENTS.get(event, ()):
        return True
    return event in FREE_SERIES_EVENTS and (event, measurement) not in _NAMED_NON_SERIES
