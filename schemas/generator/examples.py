"""Registry → one OTLP/JSON payload an event: what a sender writes, what a receiver must understand.

Ids and times are fixed. A span carries what its event asks for and what the registry's examples
say; what only a failure has is left out of successes. An event's annotation `example` puts right
what that rule gets wrong.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from crucible_schema.definitions import (
    AttributeUse,
    EventDefinition,
    Instrument,
    Location,
    MeasurementUse,
    MetricDefinition,
    Phase,
    Requirement,
)
from generator.registry import Registry

START_NS = 1_793_527_200_000_000_000  # 2026-11-01T10:00:00Z
_STEP_NS = 60_000_000_000  # from one example to the next

Value = bool | int | float | str | tuple[bool | int | float | str, ...]
Json = dict[str, object]

# What every event of a story carries, though each asks for it only on a condition.
_IDENTITY = ("crucible.experiment.id", "crucible.condition", "crucible.correlation.id")
_OF_A_RUN = ("crucible.run.id",)
_OWN = ("crucible_train.", "crucible_framework.", "crucible_kitchen.", "crucible_telemetry.run.")
# Only where something went wrong.
_OF_A_FAILURE = (
    "crucible.error.",
    "crucible.retry.error",
    "crucible.pipeline.failed_stage",
    "crucible.experiment.abort",
    "exception.",
)
_FAILED_WORDS = ("failed", "error", "exhausted", "invalid", "rollback", "retry", "timeout")
_FAILED_VALUES: dict[str, Value] = {
    "crucible.success": False,
    "http.response.status_code": 503,
    "crucible.outcome": "failed",
    "crucible.result": "error",
}
_GOOD_VALUES: dict[str, Value] = {"http.response.status_code": 200}
# Where a quarter of a second would be odd.
_DURATIONS_NS = {
    "crucible_telemetry.experiment": 7_200_000_000_000,
    "crucible_framework.pipeline": 412_000_000_000,
    "crucible_framework.stage": 31_500_000_000,
    "crucible_train.training": 95_400_000_000,
    "crucible_train.epoch": 9_540_000_000,
    "crucible_train.batch": 12_500_000,
    "crucible_deployment.inference": 7_310_000_000,
}
_DURATION_NS = 250_000_000
# Spans that have another around them, and those that point to another trace.
_PARENTS = {
    "crucible_train.batch": "crucible_train.epoch",
    "crucible_framework.stage": "crucible_framework.pipeline",
}
_LINKS = {"crucible_train.epoch": "crucible_train.training"}
# The exception says the same as these attributes.
_RAISED = {
    "exception.type": "crucible.error.kind",
    "exception.message": "crucible.error.reason",
}
_SPAN_KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
_ERROR = 2
_CUMULATIVE: Json = {"aggregationTemporality": 2}


def event_examples(registry: Registry) -> dict[str, Json]:
    """Make an ExportTraceServiceRequest for each event."""
    return {
        name: _Example(event, registry, index).request()
        for index, (name, event) in enumerate(registry.events.items())
    }


def metric_examples(registry: Registry) -> dict[str, Json]:
    """Make an ExportMetricsServiceRequest for each metric."""
    return {
        name: _metric_request(metric, registry, index)
        for index, (name, metric) in enumerate(registry.metrics.items())
    }


class _Example:
    def __init__(self, event: EventDefinition, registry: Registry, index: int) -> None:
        self.event = event
        self.registry = registry
        self.override = registry.examples.get(event.name, {})
        self.start_ns = START_NS + index * _STEP_NS
        self.is_failure = event.phase is Phase.EXCEPTION or event.name.endswith(_FAILED_WORDS)

    def request(self) -> Json:
        """Wrap the span in its scope, its resource, and a request."""
        scope = {"name": self.event.producer, "version": "0.1.0"}
        return {
            "resourceSpans": [
                {
                    "resource": {"attributes": resource(self.registry)},
                    "scopeSpans": [{"scope": scope, "spans": [self.span()]}],
                }
            ]
        }

    def span(self) -> Json:
        """Make the span that the event is on the wire."""
        event = self.event
        lifecycle = self.registry.lifecycles.get(event.span_name)
        scope = event.lifecycle or event.span_name
        # The start marker is sent from inside the span that it announces.
        parent = scope if event.phase is Phase.START else _PARENTS.get(scope)
        trace = _PARENTS.get(scope, scope)
        span: Json = {"traceId": _id(trace, 16), "spanId": _id(event.span_name, 8)}
        if parent is not None:
            span["parentSpanId"] = _id(parent, 8)
        span |= {
            "name": event.span_name,
            "kind": _SPAN_KINDS[lifecycle.span_kind if lifecycle else "internal"],
            "startTimeUnixNano": str(self.start_ns),
            "endTimeUnixNano": str(self.start_ns + self.duration_ns()),
            "attributes": key_values(dict(self.attributes())),
        }
        if exceptions := list(self.exceptions()):
            span["events"] = exceptions
        if event.span_name in _LINKS:
            other = _LINKS[event.span_name]
            span["links"] = [{"traceId": _id(other, 16), "spanId": _id(other, 8)}]
        span["status"] = self.status()
        return span

    def duration_ns(self) -> int:
        """How long it took; nothing where the event has no duration."""
        if self.event.duration is None:
            return 0
        return _DURATIONS_NS.get(self.event.span_name, _DURATION_NS)

    def status(self) -> Json:
        """OTLP's status: an error is told, a success is not."""
        if self.event.phase is not Phase.EXCEPTION:
            return {}
        values = dict(self.attributes())
        reasons = [values.get(key) for key in ("crucible.error.kind", "crucible.error.reason")]
        message = ": ".join(str(reason) for reason in reasons if reason)
        return {"code": _ERROR, "message": message} if message else {"code": _ERROR}

    def exceptions(self) -> Iterator[Json]:
        """Yield the span event that carries what was raised, where the event has one."""
        uses = [
            use for use in self.event.attributes if use.attribute.location is Location.EXCEPTION
        ]
        if uses:
            told = dict(self.attributes())
            values = {
                use.attribute.key: told.get(_RAISED.get(use.attribute.key, ""), example_of(use))
                for use in uses
            }
            time = str(self.start_ns + self.duration_ns())
            yield {"timeUnixNano": time, "name": "exception", "attributes": key_values(values)}

    def attributes(self) -> Iterator[tuple[str, Value]]:
        """Yield what the span carries: identity first, then the event's own, then its numbers."""
        left = dict(self.override)
        for attribute in self.event.attributes:
            key = attribute.attribute.key
            if key in left or self.is_shown(attribute):
                value = left.pop(key, self.value(attribute))
                if value is not None:
                    yield key, value
        for measurement in self.event.measurements:
            key = measurement.measurement.key
            value = left.pop(key, measured_example_of(measurement))
            if value is not None:
                yield key, value
        for key, value in left.items():
            if value is not None:
                yield key, value

    def is_shown(self, use: AttributeUse) -> bool:
        """Tell whether an attribute belongs into the example."""
        key = use.attribute.key
        if use.attribute.location is not Location.SPAN:
            return False
        if use.requirement is Requirement.REQUIRED:
            return True
        if use in self.registry.identity:
            return key in _IDENTITY or (key in _OF_A_RUN and self.event.name.startswith(_OWN))
        if use.requirement is Requirement.OPT_IN or use.condition.startswith("If not ok"):
            return False
        return self.is_failure or not key.startswith(_OF_A_FAILURE)

    def value(self, use: AttributeUse) -> Value:
        """Pick a value that fits how the event ended."""
        values = _FAILED_VALUES if self.is_failure else _GOOD_VALUES
        return values.get(use.attribute.key, example_of(use))


