"""The bridge from the family's events to OTLP: a body of `{"events": […]}` becomes one export request.

What a reader could not guess: nothing here remembers anything. A start and its stop may come in
different requests, to different collectors, and are one span and its mark all the same (see
`events_bridge_ids`). An event that cannot be read is refused alone, by its index.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from crucible_collector.errors import MalformedError, TooLargeError
from crucible_collector.receive.events_bridge_event import Sent, Translated, translate
from crucible_collector.receive.events_bridge_ids import fingerprint
from crucible_collector.receive.events_bridge_values import EventError, fill, text
from crucible_collector.receive.json_values import delimited

# What the family allows itself in a minute, so that a minute's outage can be made up for at once.
EVENTS_MAX = 10_000
# OpenTelemetry's word for whoever does not say.
_UNKNOWN_SERVICE = "unknown_service"
# An integer of more digits is none that anybody measured, and Python refuses those of 4,300.
_DIGITS_MAX = 400
# Tags of ExportTraceServiceRequest.resource_spans, ResourceSpans.scope_spans, ScopeSpans.spans.
_RESOURCE_SPANS, _SCOPE_SPANS, _SPANS = b"\x0a", b"\x12", b"\x12"
# Scope name -> its spans, each with the index of its event.
_Scopes = dict[str, list[tuple[int, bytes]]]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the event at `index` was refused: a `code` for programs, a `message` for people."""

    index: int
    code: str
    message: str


@dataclass(slots=True)
class Bridged:
    """The request made of a body; `indices` says which event each of its spans is."""

    body: bytes
    indices: list[int] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    is_anonymous: bool = False  # some event has neither id nor time


def read_events(body: bytes) -> list[Any]:
    """The events of a body, unread. Raises MalformedError, TooLargeError."""
    try:
        parsed = json.loads(body, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"the body is not JSON that can be read: {error}") from None
    found = parsed.get("events") if isinstance(parsed, dict) else None
    if not isinstance(found, list):
        raise MalformedError('the body is not {"events": […]}')
    if len(found) > EVENTS_MAX:
        raise TooLargeError(f"{len(found)} events; at most {EVENTS_MAX} in a request")
    return found


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < _DIGITS_MAX else float(digits)


def bridge(events: Sequence[Any], sent: Sent) -> Bridged:
    """Translate what can be; the same events at the same time give the same request."""
    bridged = Bridged(b"")
    groups = _Groups()
    for index, event in enumerate(events):
        try:
            groups.add(index, translate(event, sent))
        except EventError as error:
            bridged.problems.append(Problem(index, error.code, str(error)))
        except RecursionError:
            message = "nested too deeply"
            bridged.problems.append(Problem(index, "invalid_event", message))
    bridged.body = b"".join(
        _RESOURCE_SPANS + delimited(_resource_spans(resource, scopes, bridged.indices))
        for resource, scopes in groups.found.values()
    )
    bridged.is_anonymous = groups.is_anonymous
    return bridged


def _resource_spans(resource: dict[str, Any], scopes: _Scopes, indices: list[int]) -> bytes:
    """A ResourceSpans on the wire; `indices` gets the events in the order of their spans."""
    head = ResourceSpans()
    for key, value in {"service.name": _UNKNOWN_SERVICE, **resource}.items():
        fill(head.resource.attributes.add(key=key).value, value)
    parts = [head.SerializeToString()]
    for name, spans in scopes.items():
        scope = ScopeSpans(scope=InstrumentationScope(name=name)).SerializeToString()
        content = b"".join((scope, *(_SPANS + delimited(span) for _, span in spans)))
        parts.append(_SCOPE_SPANS + delimited(content))
        indices += [index for index, _ in spans]
    return b"".join(parts)


class _Groups:
    """Spans by resource and scope, as OTLP has them.

    On the wire already: five thousand objects of protobuf take 20 times their text in memory.
    """

    def __init__(self) -> None:
        self.found: dict[str, tuple[dict[str, Any], _Scopes]] = {}
        self.is_anonymous = False
        self._seen: dict[bytes, int] = {}

    def add(self, index: int, translated: Translated) -> None:
        span = translated.span
        self._tell_apart(span)
        self.is_anonymous |= translated.is_anonymous
        resource = {key: value for key, value in translated.resource.items() if value is not None}
        _, scopes = self.found.setdefault(_key(resource.items()), (resource, {}))
        wire = span.SerializeToString()
        scopes.setdefault(translated.scope_name, []).append((index, wire))

    def _tell_apart(self, span: Span) -> None:
        """Events that are alike in all they say are several, and so are their ids."""
        ids = span.trace_id + span.span_id
        number = self._seen.get(ids, 0)
        self._seen[ids] = number + 1
        if number:
            span.span_id = fingerprint(ids, str(number))[:8]


def _key(items: Iterable[tuple[str, Any]]) -> str:
    return text(sorted((key, text(value)) for key, value in items))
