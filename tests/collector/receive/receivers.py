"""Starts receivers and reads back what they have put into the journal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from crucible_collector.batch import Reason, Signal
from crucible_collector.journal import Entry, EntryFlag, Journal
from crucible_collector.receive import (
    Admission,
    BoundedHttp,
    GrpcServer,
    Intake,
    Limits,
    OtlpHttp,
)
from crucible_collector.receive.grpc_server import METHODS
from crucible_collector.receive.http_app import PATHS
from crucible_collector.web_server import WebServer

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
METHOD_OF = {signal: method for method, signal in METHODS.items()}
PATH_OF = {signal: path for path, signal in PATHS.items()}


@dataclass(frozen=True)
class Journalled:
    """One entry as the pipeline will see it."""

    signal: Signal
    body: bytes
    record_count: int
    flags: EntryFlag
    digest: bytes
    refused: dict[int, Reason]


@dataclass
class Receiver:
    journal: Journal
    intake: Intake
    grpc_address: str
    http_url: str

    def entries(self, since: int | None = None) -> list[Journalled]:
        """What has become durable from position `since` on."""
        position = self.journal.head if since is None else since
        found: list[Journalled] = []
        window = self.journal.read(position, records_max=1 << 20, bytes_max=1 << 28)
        while window is not None:
            for row in range(len(window)):
                start = int(window.body_offset[row])
                refused = slice(int(window.refused_start[row]), int(window.refused_start[row + 1]))
                found.append(
                    Journalled(
                        Signal(int(window.signal[row])),
                        window.buffer[start : start + int(window.body_length[row])].tobytes(),
                        int(window.record_count[row]),
                        EntryFlag(int(window.flags[row])),
                        window.digest[row].tobytes(),
                        {
                            int(index): Reason(int(reason))
                            for index, reason in zip(
                                window.refused_index[refused],
                                window.refused_reason[refused],
                                strict=True,
                            )
                        },
                    )
                )
            window = self.journal.read(window.end, records_max=1 << 20, bytes_max=1 << 28)
        return found

    def mark(self) -> int:
        """A position that everything before this call lies before, what nobody waited for too."""
        marker = Entry(
            Signal.TRACES,
            b"",
            received_ns=0,
            digest=bytes(16),
            record_count=0,
            flags=EntryFlag.REFUSED_WHOLE,
        )
        return self.journal.append(marker).result(timeout=10)

    def span_names(self) -> list[str]:
        """The names of all spans in the journal, in order."""
        return [
            span.name
            for entry in self.entries()
            for resource in ExportTraceServiceRequest.FromString(entry.body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def call(
        self,
        body: bytes,
        signal: Signal = Signal.TRACES,
        compression: grpc.Compression = grpc.Compression.NoCompression,
        timeout_s: float = 20.0,
    ) -> bytes:
        """One gRPC call of bytes; raises grpc.RpcError."""
        options = [("grpc.max_send_message_length", -1)]
        with grpc.insecure_channel(self.grpc_address, options) as channel:
            export: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
                METHOD_OF[signal], None, None
            )
            return export(body, timeout=timeout_s, compression=compression)

    def post(
        self,
        body: bytes | Iterator[bytes],
        signal: Signal = Signal.TRACES,
        content_type: str = PROTOBUF,
        **headers: str,
    ) -> httpx.Response:
        """One HTTP request; underscores in header names become hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(
            self.http_url + PATH_OF[signal],
            content=body,
            headers={"content-type": content_type, **named},
            timeout=20,
        )


@contextmanager
def running_receiver(
    directory: Path,
    *,
    limits: Limits | None = None,
    bytes_in_flight_max: int = 64 << 20,
    patience_s: float = 2.0,
    body_timeout_s: float = 30.0,
    **journal_settings: Any,
) -> Iterator[Receiver]:
    """Both transports on free ports over one journal."""
    with Journal.open(directory, **journal_settings) as journal:
        admission = Admission(bytes_in_flight_max, patience_s=patience_s)
        intake = Intake(journal, limits or Limits(), admission)
        grpc_server = GrpcServer(intake, body_timeout_s=body_timeout_s)
        http_server = WebServer(
            OtlpHttp(intake, body_timeout_s=body_timeout_s), name="otlp-http", http=BoundedHttp
        )
        try:
            grpc_host, grpc_port = grpc_server.start("127.0.0.1", 0)
            http_host, http_port = http_server.start("127.0.0.1", 0)
            yield Receiver(
                journal, intake, f"{grpc_host}:{grpc_port}", f"http://{http_host}:{http_port}"
            )
        finally:
            grpc_server.stop(1)
            http_server.stop()
            intake.close()
            assert admission.bytes_used == 0, "a request has kept its share of the budget"


def until(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    """For what has no event to wait for."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.005)
