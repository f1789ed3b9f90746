"""The types that `events` is written in: what the registry says about one attribute, number or event.

What a reader could not guess: on the wire everything is an attribute of a span. A *measurement* is
an attribute that holds a number with a unit (key `crucible.measurement.<name>`, or a key that
OpenTelemetry already gave it); what an event says besides is an *attribute* here, `metadata` in the
packages the events come from. Duration and time belong to the span itself and have no key.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class AttributeType(enum.StrEnum):
    """The types of attribute values, by their names in OpenTelemetry's semantic conventions."""

    STRING = "string"
    INT = "int"
    DOUBLE = "double"
    BOOLEAN = "boolean"
    STRINGS = "string[]"
    INTS = "int[]"
    DOUBLES = "double[]"
    BOOLEANS = "boolean[]"


class Location(enum.StrEnum):
    """What carries an attribute."""

    SPAN = "span"
    EXCEPTION = "exception"  # the span event named `exception`
    RESOURCE = "resource"


class Requirement(enum.StrEnum):
    """How firmly an event asks for a field: OpenTelemetry's requirement levels."""

    REQUIRED = "required"
    CONDITIONALLY_REQUIRED = "conditionally_required"
    RECOMMENDED = "recommended"
    OPT_IN = "opt_in"


class Instrument(enum.StrEnum):
    """How numbers of one name combine: levels are averaged (gauge), amounts are summed (counter)."""

    GAUGE = "gauge"
    COUNTER = "counter"
    UPDOWNCOUNTER = "updowncounter"
    HISTOGRAM = "histogram"


class WatchClass(enum.StrEnum):
    """Which detectors watch a number by default."""

    TREND = "trend"  # falls or rises over a training: spikes and drift against its own course
    THROUGHPUT = "throughput"  # slow-downs and stalls
    LEARNING_RATE = "learning_rate"  # set by a schedule: only exactly 0 is worth a warning
    LEVEL = "level"  # hovers around something: rarity and step changes


class WatchScale(enum.StrEnum):
    """Whether distances between values of a watched number are differences or ratios."""

    LINEAR = "linear"
    LOG = "log"


class WatchDirection(enum.StrEnum):
    """Which deviations of a watched number are anomalous."""

    UP = "up"  # what is too high
    DOWN = "down"  # what is too low
    BOTH = "both"


class EventKind(enum.StrEnum):
    """Whether an event is the end of a span with a life, or a span of its own."""

    SPAN = "span"  # the span is named after the life-cycle, without the action
    POINT = "point"  # zero-length, or as long as what it measured; named with the full event name


class Phase(enum.StrEnum):
    """Which part of a life-cycle an event tells of."""

    START = "start"
    STOP = "stop"
    EXCEPTION = "exception"


class FreeMeasurements(enum.StrEnum):
    """What becomes of measurements that the registry does not name."""

    NONE = "none"  # the event has no place for them; they stay attributes if sent all the same
    ATTRIBUTES = "attributes"  # welcome, and stay attributes of the span
    SERIES = "series"  # welcome, and become points with a step


@dataclass(frozen=True, slots=True)
class Watch:
    """How a number is watched; None in its place means that it is not.

    `direction` is against what is better, where the registry does not say otherwise. What else has a
    score of 1 has one of `sensitivity`.
    """

    watch_class: WatchClass
    scale: WatchScale
    direction: WatchDirection = WatchDirection.BOTH
    sensitivity: float = 1.0


