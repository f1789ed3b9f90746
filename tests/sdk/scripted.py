"""OTLP servers that answer what a test says: codes, trailers, partial success, silence.

`receivers` stand for a collector that works; these for everything else. They take raw bytes, so a
test sees whether a request was sent again as it was.
"""

from __future__ import annotations

import gzip
import http.server
import ssl
import threading
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service


@dataclass
class Answer:
    """One answer; without a code it is a success."""

    code: Any = None  # grpc.StatusCode, or an HTTP status
    message: str = ""
    body: bytes = b""
    trailers: tuple[tuple[str, str | bytes], ...] = ()
    is_silent: bool = False  # until the server is released


@dataclass
class Script:
    """What is answered, in turn (then successes), and what came."""

    answers: deque[Answer] = field(default_factory=deque)
    bodies: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    address: str = ""
    came: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    released: threading.Event = field(default_factory=threading.Event)

    def take(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        self.paths.append(path)
        self.bodies.append(body)
        self.headers.append(headers)
        answer = self.answers.popleft() if self.answers else Answer()
        self.came.release()
        if answer.is_silent:
            self.released.wait(60)
        return answer


def partial_success(rejected_count: int, message: str) -> bytes:
    response = service.ExportTraceServiceResponse()
    response.partial_success.rejected_spans = rejected_count
    response.partial_success.error_message = message
    return response.SerializeToString()


def retry_info(seconds: float) -> tuple[str, bytes]:
    """The trailer that asks to come back later, as the specification has it."""
    info = RetryInfo(retry_delay=Duration(nanos=int(seconds * 1e9) % 10**9, seconds=int(seconds)))
    status = Status(code=8, message="later")
    status.details.add().Pack(info)
    return ("grpc-status-details-bin", status.SerializeToString())


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, script: Script) -> None:
        self._script = script

    def service(self, handler_call_details: Any) -> Any:
        path = handler_call_details.method

        def export(body: bytes, context: grpc.ServicerContext) -> bytes:
            headers = {str(key): str(value) for key, value in context.invocation_metadata()}
            answer = self._script.take(path, body, headers)
            if answer.trailers:
                context.set_trailing_metadata(answer.trailers)
            if answer.code is not None:
                context.abort(answer.code, answer.message)
            return answer.body

        return grpc.unary_unary_rpc_method_handler(export)


@contextmanager
def scripted_grpc(
    *answers: Answer,
    address: str = "127.0.0.1:0",
    credentials: grpc.ServerCredentials | None = None,
) -> Iterator[Script]:
    script = Script(deque(answers))
    server = grpc.server(ThreadPoolExecutor(4), handlers=[_Handlers(script)])
    if credentials is None:
        port = server.add_insecure_port(address)
    else:
        port = server.add_secure_port(address, credentials)
    script.address = f"127.0.0.1:{port}"
    server.start()
    try:
        yield script
    finally:
        script.released.set()
        server.stop(grace=None).wait()


@contextmanager
def scripted_http(
    *answers: Answer, port: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[Script]:
    script = Script(deque(answers))

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            encoding = self.headers.get("Content-Encoding")
            if encoding is not None:
                body = gzip.decompress(body) if encoding == "gzip" else zlib.decompress(body)
            headers = {key.lower(): value for key, value in self.headers.items()}
            answer = script.take(self.path, body, headers)
            if script.released.is_set():
                self.close_connection = True
                return
            self.send_response(answer.code or 200)
            for key, value in answer.trailers:
                self.send_header(key, str(value))
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_arguments: Any) -> None:
            """Keep quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    script.address = f"127.0.0.1:{server.server_port}"
    try:
        yield script
    finally:
        script.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