def example_of(use: AttributeUse) -> Value:
    """Give the first example of an attribute, or the first value that the event allows."""
    values = use.values or use.attribute.values
    if values:
        return values[0]
    return use.attribute.examples[0] if use.attribute.examples else True


def measured_example_of(use: MeasurementUse) -> Value:
    """Give the first example of a measurement."""
    return use.measurement.examples[0]


def resource(registry: Registry) -> list[Json]:
    """Make the resource's attributes: who sends."""
    uses = [use for use in registry.identity if use.attribute.location is Location.RESOURCE]
    return key_values({use.attribute.key: example_of(use) for use in uses})


def key_values(values: dict[str, Value]) -> list[Json]:
    """Write attributes as OTLP does."""
    return [{"key": key, "value": _any_value(value)} for key, value in values.items()]


def _any_value(value: Value) -> Json:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case str():
            return {"stringValue": value}
        case _:
            return {"arrayValue": {"values": [_any_value(item) for item in value]}}


def _id(name: str, size: int) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[: 2 * size]


def _metric_request(metric: MetricDefinition, registry: Registry, index: int) -> Json:
    time_ns = START_NS + index * _STEP_NS
    uses = [use for use in metric.attributes if not use.attribute.key.startswith("error.")]
    point: Json = {
        "attributes": key_values({use.attribute.key: example_of(use) for use in uses}),
        "startTimeUnixNano": str(time_ns - _STEP_NS),
        "timeUnixNano": str(time_ns),
    }
    kind, data = _metric_data(metric, point)
    described = {"name": metric.name, "description": metric.brief, "unit": metric.unit, kind: data}
    scope = {"name": "crucible_telemetry", "version": "0.1.0"}
    return {
        "resourceMetrics": [
            {
                "resource": {"attributes": resource(registry)},
                "scopeMetrics": [{"scope": scope, "metrics": [described]}],
            }
        ]
    }


def _metric_data(metric: MetricDefinition, point: Json) -> tuple[str, Json]:
    if metric.instrument is Instrument.HISTOGRAM:
        return "histogram", {"dataPoints": [point | _histogram(metric.example)], **_CUMULATIVE}
    data: Json = {"dataPoints": [point | _as_number(metric.example)]}
    if metric.instrument is Instrument.GAUGE:
        return "gauge", data
    is_monotonic = metric.instrument is Instrument.COUNTER
    return "sum", {**data, **_CUMULATIVE, "isMonotonic": is_monotonic}


def _histogram(value: float) -> Json:
    """Spread four calls around a value: one below half of it, two about it, one above."""
    return {
        "count": "4",
        "sum": 4 * value,
        "bucketCounts": ["1", "2", "1"],
        "explicitBounds": [value / 2, value * 1.25],
        "min": value / 4,
        "max": value * 1.75,
    }


def _as_number(value: float) -> Json:
    return {"asInt": str(value)} if isinstance(value, int) else {"asDouble": value}
