"""Starts and ends of runs and experiments, as the spans that tell of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from rows_of import at, span_of

TRAINING, PIPELINE = "crucible_train.training", "crucible_framework.pipeline"
EXPERIMENT = "crucible_telemetry.experiment"
ERROR = 2  # OTLP Status.StatusCode

ABOUT = {
    "crucible.experiment.id": "experiment",
    "crucible.experiment.name": "E",
    "crucible.experiment.hypothesis": "H",
    "tags": ["b", "a"],
}


def event(name: str, start_s: float, end_s: float | None = None, /, **attributes: Any) -> Span:
    """A start marker (no end), or the span whose end is a stop or, with `error`, an exception."""
    is_error = attributes.pop("error", False)
    tags = attributes.pop("tags", None)
    span = span_of(1 + round(1000 * -start_s) + (end_s is not None), name, **attributes)
    span.start_time_unix_nano = at(start_s)
    span.end_time_unix_nano = at(start_s if end_s is None else end_s)
    if is_error:
        span.status.code = ERROR  # type: ignore[assignment] # the enum's number
    if tags:
        values = [AnyValue(string_value=tag) for tag in tags]
        span.attributes.append(
            KeyValue(
                key="crucible.experiment.tags",
                value=AnyValue(array_value=ArrayValue(values=values)),
            )
        )
    return span


def time_of(seconds: float) -> datetime:
    return datetime.fromtimestamp(at(seconds) / 1e9, UTC)
