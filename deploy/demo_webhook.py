"""The webhook of the demo: takes what the collector sends, and says whether it is genuine.

It checks the signature as the collector's README tells receivers to, with a key that is made for the
occasion and known to the collector by its environment.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY_VARIABLE = "DEMO_WEBHOOK_KEY"
NEWS_MAX_S = 300


@dataclass(frozen=True)
class Alert:
    """One that has arrived, and when, in Unix seconds."""

    told: dict[str, Any]
    is_genuine: bool
    arrived_at: float


@dataclass
class DemoWebhook:
    """Listens on a free port of loopback."""

    port: int
    key: str
    tell: Callable[[Alert], None] = lambda _alert: (
        None
    )  # called for each, on the thread that took it
    alerts: list[Alert] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)

    @property
    def environment(self) -> dict[str, str]:
        """What the collector is started with, so that it sends here."""
        webhook = {
            "name": "demo",
            "url": f"http://127.0.0.1:{self.port}/",
            "secret_env": KEY_VARIABLE,
            "group_s": 0.5,
        }
        return {
            "CRUCIBLE_DETECTION": json.dumps({"webhooks": [webhook]}),
            KEY_VARIABLE: self.key,
            "NO_PROXY": "127.0.0.1",
        }

    def take(self, body: bytes, signature: str) -> None:
        """Keep the alerts of a delivery."""
        genuine = is_genuine(body, signature, self.key)
        found = [Alert(told, genuine, time.time()) for told in json.loads(body)["alerts"]]
        with self._news:
            self.alerts += found
            self._news.notify_all()
        for alert in found:
            self.tell(alert)

    def wait_for(self, wanted: Callable[[Alert], bool], timeout_s: float) -> Alert | None:
        """The first that is wanted, once it has arrived; None where it does not."""

        def first() -> Alert | None:
            return next(filter(wanted, self.alerts), None)

        with self._news:
            return self._news.wait_for(first, timeout_s)


def is_genuine(body: bytes, header: str, key: str) -> bool:
    """Whether the signature is of this body, under the key, and of the last minutes."""
    told = dict(part.partition("=")[::2] for part in header.split(","))
    stamp = told.get("t", "")
    signed = hmac.new(key.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    is_signed = hmac.compare_digest(signed, told.get("v1", ""))
    return is_signed and abs(time.time() - int(stamp)) < NEWS_MAX_S


@contextlib.contextmanager
def demo_webhook() -> Iterator[DemoWebhook]:
    """One that listens until it is left."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            webhook.take(body, self.headers.get("X-Crucible-Signature", ""))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    webhook = DemoWebhook(server.server_address[1], secrets.token_hex(16))
    thread = threading.Thread(target=server.serve_forever, name="demo-webhook", daemon=True)
    thread.start()
    try:
        yield webhook
    finally:
        server.shutdown()
        server.server_close()
