"""OTLP requests as clients make them, and a client that sends until it is told that all is well.

Built with the official protobuf classes and sent over a raw gRPC channel, so that nothing of ours
stands between a test and the collector.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from dataclasses import dataclass, field

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

TRACE_METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
RETRYABLE = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}


def key_value(key: str, value: str | float) -> KeyValue:
    """One attribute; int, float and str by their type."""
    if isinstance(value, str):
        return KeyValue(key=key, value=AnyValue(string_value=value))
    if isinstance(value, int):
        return KeyValue(key=key, value=AnyValue(int_value=value))
    return KeyValue(key=key, value=AnyValue(double_value=value))


def batch_span(step: int, run: str = "run-1", **changes: object) -> Span:
    """A batch of a training with two measurements, ended now; `changes` set fields of the span."""
    now = time.time_ns()
    span = Span(
        trace_id=os.urandom(16),
        span_id=os.urandom(8),
        name="crucible_train.batch",
        start_time_unix_nano=now - 1_000_000,
        end_time_unix_nano=now,
        attributes=[
            key_value("crucible.run.id", run),
            key_value("crucible.step", step),
            key_value("crucible.measurement.loss", 1.0 / (step + 1)),
            key_value("crucible.measurement.gradient_norm", 0.5),
        ],
    )
    for name, value in changes.items():
        setattr(span, name, value)
    return span


def trace_request(spans: list[Span], service: str = "test") -> ExportTraceServiceRequest:
    """One request of one resource and scope."""
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.append(key_value("service.name", service))
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = "traffic"
    scope_spans.spans.extend(spans)
    return request


def export(
    address: str, request: ExportTraceServiceRequest, timeout_s: float = 20.0
) -> ExportTraceServiceResponse:
    """Send once; raises grpc.RpcError."""
    with grpc.insecure_channel(address) as channel:
        answer: ExportTraceServiceResponse = channel.unary_unary(
            TRACE_METHOD,
            request_serializer=ExportTraceServiceRequest.SerializeToString,
            response_deserializer=ExportTraceServiceResponse.FromString,
        )(request, timeout=timeout_s)
    return answer


@dataclass
class Sender:
    """A thread that sends batches of spans until stopped, each again until it is acknowledged."""

    address: str
    spans_per_request: int = 64
    run: str = "run-1"
    pause_s: float = 0.0
    acknowledged: set[bytes] = field(default_factory=set)
    retries: int = 0
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._steps = itertools.count()

    def start(self) -> Sender:
        self._thread.start()
        return self

    def stop(self) -> None:
        """Finish the request in hand (it is resent until it is acknowledged) and end."""
        self._stopping.set()
        self._thread.join(120)
        assert not self._thread.is_alive(), "the sender did not get its last request acknowledged"

    def _run(self) -> None:
        while not self._stopping.is_set():
            spans = [batch_span(next(self._steps), self.run) for _ in range(self.spans_per_request)]
            self._send(trace_request(spans))
            self.acknowledged.update(span.span_id for span in spans)
            self._stopping.wait(self.pause_s)

    def _send(self, request: ExportTraceServiceRequest) -> None:
        while True:
            try:
                export(self.address, request)
            except grpc.RpcError as error:
                if error.code() not in RETRYABLE:
                    self.failures.append(str(error))
                    return
                self.retries += 1
                time.sleep(0.05)
            else:
                return
