"""What waits to be sent, and the bytes of the OTLP request that it becomes.

What a reader could not guess: a batch is no OpenTelemetry span. Making, ending and encoding one
takes the stock SDK about 100 µs, and a training has one a step. A batch's record is a tuple beside
a template that all batches of its epoch share; the sending thread writes the few bytes that differ
between two batches into the bytes that do not. The result is, byte for byte, what the stock encoder
makes of `to_readable_span(record)`.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext

from crucible_schema import events as names
from crucible_telemetry import faults
from crucible_telemetry.faults import Fault
from crucible_telemetry.splicing import (
    SPAN_ID,
    START,
    Frame,
    append_span,
    delimited,
    measurement_key,
    varint,
)
from crucible_telemetry.values import AttributeValue, Number

__all__ = [
    "BatchRecord",
    "BatchTemplate",
    "Encoded",
    "Item",
    "encode_request",
    "measurement_key",
    "to_readable_span",
]

_REQUEST_RESOURCE_SPANS = b"\x0a"
_RESOURCE_SPANS_SCOPE_SPANS = b"\x12"
_SCOPE_SPANS_SPAN = b"\x12"


class Encoded:
    """A whole OTLP request that somebody else has encoded, of `count` records."""

    __slots__ = ("body", "count", "signal")

    def __init__(self, signal: str, body: bytes, count: int) -> None:
        self.signal = signal  # "traces", "metrics" or "logs"
        self.body = body
        self.count = count


class BatchTemplate:
    """What the batches of one epoch have in common.

    `attributes` have been through redaction and limits; `parent` is the epoch's span.
    """

    __slots__ = ("attributes", "frame", "measurements_max", "parent", "scope")

    def __init__(
        self,
        parent: SpanContext,
        attributes: Mapping[str, AttributeValue],
        scope: InstrumentationScope | None,
        measurements_max: int = 96,
    ) -> None:
        self.parent = parent
        self.attributes = attributes
        self.scope = scope
        self.measurements_max = measurements_max  # what is left of a span's attributes
        self.frame: tuple[Frame, int] | None = None  # once the first batch is encoded

    def context(self, span_id: int) -> SpanContext:
        """Return what a batch of this epoch is known by."""
        parent = self.parent
        return SpanContext(
            parent.trace_id,
            span_id,
            is_remote=False,
            trace_flags=parent.trace_flags,
            trace_state=parent.trace_state,
        )

    def bounded(self, measurements: Mapping[str, Number]) -> dict[str, Number]:
        """Return as many as there is room for, the first ones."""
        for name in itertools.islice(measurements, max(0, self.measurements_max), None):
            faults.note(Fault.TOO_MANY_ATTRIBUTES, "There is no room for %s; left out", name)
        return dict(itertools.islice(measurements.items(), max(0, self.measurements_max)))

    def framed(self) -> tuple[Frame, int]:
        """Make the bytes that its batches have in common, and count them."""
        frame = _frame(self)
        self.frame = frame, frame.bytes_count
        return self.frame


class BatchRecord(NamedTuple):
    """A batch that ended; times in ns since 1970, measurements by name, without a key's prefix."""

    template: BatchTemplate
    span_id: int
    start_ns: int
    end_ns: int
    batch_index: int
    step: int
    measurements: dict[str, Number]
    extra: dict[str, AttributeValue] | None = None  # attributes that most batches do not have


Item = ReadableSpan | BatchRecord | Encoded


def to_readable_span(
    record: BatchRecord,
    resource: Resource | None,
    **more: Any,
) -> ReadableSpan:
    """Return the record as OpenTelemetry's exporters take it; `more` are a span's further fields."""
    template = record.template
    attributes: dict[str, AttributeValue] = {
        **template.attributes,
        names.BATCH_INDEX: record.batch_index,
        names.STEP: record.step,
    }
    for name, number in record.measurements.items():
        attributes[measurement_key(name)] = number
    if record.extra:
        attributes.update(record.extra)
    return ReadableSpan(
        name=names.CRUCIBLE_TRAIN_BATCH,
        context=template.context(record.span_id),
        parent=template.parent,
        resource=resource,
        attributes=attributes,
        start_time=record.start_ns,
        end_time=record.end_ns,
        instrumentation_scope=template.scope,
        **more,
    )


