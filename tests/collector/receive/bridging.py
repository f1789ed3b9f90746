"""Events of the family, and the spans that the bridge makes of them."""

from __future__ import annotations

import json
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from crucible_collector.receive.events_bridge import Bridged, bridge, read_events
from crucible_collector.receive.events_bridge_event import Sent
from rows_of import RECEIVED_NS

SECOND_US = 1_000_000
T_US = RECEIVED_NS // 1000 - 60 * SECOND_US  # a minute before the receipt
T_NS = T_US * 1000


def event(name: str | list[str], /, **fields: Any) -> dict[str, Any]:
    """An event of a minute ago. `measurements` and `metadata` by their names, the rest beside."""
    return {"event_name": name, "timestamp": T_US, **fields}


def bridged(*events: Any, correlation_id: str | None = None) -> Bridged:
    """As the request is bridged: by way of its JSON."""
    body = json.dumps({"events": list(events)}).encode()
    return bridge(read_events(body), Sent(RECEIVED_NS, correlation_id))


def spans_of(made: Bridged) -> list[Span]:
    request = ExportTraceServiceRequest.FromString(made.body)
    return [
        span
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def span_of(one: Any, **settings: Any) -> Span:
    """The span of the only event."""
    made = bridged(one, **settings)
    assert made.problems == []
    (span,) = spans_of(made)
    return span


def refused(one: Any) -> str:
    """Why the only event was refused: the code."""
    made = bridged(one)
    assert spans_of(made) == []
    (problem,) = made.problems
    assert problem.index == 0
    assert problem.message
    return problem.code


def value_of(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(each) for each in value.array_value.values]
    return None if kind is None else getattr(value, kind)


def attributes_of(span: Any) -> dict[str, Any]:
    """Of a span, an event or a resource; every key once."""
    found = {each.key: value_of(each.value) for each in span.attributes}
    assert len(found) == len(span.attributes)
    return found
