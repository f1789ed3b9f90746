"""Delivery over real gRPC to servers that come and go."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, TraceFlags

from crucible_telemetry.delivery import Delivery
from crucible_telemetry.destination import otlp_sender
from crucible_telemetry.spool import Spool
from harness import eventually
from sdk.receivers import Received, grpc_receiver
from sdk.scripted import Answer, retry_info, scripted_grpc


@pytest.fixture(autouse=True)
def _short_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crucible_telemetry.patience.BACKOFF_FIRST_S", 0.01)
    monkeypatch.setattr("crucible_telemetry.patience.BACKOFF_MAX_S", 0.02)


def span(index: int) -> ReadableSpan:
    context = SpanContext(1, index + 1, is_remote=False, trace_flags=TraceFlags(1))
    return ReadableSpan(str(index), context, resource=Resource.get_empty())


def spooled(subject: Delivery, count: int) -> None:
    eventually(lambda: subject.counts().spooled == count, "all is on disk", interval_s=0.005)


def real(address: str, root: Path) -> Delivery:
    made = Delivery(
        lambda: otlp_sender("grpc", f"http://{address}", None),
        resource=Resource.get_empty(),
        queue_spans_max=1000,
        batch_spans_max=4,
        interval_s=0.005,
        retry_s=60,
        spool=Spool(root, address, bytes_max=1 << 20),
    )
    made.start()
    return made


def test_a_real_server_that_is_away_at_first_goes_and_comes_back(tmp_path: Path) -> None:
    with grpc_receiver() as received:
        address = received.address
    subject = real(address, tmp_path)
    names: list[str] = []
    for round_number in range(3):
        for index in range(round_number * 10, round_number * 10 + 10):
            subject.on_end(span(index))
        spooled(subject, 10)
        with grpc_receiver(Received(), address) as received:
            assert subject.flush(10)
            names += received.names
    assert names == [str(index) for index in range(30)]
    assert subject.close(5)


def test_the_same_bytes_are_sent_again_when_only_the_answer_was_lost(tmp_path: Path) -> None:
    lost = Answer(grpc.StatusCode.UNAVAILABLE, "the answer was lost")
    later = Answer(grpc.StatusCode.RESOURCE_EXHAUSTED, "later", trailers=(retry_info(0.01),))
    with scripted_grpc(lost, later) as script:
        subject = real(script.address, tmp_path)
        for index in range(3):
            subject.on_end(span(index))
        assert subject.flush(10)
        assert subject.close(5)
    assert len(script.bodies) == 3
    assert len(set(script.bodies)) == 1
