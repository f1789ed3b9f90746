"""The events of Crucible Telemetry: names, attribute keys, units. SDK and collector meet here only.

    events        generated from schemas/registry: constants, and a definition of each event
    definitions   the types those are written in
    lookup        the name of an event, and which of its measurements become points

`events` is imported as a module, for its constants: `from crucible_schema import events`.
"""

from crucible_schema import events
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
)
from crucible_schema.events import ATTRIBUTES, EVENTS, IDENTITY, LIFECYCLES, MEASUREMENTS, METRICS
from crucible_schema.lookup import (
    EVENT_ALIASES,
    FREE_SERIES_EVENTS,
    SERIES_MEASUREMENTS,
    canonical_event,
    event_name,
    is_known,
    is_series,
)

__all__ = [
    "ATTRIBUTES",
    "EVENTS",
    "EVENT_ALIASES",
    "FREE_SERIES_EVENTS",
    "IDENTITY",
    "LIFECYCLES",
    "MEASUREMENTS",
    "METRICS",
    "SERIES_MEASUREMENTS",
    "AttributeDefinition",
    "AttributeType",
    "AttributeUse",
    "Duration",
    "EventDefinition",
    "EventKind",
    "FreeMeasurements",
    "Instrument",
    "LifecycleDefinition",
    "Location",
    "MeasurementDefinition",
    "MeasurementUse",
    "MetricDefinition",
    "Phase",
    "Requirement",
    "Watch",
    "WatchClass",
    "WatchScale",
    "canonical_event",
    "event_name",
    "events",
    "is_known",
    "is_series",
]
