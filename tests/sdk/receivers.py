"""OTLP receivers of a test's own, on loopback: what the SDK's exporters really talk to."""

from __future__ import annotations

import gzip
import http.server
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as service_grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class Received:
    """What arrived, request by request, and what is answered."""

    requests: list[service.ExportTraceServiceRequest] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    refusals_left: int = 0  # answer so many requests with "come back later"
    address: str = ""

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for request in self.requests
            for resource_spans in request.resource_spans
            for scope_spans in resource_spans.scope_spans
            for span in scope_spans.spans
        ]

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]

    @property
    def resource(self) -> dict[str, Any]:
        return plain(self.requests[-1].resource_spans[0].resource.attributes)

    def take(self, body: bytes, headers: dict[str, str]) -> bool:
        if self.refusals_left > 0:
            self.refusals_left -= 1
            return False
        self.requests.append(service.ExportTraceServiceRequest.FromString(body))
        self.headers.append(headers)
        return True


def plain(attributes: Any) -> dict[str, Any]:
    pairs: list[KeyValue] = list(attributes)
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, kind) if kind else None


class _Servicer(service_grpc.TraceServiceServicer):
    def __init__(self, received: Received) -> None:
        self._received = received

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        headers = {str(key): str(value) for key, value in context.invocation_metadata()}
        if not self._received.take(request.SerializeToString(), headers):
            context.abort(grpc.StatusCode.UNAVAILABLE, "come back later")
        return service.ExportTraceServiceResponse()


@contextmanager
def grpc_receiver(
    received: Received | None = None, address: str = "127.0.0.1:0"
) -> Iterator[Received]:
    received = received or Received()
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    service_grpc.add_TraceServiceServicer_to_server(  # type: ignore[no-untyped-call]
        _Servicer(received), server
    )
    port = server.add_insecure_port(address)
    server.start()
    received.address = f"127.0.0.1:{port}"
    try:
        yield received
    finally:
        server.stop(grace=None).wait()


@contextmanager
def http_receiver() -> Iterator[Received]:
    received = Received()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            headers = {key.lower(): value for key, value in self.headers.items()}
            taken = received.take(body, {**headers, "path": self.path})
            self.send_response(200 if taken else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            """Keep quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    received.address = f"127.0.0.1:{server.server_port}"
    try:
        yield received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
