"""What a sender is told: the one table from results and refusals to gRPC and HTTP.

What a reader could not guess: a partial success must not be repeated, so it is a success to both
transports; and `RESOURCE_EXHAUSTED` without RetryInfo tells a client to give up, which is why what is
too large gets it so, and who is too fast gets it with RetryInfo.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple

import grpc
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from crucible_collector.batch import Signal
from crucible_collector.errors import (
    ForbiddenError,
    MalformedError,
    OverloadedError,
    RefusedError,
    TooFastError,
    TooLargeError,
    UnauthenticatedError,
)

_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """A request that is safe in the journal. `message` is empty where all of it was accepted."""

    signal: Signal
    record_count: int
    refused_count: int
    message: str

    @property
    def outcome(self) -> str:
        return "partial" if self.refused_count else "ok"


class Refusal(NamedTuple):
    """How one kind of refusal is said on each transport."""

    grpc_code: grpc.StatusCode
    http_status: HTTPStatus


_REFUSALS: dict[type[RefusedError], Refusal] = {
    MalformedError: Refusal(grpc.StatusCode.INVALID_ARGUMENT, HTTPStatus.BAD_REQUEST),
    TooLargeError: Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    UnauthenticatedError: Refusal(grpc.StatusCode.UNAUTHENTICATED, HTTPStatus.UNAUTHORIZED),
    ForbiddenError: Refusal(grpc.StatusCode.PERMISSION_DENIED, HTTPStatus.FORBIDDEN),
    OverloadedError: Refusal(grpc.StatusCode.UNAVAILABLE, HTTPStatus.SERVICE_UNAVAILABLE),
    TooFastError: Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, HTTPStatus.TOO_MANY_REQUESTS),
}


def refusal(error: RefusedError) -> Refusal:
    return _REFUSALS[type(error)]


def success(answer: Answer) -> bytes:
    """The Export…ServiceResponse; without refused records it is empty."""
    return _response(answer).SerializeToString() if answer.refused_count else b""


def success_json(answer: Answer) -> bytes:
    return _json(_response(answer))


def _response(answer: Answer) -> Message:
    if answer.signal is Signal.TRACES:
        traces = ExportTraceServiceResponse()
        if answer.refused_count:
            traces.partial_success.rejected_spans = answer.refused_count
            traces.partial_success.error_message = answer.message
        return traces
    if answer.signal is Signal.METRICS:
        metrics = ExportMetricsServiceResponse()
        if answer.refused_count:
            metrics.partial_success.rejected_data_points = answer.refused_count
            metrics.partial_success.error_message = answer.message
        return metrics
    logs = ExportLogsServiceResponse()
    if answer.refused_count:
        logs.partial_success.rejected_log_records = answer.refused_count
        logs.partial_success.error_message = answer.message
    return logs


def status(code: grpc.StatusCode, message: str, retry_after_s: float | None = None) -> Status:
    """google.rpc.Status, with RetryInfo where the sender shall come back."""
    made = Status(code=code.value[0], message=message)
    if retry_after_s is not None:
        made.details.add().Pack(retry_info(retry_after_s))
    return made


def status_json(made: Status) -> bytes:
    return _json(made)


def retry_info(retry_after_s: float) -> RetryInfo:
    info = RetryInfo()
    info.retry_delay.FromNanoseconds(round(retry_after_s * _NS))
    return info


def retry_after(error: RefusedError) -> float | None:
    """Seconds after which the sender may try again; None: never."""
    return error.retry_after_s if isinstance(error, OverloadedError) else None


def retry_after_header(retry_after_s: float) -> bytes:
    """Whole seconds, since HTTP has no smaller ones."""
    return str(max(math.ceil(retry_after_s), 1)).encode()


def trailers(
    code: grpc.StatusCode, message: str, retry_after_s: float | None
) -> tuple[tuple[str, bytes], ...]:
    """GRPC's status details. OpenTelemetry's Python exporter reads the second trailer only."""
    details = status(code, message, retry_after_s).SerializeToString()
    found: tuple[tuple[str, bytes], ...] = (("grpc-status-details-bin", details),)
    if retry_after_s is not None:
        info = retry_info(retry_after_s).SerializeToString()
        found += (("google.rpc.retryinfo-bin", info),)
    return found


def _json(message: Message) -> bytes:
    return json_format.MessageToJson(message, indent=None, ensure_ascii=False).encode()
