"""The fields of one event, sorted by what becomes of them: attributes, exception, resource, length.

What a reader could not guess: producers put measurements among the metadata and words among the
measurements, so each field is asked of the registry under both. What it does not know is kept as
`crucible.<object>.<field>`; nothing is left out but what the span's ids say already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import crucible_schema
from crucible_collector.receive.events_bridge_ids import is_in_ids
from crucible_collector.receive.events_bridge_values import (
    EventError,
    duration_ns,
    is_number,
    number,
    text,
    typed,
)
from crucible_schema import MEASUREMENT_PREFIX, AttributeType, Location, Phase, events

_PHASES = {"start": Phase.START, "stop": Phase.STOP, "exception": Phase.EXCEPTION}
# An event with little but identity, which all others may carry too.
_ANY_EVENT = events.CRUCIBLE_TELEMETRY_RUN_HEARTBEAT
_NAME_BYTES_MAX = 256
_NUMBERS = (AttributeType.INT, AttributeType.DOUBLE)
# Where a model's struct has the name that the key asks for. A provider's model goes by its id, and by
# `model` before; the `name` that req_llm's has beside is one to show. A model of our own has a name.
_MODEL_NAMES = {
    events.GEN_AI_REQUEST_MODEL: ("id", "model", "name"),
    events.GEN_AI_RESPONSE_MODEL: ("id", "model", "name"),
    events.MODEL_NAME: ("name", "id", "model"),
}
_SOURCE = {
    "service": "service.name",
    "version": "service.version",
    "instance": "service.instance.id",
    "host": "host.name",
    "pid": "process.pid",
}


@dataclass(frozen=True, slots=True)
class Name:
    """An event's name, and what the registry makes of it."""

    sent: str
    own: str  # the registry's
    phase: Phase | None
    span_name: str  # of the life it is the end of; else `own`
    scope: str  # what begins and ends

    @classmethod
    def of(cls, value: Any) -> Name:
        """Read a dotted name or a list of atoms. Raises EventError."""
        parts = value if isinstance(value, list) else [value]
        if not parts or not all(isinstance(part, str) and part.strip(": ") for part in parts):
            raise EventError("invalid_event_name", "event_name: expected a name or a list of atoms")
        sent = text(".".join(part.removeprefix(":") for part in parts))
        if len(sent.encode()) > _NAME_BYTES_MAX:
            raise EventError(
                "invalid_event_name", f"event_name: longer than {_NAME_BYTES_MAX} bytes"
            )
        own = crucible_schema.canonical_event(sent)
        scope, _, last = own.rpartition(".")
        definition = crucible_schema.EVENTS.get(own)
        if definition is not None:
            phase = definition.phase
            is_end = definition.lifecycle is not None and phase is not Phase.START
            return cls(sent, own, phase, definition.lifecycle if is_end else own, scope or own)  # type: ignore[arg-type] # is_end
        phase = _PHASES.get(last) if scope else None
        return cls(sent, own, phase, own, scope if phase else own)

    @property
    def object(self) -> str:
        """The second word from the end: what it happened to."""
        words = self.own.split(".")
        return words[-2] if len(words) > 1 else words[-1]


@dataclass(slots=True)
class Fields:
    """The fields of an event, sorted by what becomes of them."""

    name: Name
    attributes: list[tuple[str, str, Any]] = field(default_factory=list)  # key, field, value
    exception: dict[str, Any] = field(default_factory=dict)
    resource: dict[str, Any] = field(default_factory=dict)
    duration_ns: int | None = None
    system_time: Any = None

    def add(self, key: str, path: str, value: Any) -> None:
        definition = crucible_schema.ATTRIBUTES.get(key)
        if definition is not None and definition.location is Location.EXCEPTION:
            self.exception[key] = value
        elif definition is not None and definition.location is Location.RESOURCE:
            self.resource[key] = value
        else:
            self.attributes.append((key, path, value))

    def add_unknown(self, path: str, value: Any) -> None:
        self.attributes.append((f"crucible.{self.name.object}.{path}", path, value))

    def by_key(self) -> Iterator[tuple[str, Any]]:
        """Each key once. The field of its own name has it before an alias; that is kept apart."""
        taken: set[str] = set()
        for key, path, value in sorted(
            self.attributes, key=lambda each: not each[0].endswith("." + each[1])
        ):
            own = key if key not in taken else f"crucible.{self.name.object}.{path}"
            if own not in taken:
                taken.add(own)
                yield own, typed(own, value)