@dataclass(frozen=True, slots=True)
class AttributeDefinition:
    """One attribute key, the same wherever it is used.

    `field` is its path in the `metadata` map of the packages the events come from, `aliases` are
    other paths seen there. `values` are the members of an enum (others may still arrive), and
    `is_json` says that the string is JSON, since OTLP has no portable attribute for a map.
    """

    key: str
    type: AttributeType
    brief: str
    field: str
    location: Location = Location.SPAN
    values: tuple[str, ...] = ()
    is_json: bool = False
    aliases: tuple[str, ...] = ()
    examples: tuple[str | int | float | bool | tuple[str | int | float | bool, ...], ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class MeasurementDefinition:
    """One number with a unit (UCUM, as OpenTelemetry writes them), the same wherever it is used.

    `name` is also its field in the `measurements` map of the packages the events come from.
    """

    key: str
    name: str
    type: AttributeType
    unit: str
    instrument: Instrument
    brief: str
    lower_is_better: bool | None = None  # None: neither is better
    watch: Watch | None = None
    aliases: tuple[str, ...] = ()
    examples: tuple[int | float, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class AttributeUse:
    """An attribute as one event uses it; `values` narrows an enum where the event has fewer.

    `field` is what the event's producer calls it, where that differs from the attribute's own.
    """

    attribute: AttributeDefinition
    requirement: Requirement = Requirement.RECOMMENDED
    condition: str = ""
    values: tuple[str, ...] = ()
    field: str = ""
    note: str = ""

    @property
    def fields(self) -> tuple[str, ...]:
        """Its paths in `metadata`, the producer's own first."""
        own = (self.field,) if self.field else ()
        return (*own, self.attribute.field, *self.attribute.aliases)


@dataclass(frozen=True, slots=True)
class MeasurementUse:
    """A measurement as one event uses it; a series has one point for each such event.

    `field` is what the event's producer calls it, where that differs from the measurement's name.
    """

    measurement: MeasurementDefinition
    requirement: Requirement = Requirement.RECOMMENDED
    condition: str = ""
    is_series: bool = False
    field: str = ""
    note: str = ""

    @property
    def fields(self) -> tuple[str, ...]:
        """Its names in `measurements`, the producer's own first."""
        own = (self.field,) if self.field else ()
        return (*own, self.measurement.name, *self.measurement.aliases)


@dataclass(frozen=True, slots=True)
class Duration:
    """An event's length: the span's own, in ns on the wire.

    `field` and `unit` are those of the `measurements` map of the package the event comes from. It is
    watched as that of any event is where `watch` does not say how, and not at all with `is_watched`
    false.
    """

    field: str = "duration"
    unit: str = "ns"
    is_required: bool = True
    is_watched: bool = True
    watch: Watch | None = None


@dataclass(frozen=True, slots=True)
class EventDefinition:
    """One event, `span_name` being the name of its span on the wire.

    `attributes` and `measurements` are all that this span may carry, inherited ones first.
    """

    name: str
    brief: str
    producer: str
    kind: EventKind
    span_name: str
    attributes: tuple[AttributeUse, ...]
    measurements: tuple[MeasurementUse, ...] = ()
    free_measurements: FreeMeasurements = FreeMeasurements.NONE
    phase: Phase | None = None
    lifecycle: str | None = None  # span name of the life-cycle it belongs to
    duration: Duration | None = None
    aliases: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class LifecycleDefinition:
    """A span that begins and ends, and the names of the events that this makes."""

    span_name: str
    brief: str
    stop: str
    start: str | None = None  # also sent at once, as a zero-length span of this name
    exception: str | None = None  # None: an end with an error is still `stop`
    span_kind: str = "internal"  # or client, server, producer, consumer
    note: str = ""


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """An OTLP metric whose meaning is known."""

    name: str
    unit: str
    instrument: Instrument
    brief: str
    attributes: tuple[AttributeUse, ...] = ()
    lower_is_better: bool | None = None
    watch: Watch | None = None
    example: int | float = 0
    note: str = ""


def overridden(inherited: tuple[AttributeUse, ...], *own: AttributeUse) -> tuple[AttributeUse, ...]:
    """Join inherited uses with own ones; an own use takes the place of an inherited one."""
    uses = {use.attribute.key: use for use in (*inherited, *own)}
    return tuple(uses.values())
