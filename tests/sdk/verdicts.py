"""A collector's API as far as the SDK asks it: how a run is, over a real HTTP server on loopback."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import crucible_telemetry as crucible
from sdk.receivers import Received, grpc_receiver, plain

REASON = {
    "period_id": "0198c0de-0000-7000-8000-000000000001",
    "run_id": "r 1/ä",
    "severity": "critical",
    "metric": "loss",
    "detector": "non_finite",
    "since": "2026-11-23T10:00:00Z",
    "text": "loss was not finite 41 times",
    "state": "active",
}
CRITICAL: dict[str, Any] = {"verdict": "critical", "should_stop": True, "reasons": [REASON]}
HEALTHY: dict[str, Any] = {"verdict": "healthy", "should_stop": False, "reasons": []}


@dataclass
class Api:
    """A collector's API as far as it is asked here."""

    data: dict[str, Any] | None = field(default_factory=lambda: dict(HEALTHY))  # None: 404
    body: bytes | None = None  # in place of `data`
    status: int = 200
    etag: str = ""
    url: str = ""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    unchanged_count: int = 0
    may_answer: threading.Event = field(default_factory=threading.Event)

    def answer(self, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        self.asked.append((path, headers))
        assert self.may_answer.wait(20)
        if self.etag and headers.get("if-none-match") == self.etag:
            self.unchanged_count += 1
            return 304, b""
        if self.body is None and self.data is None:
            return 404, b'{"error": {"code": "not_found"}}'
        return self.status, self.body if self.body is not None else json.dumps(
            {"data": self.data}
        ).encode()


@contextmanager
def hopeless() -> Iterator[Received]:
    """A configuration by which every run should stop; what is received is all there once it ends."""
    with grpc_receiver() as received, serving() as api:
        api.data = CRITICAL
        endpoint = f"http://{received.address}"
        crucible.configure("t", endpoint=endpoint, api=api.url, spool_dir="")
        yield received
        assert crucible.shutdown()


def statuses(received: Received) -> list[str]:
    """How the trainings ended."""
    ends = [span for span in received.spans if span.name == "crucible_train.training"]
    return [plain(span.attributes)["crucible.status"] for span in ends]


def wait_for(training: crucible.Training | None) -> None:
    """Until it is known that the training should stop."""
    assert training is not None
    deadline_s = time.monotonic() + 10
    pause = threading.Event()
    while not training.should_stop():
        assert time.monotonic() < deadline_s, "nobody said so in time"
        pause.wait(0.002)


@contextmanager
def serving() -> Iterator[Api]:
    api = Api()
    api.may_answer.set()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            headers = {key.lower(): value for key, value in self.headers.items()}
            status, body = api.answer(self.path, headers)
            self.send_response(status)
            if api.etag:
                self.send_header("ETag", api.etag)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            """Keep quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    api.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield api
    finally:
        api.may_answer.set()
        server.shutdown()
        thread.join()
        server.server_close()
