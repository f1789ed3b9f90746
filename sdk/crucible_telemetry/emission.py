"""The two ways in which spans leave: a scope that ended, and an event that is no scope's end.

Batches have a third one (see `batch`). Whatever leaves has passed the subscription and the privacy
of its configuration. What a reader could not guess: a span that nobody subscribed to is never
ended, by which OpenTelemetry never hears of it again.
"""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span

from crucible_schema import event_name
from crucible_schema import events as names
from crucible_telemetry.outcome import failure, is_failure
from crucible_telemetry.telemetry import Telemetry
from crucible_telemetry.values import AttributeValue


def end_span(
    using: Telemetry,
    span: Span,
    span_name: str,
    attributes: Mapping[str, AttributeValue],
    error: BaseException | None,
    end_ns: int,
) -> None:
    """End a scope's span, with the exception that ended it if one did."""
    has_failed = error is not None and is_failure(error)
    if not using.subscription.takes(event_name(span_name, has_failed)):
        return
    try:
        span.set_attributes(using.policy.applied(attributes))
        if error is not None and has_failed:
            failed = failure(error, using.policy)
            span.set_attributes(failed.attributes)
            span.set_status(failed.status)
            span.add_event("exception", failed.exception_attributes, end_ns)
    finally:
        span.end(end_time=end_ns)


def send_point(
    using: Telemetry,
    inside: Context,
    name: str,
    start_ns: int,
    end_ns: int,
    attributes: Mapping[str, AttributeValue],
) -> None:
    """Send an event of its own; without a correlation id, its trace is its story."""
    if using.tracer is None or not using.subscription.takes(name):
        return
    span = using.tracer.start_span(name, context=inside, start_time=start_ns)
    if names.CORRELATION_ID not in attributes:
        correlation_id = trace.format_trace_id(span.get_span_context().trace_id)
        attributes = {names.CORRELATION_ID: correlation_id, **attributes}
    span.set_attributes(using.policy.applied(attributes))
    span.end(end_time=end_ns)
