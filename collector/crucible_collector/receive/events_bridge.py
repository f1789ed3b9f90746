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

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from crucible_collector.errors import MalformedError, TooLargeError
from crucible_collector.receive.events_bridge_event import Sent, Translated, translate
from crucible_collector.receive.events_bridge_ids import fingerprint
from crucible_collector.receive.events_bridge_values import EventError, fill, text

# What the family allows itself in a minute, so that a minute's outage can be made up for at once.
EVENTS_MAX = 10_000
# OpenTelemetry's word for whoever does not say.
_UNKNOWN_SERVICE = "unknown_service"
# An integer of more digits is none that anybody measured, and Python refuses those of 4,300.
_DIGITS_MAX = 400


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
    request = ExportTraceServiceRequest()
    for resource, scopes in groups.found.values():
        resource_spans = request.resource_spans.add()
        for key, value in {"service.name": _UNKNOWN_SERVICE, **resource}.items():
            made = resource_spans.resource.attributes.add(key=key)
            fill(made.value, value)
        for name, spans in scopes.items():
            scope_spans = resource_spans.scope_spans.add()
            scope_spans.scope.name = name
            scope_spans.spans.extend(span for _, span in spans)
            bridged.indices += [index for index, _ in spans]
    bridged.is_anonymous = groups.is_anonymous
    bridged.body = request.SerializeToString()
    return bridged


class _Groups:
    """Spans by resource and scope, as OTLP has them."""

    def __init__(self) -> None:
        self.found: dict[str, tuple[dict[str, Any], dict[str, list[tuple[int, Span]]]]] = {}
        self.is_anonymous = False
        self._seen: dict[bytes, int] = {}

    def add(self, index: int, translated: Translated) -> None:
        span = translated.span
        self._tell_apart(span)
        self.is_anonymous |= translated.is_anonymous
        resource = {key: value for key, value in translated.resource.items() if value is not None}
        _, scopes = self.found.setdefault(_key(resource.items()), (resource, {}))
        scopes.setdefault(translated.scope_name, []).append((index, span))

    def _tell_apart(self, span: Span) -> None:
        """Events that are alike in all they say are several, and so are their ids."""
        ids = span.trace_id + span.span_id
        number = self._seen.get(ids, 0)
        self._seen[ids] = number + 1
        if number:
            span.span_id = fingerprint(ids, str(number))[:8]


def _key(items: Iterable[tuple[str, Any]]) -> str:
    return text(sorted((key, text(value)) for key, value in items))
