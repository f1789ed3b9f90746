"""An OTLP receiver that keeps bytes, in a process of its own: its time is nobody's.

`python -m benchmarks.sdk_sink` prints its port; at the end of its input, how many spans came.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

_TESTS = Path(__file__).resolve().parents[1]
SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
BATCH = "crucible_train.batch"


class Sink:
    """The other end of a sink's process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.endpoint = f"http://127.0.0.1:{self._line()}"

    def batches(self) -> int:
        """End it, and tell how many batches came."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return int(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def sink() -> Iterator[Sink]:
    """A sink that listens; ended afterwards."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.sdk_sink"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(_TESTS)},
    ) as process:
        try:
            yield Sink(process)
        finally:
            process.kill()


def main() -> None:
    bodies: list[bytes] = []
    answer = ExportTraceServiceResponse().SerializeToString()

    def take(body: bytes, _context: grpc.ServicerContext) -> bytes:
        bodies.append(body)
        return answer

    server = grpc.server(ThreadPoolExecutor(max_workers=1))
    handlers: dict[str, Any] = {"Export": grpc.unary_unary_rpc_method_handler(take)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    sys.stdin.read()
    server.stop(grace=1).wait()
    requests = (ExportTraceServiceRequest.FromString(body) for body in bodies)
    print(
        sum(
            span.name == BATCH
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ),
        flush=True,
    )


if __name__ == "__main__":
    main()