def encode_request(items: Sequence[ReadableSpan | BatchRecord], resource: Resource) -> bytes:
    """Return an ExportTraceServiceRequest of the spans, in their order.

    resource: the batches'. Spans of another resource or scope come after those of the batches'.
    About 3 µs a batch with five measurements; a span of OpenTelemetry's takes what its own encoder
    takes, 60 µs.
    """
    records = [item for item in items if isinstance(item, BatchRecord)]
    spans = [item for item in items if not isinstance(item, BatchRecord)]
    if not records:
        return _stock_request(spans)
    scope = records[0].template.scope
    own = [
        span for span in spans if span.instrumentation_scope == scope and span.resource == resource
    ]
    encoded = _each_span(own)
    pieces: list[bytes] = []
    length = 0
    for item in items if len(own) == len(spans) else (*records, *own):
        if isinstance(item, BatchRecord):
            length += _append_record(pieces, item, resource)
        else:
            pieces.append(next(encoded))
            length += len(pieces[-1])
    request = _envelope(resource, scope).around(pieces, length)
    others = [span for span in spans if span not in own]
    return request + _stock_request(others) if others else request


def _append_record(pieces: list[bytes], record: BatchRecord, resource: Resource) -> int:
    template, span_id, start_ns, end_ns, index, step, measurements, extra = record
    if extra:
        pieces.extend(_each_span([to_readable_span(record, resource)]))
        return len(pieces[-1])
    frame, frame_bytes = template.frame or template.framed()
    return append_span(
        pieces, frame, frame_bytes, span_id, start_ns, end_ns, index, step, measurements
    )


# OpenTelemetry's encoder. It is imported late: protobuf takes 40 ms.


def _stock_message(spans: Sequence[ReadableSpan]) -> Any:
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import (  # noqa: PLC0415 - see above
        encode_spans,
    )

    return encode_spans(spans)


def _stock_request(spans: Sequence[ReadableSpan]) -> bytes:
    return bytes(_stock_message(spans).SerializeToString())


def _each_span(spans: Sequence[ReadableSpan]) -> Iterator[bytes]:
    """Yield spans of one resource and scope, each as a field of its scope's list."""
    if spans:
        for message in _stock_message(spans).resource_spans[0].scope_spans[0].spans:
            yield delimited(_SCOPE_SPANS_SPAN, message.SerializeToString())


class _Envelope(NamedTuple):
    """What is around the spans of one resource and scope."""

    resource: bytes
    resource_end: bytes
    scope: bytes
    scope_end: bytes

    def around(self, spans: list[bytes], length: int) -> bytes:
        """Return the request; `length` is that of the spans. Copies them once: it may be 0.3 MB."""
        length += len(self.scope) + len(self.scope_end)
        inner = _RESOURCE_SPANS_SCOPE_SPANS + varint(length)
        length += len(self.resource) + len(inner) + len(self.resource_end)
        header = _REQUEST_RESOURCE_SPANS + varint(length)
        begin = (header, self.resource, inner, self.scope)
        return b"".join((*begin, *spans, self.scope_end, self.resource_end))


@functools.lru_cache(maxsize=8)
def _envelope(resource: Resource, scope: InstrumentationScope | None) -> _Envelope:
    span = ReadableSpan(
        name="",
        context=SpanContext(1, 1, is_remote=False),
        resource=resource,
        instrumentation_scope=scope,
    )
    (outer,) = _stock_message([span]).resource_spans
    (inner,) = outer.scope_spans
    return _Envelope(
        *_only(outer, {"resource"}, {"schema_url"}), *_only(inner, {"scope"}, {"schema_url"})
    )


def _frame(template: BatchTemplate) -> Frame:
    span = ReadableSpan(
        name=names.CRUCIBLE_TRAIN_BATCH,
        context=template.context(1),
        parent=template.parent,
        resource=_NO_RESOURCE,
        attributes=template.attributes,
        instrumentation_scope=template.scope,
    )
    (message,) = _stock_message([span]).resource_spans[0].scope_spans[0].spans
    fields = {field.name for field, _ in message.ListFields()}
    before_start = {"trace_state", "parent_span_id", "name", "kind"}
    first, second, attributes, last = _only(
        message,
        {"trace_id"},
        before_start,
        {"attributes"},
        fields - before_start - {"trace_id", "span_id", "attributes"},
    )
    # What is left, flags for one, has higher numbers than attributes, so it comes after.
    return Frame(first + SPAN_ID, second + START, attributes, last)


_NO_RESOURCE = Resource({})


def _only(message: Any, *groups: set[str]) -> Iterator[bytes]:
    """Yield, for each group of fields, the message with only these."""
    for group in groups:
        part = type(message)()
        part.CopyFrom(message)
        for field, _ in message.ListFields():
            if field.name not in group:
                part.ClearField(field.name)
        yield part.SerializeToString()
