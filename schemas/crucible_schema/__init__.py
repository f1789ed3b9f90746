"""The events of Crucible Telemetry: names, attribute keys, units. SDK and collector meet here only.

    events        generated from schemas/registry: keys and names as constants
    aliases       generated from schemas/aliases.yaml: what others call them
    catalogue     generated from schemas/registry: a definition of each, read in when asked for
    registry      the mappings that ask
    definitions   the types that definitions are written in
    alias         the type that the alias table is written in
    lookup        the name of an event, which of its measurements become points, what a field means
    published     the registry as JSON Schema, for other languages

`events` is imported as a module, for its constants: `from crucible_schema import events`.
"""

from crucible_schema import events
from crucible_schema.alias import Alias
from crucible_schema.aliases import (
    ALIASES_VERSION,
    ATTRIBUTE_ALIASES,
    EVENT_ALIASES,
    EVENT_PREFIX_ALIASES,
    MEASUREMENT_ALIASES,
    MEASUREMENT_PREFIXES,
    SPAN_ALIASES,
)
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
)
from crucible_schema.lookup import (
    MEASUREMENT_PREFIX,
    canonical_event,
    canonical_measurement,
    duration_scale_ns,
    event_name,
    is_known,
    is_measurement_key,
    is_series,
    measurement_of,
    measurement_scale,
    metadata_key,
    spellings,
)
from crucible_schema.published import json_schema
from crucible_schema.registry import ATTRIBUTES, EVENTS, LIFECYCLES, MEASUREMENTS, METRICS

__all__ = [
    "ALIASES_VERSION",
    "ATTRIBUTES",
    "ATTRIBUTE_ALIASES",
    "EVENTS",
    "EVENT_ALIASES",
    "EVENT_PREFIX_ALIASES",
    "LIFECYCLES",
    "MEASUREMENTS",
    "MEASUREMENT_ALIASES",
    "MEASUREMENT_PREFIX",
    "MEASUREMENT_PREFIXES",
    "METRICS",
    "SPAN_ALIASES",
    "Alias",
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
    "WatchDirection",
    "WatchScale",
    "canonical_event",
    "canonical_measurement",
    "duration_scale_ns",
    "event_name",
    "events",
    "is_known",
    "is_measurement_key",
    "is_series",
    "json_schema",
    "measurement_of",
    "measurement_scale",
    "metadata_key",
    "spellings",
]
