"""One event of the family's shape, `{event_name, measurements, metadata, timestamp}`, as a span.

A start becomes the zero-length mark that the SDK sends, a stop or an exception the span that ends with
it, everything else a span of its own, as long as what it measured. Which field is which attribute, and
in which unit its producer measures, is the registry's to say; what it does not know is kept as
`crucible.<object>.<field>`.

What a reader could not guess: `crucible.event.name` is the name as sent wherever it is not what the
span already says, and the pipeline makes the registry's name of it, as it does for everybody. So it is
where the registry does not know the name: as an event it is unknown, not another's span.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span

import crucible_schema
from crucible_collector.receive.events_bridge_fields import (
    Fields,
    Name,
    read_measurements,
    read_metadata,
    read_source,
)
from crucible_collector.receive.events_bridge_ids import Known, fingerprint, ids_of, named
from crucible_collector.receive.events_bridge_outcome import failure_of
from crucible_collector.receive.events_bridge_values import EventError, fill, text, time_ns, typed
from crucible_schema import Phase, events

# Whatever is not one of these, at the top, belongs to the envelope and is read as metadata.
_SHAPE = frozenset({"event_name", "measurements", "metadata", "timestamp", "source"})
_MESSAGE_MAX = 1024
_ERROR = 2  # OTLP Status.StatusCode


@dataclass(frozen=True, slots=True)
class Sent:
    """What the request says for all of its events."""

    received_ns: int
    correlation_id: str | None


@dataclass(slots=True)
class Translated:
    """A span, and the attributes of the resource that it belongs to."""

    span: Span
    resource: dict[str, Any]
    scope_name: str
    is_anonymous: bool  # neither an id nor a time: the same again may be another one


def translate(event: Any, sent: Sent) -> Translated:
    """Raises EventError where it is no event, RecursionError where it is nested too deeply."""
    if not isinstance(event, dict):
        raise EventError("invalid_event", "expected an object")
    name = Name.of(event.get("event_name"))
    measurements = _map(event, "measurements")
    metadata = _map(event, "metadata") | {k: v for k, v in event.items() if k not in _SHAPE}
    fields = Fields(name)
    read_measurements(fields, measurements, metadata)
    read_metadata(fields, metadata)
    read_source(fields, event.get("source"))
    timestamp = event.get("timestamp")
    if timestamp is None and name.phase is Phase.START:
        timestamp = fields.system_time
    values = named(metadata)
    content = json.dumps(event, sort_keys=True, default=str)
    has_time = timestamp is not None
    known = Known(
        name.scope,
        name.phase is Phase.START,
        name.phase is not None,
        values,
        fingerprint(content, "" if has_time else str(sent.received_ns)),
    )
    if values["correlation_id"] is None and sent.correlation_id is not None:
        fields.add(events.CORRELATION_ID, "correlation_id", sent.correlation_id)
    span = _span(known, fields, time_ns(timestamp) if has_time else sent.received_ns)
    _set_outcome(span, fields, metadata, measurements)
    is_anonymous = not has_time and values["span_id"] is None and "event_id" not in metadata
    return Translated(span, fields.resource, name.sent.partition(".")[0], is_anonymous)


def _map(event: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = event.get(key)
    if value is None or value == []:  # an empty keyword list
        return {}
    if not isinstance(value, dict):
        raise EventError(f"invalid_{key}", f"{key}: expected an object")
    return value


def _span(known: Known, fields: Fields, at_ns: int) -> Span:
    name, length_ns = fields.name, fields.duration_ns or 0
    if length_ns >= at_ns:
        raise EventError("invalid_duration", "the event would have begun before 1970")
    ids = ids_of(known)
    span = Span(
        trace_id=ids.trace_id,
        span_id=ids.span_id,
        parent_span_id=ids.parent_span_id,
        name=name.span_name,
        start_time_unix_nano=at_ns - length_ns,
        end_time_unix_nano=at_ns,
    )
    for key, value in fields.by_key():
        _attribute(span.attributes.add, key, value)
    return span


def _attribute(add: Callable[[], Any], key: str, value: Any) -> None:
    made = add()
    made.key = text(key)
    fill(made.value, value)


def _set_outcome(
    span: Span, fields: Fields, metadata: Mapping[str, Any], measurements: Mapping[str, Any]
) -> None:
    name = fields.name
    failure = failure_of(name.own, name.phase, metadata, measurements)
    if failure is not None:
        message = text(failure)[:_MESSAGE_MAX]
        span.status.code = _ERROR  # type: ignore[assignment] # the enum's number
        span.status.message = message
        kind = metadata.get("error_type", metadata.get("kind"))
        told = {"exception.type": kind, "exception.message": message, **fields.exception}
        exception = span.events.add(name="exception", time_unix_nano=span.end_time_unix_nano)
        for key, value in told.items():
            if value:
                _attribute(exception.attributes.add, key, typed(key, value))
    elif fields.exception:
        for key, value in fields.exception.items():
            _attribute(span.attributes.add, key, typed(key, value))
    is_told = crucible_schema.event_name(span.name, failure is not None) == name.sent
    if not is_told or not crucible_schema.is_known(
        name.own
    ):  # what is posted calls itself an event
        _attribute(span.attributes.add, events.EVENT_NAME, name.sent)
