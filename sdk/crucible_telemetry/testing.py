"""Records in memory what instrumented code would send, with a fixed clock and ids, for tests.

    from crucible_telemetry.testing import capture

    with capture() as captured:
        train()
    assert captured.named("crucible_train.batch.stop")[0].measurements["loss"] == 0.5

Every reading of the clock moves it on by a millisecond, so that times and durations are the same in
each run and still in order.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import StatusCode

from crucible_schema import MEASUREMENT_PREFIX, event_name
from crucible_telemetry import configuration, settings, telemetry
from crucible_telemetry.encoding import BatchRecord, Item, to_readable_span
from crucible_telemetry.ids import Clock, PrivateIds

START_UNIX_NS = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z
TICK_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class Event:
    """One captured event, under the name that the collector will know it by."""

    name: str
    attributes: dict[str, Any]
    measurements: dict[str, Any]
    span: ReadableSpan

    @property
    def duration_ns(self) -> int:
        return (self.span.end_time or 0) - (self.span.start_time or 0)


@dataclass(slots=True)
class Captured:
    """What was recorded, in the order in which it ended."""

    spans: list[ReadableSpan] = field(default_factory=list)

    @property
    def events(self) -> list[Event]:
        return [_event(span) for span in self.spans]

    def named(self, name: str) -> list[Event]:
        return [event for event in self.events if event.name == name]


@contextlib.contextmanager
def capture(*, heartbeat_s: float = 0) -> Iterator[Captured]:
    """Record everything inside in memory, in place of what `configure()` set up.

    heartbeat_s: how often runs send heartbeats, by the real clock; not at all unless given.
    """
    captured = Captured()
    resource = Resource({"service.name": "test"})

    def put(item: Item) -> None:
        if isinstance(item, BatchRecord):
            captured.spans.append(to_readable_span(item, resource))
        elif isinstance(item, ReadableSpan):
            captured.spans.append(item)

    ticks = itertools.count(START_UNIX_NS, TICK_NS)
    recording = configuration.recording(
        resource,
        _Recorder(captured),
        put=put,
        resolved=settings.Settings(heartbeat_s=heartbeat_s),
        clock=Clock(wall_ns=ticks.__next__, monotonic_ns=ticks.__next__),
        ids=_CountedIds(),
    )
    previous = telemetry.replace(recording)
    try:
        yield captured
    finally:
        telemetry.replace(previous)


class _Recorder(SpanProcessor):
    def __init__(self, captured: Captured) -> None:
        self._captured = captured

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        pass

    def on_end(self, span: ReadableSpan) -> None:
        self._captured.spans.append(span)


class _CountedIds(PrivateIds):
    def __init__(self) -> None:
        self._traces = itertools.count(1)
        self._spans = itertools.count(1)
        self._runs = itertools.count(1)

    def generate_trace_id(self) -> int:
        return next(self._traces)

    def generate_span_id(self) -> int:
        return next(self._spans)

    def generate_run_id(self) -> str:
        return f"run-{next(self._runs)}"


def _event(span: ReadableSpan) -> Event:
    attributes = dict(span.attributes or {})
    measurements = {
        key.removeprefix(MEASUREMENT_PREFIX): attributes.pop(key)
        for key in list(attributes)
        if key.startswith(MEASUREMENT_PREFIX)
    }
    is_error = span.status.status_code is StatusCode.ERROR
    return Event(event_name(span.name, is_error), attributes, measurements, span)