def read_measurements(
    fields: Fields, measurements: Mapping[str, Any], metadata: Mapping[str, Any]
) -> None:
    name = fields.name
    for path, value in _leaves(measurements):
        scale_ns = crucible_schema.duration_scale_ns(name.sent, path)
        if value is None:
            continue
        if path == "system_time":
            fields.system_time = value
        elif scale_ns is not None and name.phase is not Phase.START:
            fields.duration_ns = duration_ns(path, value, scale_ns)
        elif metadata.get(path) is None and _counts_something(name.sent, path, value):
            _read_field(fields, path, value)
        else:
            _read_measurement(fields, path, value)


def _counts_something(sent: str, path: str, value: Any) -> bool:
    """Whether a number is no measurement but says where one belongs: an epoch, an attempt."""
    if number(value) is None or crucible_schema.measurement_of(sent, path) is not None:
        return False
    definition = crucible_schema.ATTRIBUTES.get(_attribute_key(sent, path) or "")
    return definition is not None and definition.type in _NUMBERS


def _read_measurement(fields: Fields, path: str, value: Any) -> None:
    known = crucible_schema.measurement_of(fields.name.sent, path)
    measured = number(value)
    if measured is not None:
        fields.add(known or MEASUREMENT_PREFIX + path, path, measured)
    elif known is not None and isinstance(value, bool):
        fields.add(known, path, int(value))
    else:  # cns_ui puts its result among the measurements
        _read_field(fields, path, value)


def _leaves(measurements: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every measurement by its path; a map of `metrics` holds free ones by their own names."""
    for name, value in measurements.items():
        if isinstance(value, dict):
            yield from _leaves(value, "" if name == "metrics" else f"{prefix}{name}.")
        else:
            yield prefix + name, value


def read_metadata(fields: Fields, metadata: Mapping[str, Any]) -> None:
    sent = fields.name.sent
    for path, value in metadata.items():
        if value is None or is_in_ids(path, value):
            continue
        if isinstance(value, dict) and _attribute_key(sent, path) is None:
            rest = {
                inner: each
                for inner, each in value.items()
                if not _is_read(fields, path, inner, each)
            }
            if rest or not value:
                fields.add_unknown(path, rest)
        else:
            _read_field(fields, path, value)


def _is_read(fields: Fields, outer: str, inner: str, value: Any) -> bool:
    """Take a field within a map where the registry knows it; numbers in `metrics` it need not."""
    if outer == "metrics" and number(value) is not None:
        _read_measurement(fields, inner, value)
        return True
    path = f"{outer}.{inner}"
    if value is None or _known_key(fields.name.sent, path, value) is None:
        return value is None
    _read_field(fields, path, value)
    return True


def _read_field(fields: Fields, path: str, value: Any) -> None:
    sent = fields.name.sent
    key = _known_key(sent, path, value)
    scale_ns = crucible_schema.duration_scale_ns(sent, path) if key is None else None
    is_length = scale_ns is not None and is_number(value) and fields.duration_ns is None
    model = _model_name(key, value) if isinstance(value, dict) else None
    if key is not None and model is not None:
        fields.add(key, path, model)
        fields.add_unknown(path, value)
    elif key is not None:
        fields.add(key, path, value)
    elif is_length and scale_ns is not None and fields.name.phase is not Phase.START:
        fields.duration_ns = duration_ns(path, value, scale_ns)
    else:
        fields.add_unknown(path, value)


def _model_name(key: str | None, model: Mapping[str, Any]) -> str | None:
    """What a model that was put down whole, a struct of its package, is called."""
    told = (model.get(name) for name in _MODEL_NAMES.get(key or "", ()))
    return next((each for each in told if isinstance(each, str) and each), None)


def _known_key(sent: str, path: str, value: Any) -> str | None:
    """A field's key: an attribute's, or a measurement's that was put among the metadata."""
    key = _attribute_key(sent, path)
    if key is None and number(value) is not None:
        return crucible_schema.measurement_of(sent, path)
    return key


def _attribute_key(sent: str, path: str) -> str | None:
    if path == "event_name":  # the event's own counts; one within it is but a word
        return None
    key = crucible_schema.metadata_key(sent, path)
    if key is None:
        key = crucible_schema.metadata_key(_ANY_EVENT, path)
        return None if key == events.HEARTBEAT_INTERVAL_S else key
    return key


def read_source(fields: Fields, source: Any) -> None:
    if isinstance(source, str):
        source = {"service": source}
    if not isinstance(source, dict):
        if source is not None:
            fields.add_unknown("source", source)
        return
    for name, value in source.items():
        key = _SOURCE.get(name)
        if value is not None and key is not None:
            fields.resource[key] = typed(key, value)
        elif value is not None:
            fields.add_unknown(f"source.{name}", value)
