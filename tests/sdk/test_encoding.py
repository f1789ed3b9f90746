"""What a batch's record becomes on the wire: the very bytes of the stock encoder, or as good."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags, TraceState

from crucible_telemetry.encoding import (
    BatchRecord,
    BatchTemplate,
    encode_request,
    measurement_key,
    to_readable_span,
)
from crucible_telemetry.values import AttributeValue, Number
from sdk.receivers import plain

RESOURCE = Resource({"service.name": "trainer", "process.pid": 7}, "https://schema.example/1")
SCOPE = InstrumentationScope("crucible_telemetry", "1.2")
INT64 = st.integers(-(2**63), 2**63 - 1)
ATTRIBUTES: dict[str, AttributeValue] = {
    "crucible.run.id": "r",
    "crucible.epoch": 3,
    "tags": ["a", "é"],
    "lr": 0.5,
    "ok": True,
}


def template(
    attributes: dict[str, AttributeValue] | None = None, parent: SpanContext | None = None
) -> BatchTemplate:
    parent = parent or SpanContext(
        2**127 + 1, 2**63 + 1, is_remote=False, trace_flags=TraceFlags(1)
    )
    return BatchTemplate(parent, ATTRIBUTES if attributes is None else attributes, SCOPE)


def record(
    measurements: dict[str, Number] | None = None,
    *,
    of: BatchTemplate | None = None,
    extra: dict[str, AttributeValue] | None = None,
    step: int = 300,
) -> BatchRecord:
    return BatchRecord(of or template(), 9, 10**18, 10**18 + 7, 0, step, measurements or {}, extra)


def stock(*spans: ReadableSpan) -> bytes:
    return bytes(encode_spans(spans).SerializeToString())


def foreign(name: str = "other", scope: InstrumentationScope = SCOPE) -> ReadableSpan:
    return ReadableSpan(
        name=name,
        context=SpanContext(5, 6, is_remote=False),
        resource=RESOURCE,
        attributes={"k": "v"},
        start_time=1,
        end_time=2,
        instrumentation_scope=scope,
    )


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
numbers = st.one_of(st.floats(), INT64)
attribute_values = st.one_of(texts, st.booleans(), INT64, st.floats(), st.lists(texts, max_size=3))
contexts = st.builds(
    SpanContext,
    st.integers(1, 2**128 - 1),
    st.integers(1, 2**64 - 1),
    st.booleans(),
    st.sampled_from([TraceFlags(1), TraceFlags(3)]),
    st.sampled_from([TraceState(), TraceState([("ot", "rv:8"), ("a", "b")])]),
)
templates = st.builds(template, st.dictionaries(texts.filter(bool), attribute_values), contexts)
rows = st.one_of(
    st.dictionaries(texts, st.floats(), max_size=8), st.dictionaries(texts, numbers, max_size=8)
)
times = st.integers(1, 2**64 - 1)
records = st.builds(
    BatchRecord,
    templates,
    st.integers(1, 2**64 - 1),
    times,
    times,
    INT64,
    INT64,
    rows,
    st.one_of(st.none(), st.dictionaries(texts.filter(bool), attribute_values, max_size=2)),
)


@given(st.lists(records, min_size=1, max_size=4))
def test_records_become_the_bytes_that_the_stock_encoder_makes(several: list[BatchRecord]) -> None:
    ours = encode_request(several, RESOURCE)
    theirs = stock(*(to_readable_span(one, RESOURCE) for one in several))
    assert ours == theirs


def test_a_record_says_what_the_batch_was() -> None:
    body = encode_request([record({"loss": 0.5, "tokens": -7})], RESOURCE)
    request = ExportTraceServiceRequest.FromString(body)
    (span,) = request.resource_spans[0].scope_spans[0].spans
    assert span.name == "crucible_train.batch"
    assert span.trace_id == (2**127 + 1).to_bytes(16, "big")
    assert span.span_id == (9).to_bytes(8, "big")
    assert span.parent_span_id == (2**63 + 1).to_bytes(8, "big")
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (10**18, 10**18 + 7)
    assert plain(span.attributes) == {
        **ATTRIBUTES,
        "crucible.batch.index": 0,
        "crucible.step": 300,
        "crucible.measurement.loss": 0.5,
        "crucible.measurement.tokens": -7,
    }
    assert plain(request.resource_spans[0].resource.attributes)["service.name"] == "trainer"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7e308])
def test_every_double_arrives_bit_for_bit(value: float) -> None:
    body = encode_request([record({"x": value})], RESOURCE)
    assert struct.pack("<d", value) in body
    assert body == stock(to_readable_span(record({"x": value}), RESOURCE))


@pytest.mark.parametrize("step", [0, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 2**63 - 1, -1])
def test_steps_of_every_length_arrive(step: int) -> None:
    one = record(step=step)
    assert encode_request([one], RESOURCE) == stock(to_readable_span(one, RESOURCE))


def test_records_and_spans_keep_their_order_in_one_list() -> None:
    first, last = record({"loss": 1.0}), record({"loss": 2.0})
    items: list[ReadableSpan | BatchRecord] = [first, foreign("between"), last, foreign("after")]
    as_spans = [
        to_readable_span(item, RESOURCE) if isinstance(item, BatchRecord) else item
        for item in items
    ]
    assert encode_request(items, RESOURCE) == stock(*as_spans)


def test_spans_of_another_scope_or_resource_are_sent_beside() -> None:
    theirs = foreign("theirs", InstrumentationScope("theirs"))
    request = ExportTraceServiceRequest.FromString(encode_request([theirs, record()], RESOURCE))
    found = [
        (scope.scope.name, [span.name for span in scope.spans])
        for resource in request.resource_spans
        for scope in resource.scope_spans
    ]
    assert found == [("crucible_telemetry", ["crucible_train.batch"]), ("theirs", ["theirs"])]


def test_a_request_without_batches_is_the_stock_encoders() -> None:
    assert encode_request([foreign()], RESOURCE) == stock(foreign())


def test_the_same_items_make_the_same_bytes() -> None:
    items: list[ReadableSpan | BatchRecord] = [
        record({"loss": 1.0}),
        foreign(),
        record({"loss": 2.0, "tokens": 3}),
    ]
    assert encode_request(items, RESOURCE) == encode_request(items, RESOURCE)


def test_a_failed_batch_is_a_span_with_status_and_exception() -> None:
    more: dict[str, Any] = {
        "status": Status(StatusCode.ERROR, "ValueError: boom"),
        "events": (Event("exception", {"exception.type": "ValueError"}, 11),),
    }
    body = encode_request([to_readable_span(record(), RESOURCE, **more)], RESOURCE)
    (span,) = ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans
    assert span.status.message == "ValueError: boom"
    assert plain(span.events[0].attributes) == {"exception.type": "ValueError"}


def test_names_beyond_their_limit_are_cut_and_stay_apart() -> None:
    keys = {measurement_key("x" * 500 + end) for end in "ab"}
    assert len(keys) == 2
    assert all(len(key.encode()) <= 256 for key in keys)


def test_a_program_that_makes_names_up_does_not_fill_memory() -> None:
    from crucible_telemetry import splicing

    for index in range(splicing._LAYOUTS_MAX + 50):
        encode_request([record({f"made-up-{index}": 1.0})], RESOURCE)
    assert len(splicing._layouts) <= splicing._LAYOUTS_MAX
