"""A real S3 server on loopback, that may be slow to answer, answer too little, or something else.

moto's server behind a middleware of ours: what is to go wrong is told by the test, and each fault is used up.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

BUCKET = "archives"
KEY, SECRET = "AKIATESTTESTTEST", "s3cret-s3cret-s3cret-s3cret"
_SLOW_DOWN = (
    b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>"
)
Start = Callable[..., Any]


@dataclass
class Faults:
    """What is to go wrong: how many requests are slowed down, how many answers are cut, or garbled."""

    slowed: int = 0  # of any method, every second request
    cut: int = 0  # answers to GET of Parquet files
    garbled: int = 0  # likewise
    hold_at: int | None = None  # the so-manieth file to be put is held until `release`
    written: Counter[str] = field(default_factory=Counter)
    request_count: int = 0
    is_held: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)


@dataclass
class ObjectStore:
    """A running server; `environment` is what its users have of it."""

    url: str
    environment: dict[str, str]
    faults: Faults


class _Faulty:
    """WSGI middleware."""

    def __init__(self, app: Any, faults: Faults) -> None:
        self._app = app
        self._faults = faults
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        faults, path = self._faults, environ["PATH_INFO"]
        with self._lock:
            faults.request_count += 1
            slows = faults.slowed > 0 and faults.request_count % 2 == 0
            faults.slowed -= slows
        if slows:
            start("503 Slow Down", [("Content-Type", "application/xml")])
            return [_SLOW_DOWN]
        if environ["REQUEST_METHOD"] == "PUT" and path.endswith(".parquet"):
            if faults.hold_at is not None and sum(faults.written.values()) >= faults.hold_at:
                faults.is_held.set()
                faults.release.wait(60)
            faults.written[path] += 1
        answer = self._app(environ, start)
        if environ["REQUEST_METHOD"] == "GET" and path.endswith(".parquet"):
            return self._spoiled(b"".join(answer))
        return answer  # type: ignore[no-any-return]

    def _spoiled(self, body: bytes) -> Iterable[bytes]:
        faults = self._faults
        with self._lock:
            if faults.cut > 0:
                faults.cut -= 1
                return [body[: len(body) // 2]]
            if faults.garbled > 0:
                faults.garbled -= 1
                middle = len(body) // 2
                return [body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]]
        return [body]


class _Quiet(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        pass


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """An S3 server with an empty bucket, until the block ends."""
    faults = Faults()
    app = _Faulty(DomainDispatcherApplication(create_backend_app), faults)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, name="object-store", daemon=True)
    thread.start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    httpx.post(f"{endpoint}/moto-api/reset").raise_for_status()
    httpx.put(f"{endpoint}/{BUCKET}").raise_for_status()
    environment = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
    }
    try:
        yield ObjectStore(f"s3://{BUCKET}/telemetry", environment, faults)
    finally:
        faults.release.set()
        server.shutdown()
        thread.join(10)
        server.server_close()
