"""Events that know no spans still find each other: by run, epoch, request, Erlang reference."""

from __future__ import annotations

import base64
import uuid
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.receive.bridging import bridged, event, span_of, spans_of

TRACE = bytes.fromhex("4bf92f3577b34da6a3ce929d0e0e4736")
SPAN = bytes.fromhex("00f067aa0ba902b7")


def life(scope: str, **metadata: Any) -> tuple[Span, Span]:
    """The mark of a start and the span of its stop, each from a request of its own."""
    start = event(f"{scope}.start", metadata=metadata)
    stop = event(f"{scope}.stop", metadata=metadata, measurements={"duration": 7})
    return span_of(start), span_of(stop)


@pytest.mark.parametrize(
    "given",
    [
        TRACE.hex(),
        TRACE.hex().upper(),
        str(uuid.UUID(bytes=TRACE)),
        base64.urlsafe_b64encode(TRACE).decode().rstrip("="),
        base64.urlsafe_b64encode(TRACE).decode(),
    ],
)
def test_a_trace_id_may_be_hex_a_uuid_or_base64url(given: str) -> None:
    assert span_of(event("a.b.c", metadata={"trace_id": given})).trace_id == TRACE
    assert span_of(event("a.b.c", trace_id=given)).trace_id == TRACE


@pytest.mark.parametrize("given", ["0" * 32, "A" * 22, "trace-7", "é" * 22, 7])
def test_another_trace_id_is_kept_and_joins_all_the_same(given: Any) -> None:
    one, other = (span_of(event(name, metadata={"trace_id": given})) for name in ("a.b", "a.c"))
    assert one.trace_id == other.trace_id != bytes(16)
    assert str(given) in str(one.attributes)


def test_a_traceparent_gives_trace_and_parent() -> None:
    sent = event("a.b.c", metadata={"traceparent": f"00-{TRACE.hex()}-{SPAN.hex()}-01"})
    span = span_of(sent)
    assert (span.trace_id, span.parent_span_id) == (TRACE, SPAN)


def test_span_ids_are_taken_as_they_are_or_hashed_alike() -> None:
    child = event("a.b.c", metadata={"span_id": SPAN.hex(), "parent_span_id": "an-uuid-say"})
    parent = event("a.d", metadata={"span_id": "an-uuid-say"})
    assert span_of(child).span_id == SPAN
    assert span_of(child).parent_span_id == span_of(parent).span_id


@pytest.mark.parametrize(
    ("scope", "metadata"),
    [
        ("crucible_train.training", {"run_id": "r"}),
        ("crucible_framework.pipeline", {"run_id": "r"}),
        ("crucible_train.epoch", {"run_id": "r", "epoch": 3}),
        ("crucible_framework.stage", {"run_id": "r", "stage_name": "s", "stage_index": 1}),
        ("crucible_framework.stage", {"run_id": "r", "stage_name": "s", "loop_index": 0}),
        ("crucible_deployment.inference", {"request_id": "#Reference<0.1.2.3>"}),
        ("crucible_hedging.request", {"request_id": "q"}),
        ("forge.stage", {"telemetry_span_context": "#Reference<0.1.2.4>"}),
        ("somebody.else", {"telemetry_span_context": "#Reference<0.1.2.5>", "run_id": "r"}),
    ],
)
def test_a_start_is_the_child_of_the_span_that_its_stop_makes(
    scope: str, metadata: dict[str, Any]
) -> None:
    start, stop = life(scope, **metadata)
    assert start.trace_id == stop.trace_id
    assert start.parent_span_id == stop.span_id
    assert start.span_id != stop.span_id


@pytest.mark.parametrize(
    ("scope", "metadata"),
    [
        ("crucible_train.epoch", {"run_id": "r"}),
        ("crucible_framework.stage", {"run_id": "r", "stage_name": "s"}),
        ("somebody.else", {"run_id": "r"}),
        ("somebody.else", {}),
    ],
)
def test_what_could_be_any_of_several_is_joined_to_none(
    scope: str, metadata: dict[str, Any]
) -> None:
    start, stop = life(scope, **metadata)
    assert start.parent_span_id != stop.span_id


def test_a_run_s_events_are_traces_as_the_sdk_has_them() -> None:
    def trace_of(name: str, **metadata: Any) -> bytes:
        return span_of(event(name, metadata={"run_id": "r", **metadata})).trace_id

    epoch = trace_of("crucible_train.epoch.stop", epoch=1)
    assert trace_of("crucible_train.batch.stop", epoch=1, step=9) == epoch
    assert trace_of("crucible_train.epoch.stop", epoch=2) != epoch
    assert trace_of("crucible_train.training.stop", epoch=1) not in {epoch, bytes(16)}
    pipeline = trace_of("crucible_framework.pipeline.stop")
    assert trace_of("crucible_framework.stage.stop", stage_index=0) == pipeline
    assert trace_of("crucible_train.training.stop") != pipeline


def test_a_batch_is_the_child_of_its_epoch_and_a_stage_of_its_pipeline() -> None:
    def of(name: str, **metadata: Any) -> Span:
        return span_of(event(name, metadata={"run_id": "r", **metadata}))

    epoch = of("crucible_train.epoch.stop", epoch=1)
    assert of("crucible_train.batch.stop", epoch=1, step=9).parent_span_id == epoch.span_id
    pipeline = of("crucible_framework.pipeline.stop")
    assert of("crucible_framework.stage.stop").parent_span_id == pipeline.span_id


def test_the_same_event_in_another_request_has_the_same_ids() -> None:
    sent = event("a.b.c", metadata={"x": 1})
    other = event("a.b.c", metadata={"x": 2})
    (alone,) = spans_of(bridged(sent))
    _, later = spans_of(bridged(other, sent))
    assert (alone.trace_id, alone.span_id) == (later.trace_id, later.span_id)


def test_events_alike_in_one_request_are_several() -> None:
    spans = spans_of(bridged(*[event("a.b.c")] * 3))
    assert len({span.span_id for span in spans}) == 3


def test_without_an_id_of_any_kind_events_share_nothing() -> None:
    one, other = spans_of(bridged(event("a.b.c"), event("a.b.d")))
    assert one.trace_id != other.trace_id


def test_one_correlation_id_is_one_trace_where_nothing_else_says() -> None:
    one, other = spans_of(
        bridged(event("a.b", correlation_id="story"), event("a.c", correlation_id="story"))
    )
    assert one.trace_id == other.trace_id
    assert span_of(event("a.b", correlation_id=TRACE.hex())).trace_id == TRACE
