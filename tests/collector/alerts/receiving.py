"""A webhook's receiver on loopback, the outbox filled by hand, and a day that goes by in a moment."""

from __future__ import annotations

import datetime as dt
import json
import random
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg

from crucible_collector.alerts.patience import Clock
from crucible_collector.alerts.sender import AlertSender
from crucible_collector.detect.webhooks import Webhook
from crucible_collector.store.connect import alerts_connection
from crucible_collector.store.outbox import Outbox

GROUP_S = 2.0
T0 = dt.datetime(2026, 11, 23, 10, 0, 0, tzinfo=dt.UTC)


@dataclass
class Request:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def alert_ids(self) -> list[int]:
        return [alert["alert_id"] for alert in self.document["alerts"]]


@dataclass
class Receiver:
    """Answers by `answers`, one after the other, then with 200; None ends the connection without one."""

    port: int
    requests: list[Request] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]] | None] = field(default_factory=list)
    holds: threading.Event | None = None  # a request is not answered before this
    body: bytes = b"ok"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def alert_ids(self) -> list[int]:
        return [number for request in self.requests for number in request.alert_ids]


@contextmanager
def receiver(port: int = 0) -> Iterator[Receiver]:
    """One that listens; a port that was one's before is taken again."""
    found: list[Receiver] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            here = found[0]
            body = self.rfile.read(int(self.headers["Content-Length"]))
            here.requests.append(Request(self.path, dict(self.headers), body))
            if here.holds is not None:
                here.holds.wait(30)
            answer = here.answers.pop(0) if here.answers else (200, {})
            if answer is None:
                self.connection.close()
                return
            status, headers = answer
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(here.body)

        def log_message(self, *_: Any) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:  # whoever hung up knows
            return

    server = Server(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    found.append(Receiver(server.server_address[1]))
    try:
        yield found[0]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Time:
    """All clocks there are; it stands still unless it is moved."""

    elapsed_s: float = 0.0

    def now(self) -> dt.datetime:
        return T0 + dt.timedelta(seconds=self.elapsed_s)

    def passes(self, seconds: float) -> None:
        self.elapsed_s += seconds

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.elapsed_s, lambda: self.now().timestamp())


class NoReads:
    """What the API reads, of a database in which nothing else changed."""

    def json_rows(self, question: str, /, **_parameters: object) -> list[str]:
        assert question == "anomaly_surroundings"
        return []


@dataclass
class Outgoing:
    """The outbox of one database, and senders over it."""

    dsn: str
    conn: psycopg.Connection[Any]
    time: Time = field(default_factory=Time)

    def has_period(self, **columns: Any) -> uuid.UUID:
        """A period that began now; a test names what matters."""
        told = {
            "period_id": uuid.uuid4(),
            "started_at": self.time.now(),
            "last_flag_at": self.time.now(),
            "state_at": self.time.now(),
            "flag_count": 1,
            "metric": "loss",
            "detector": "ewma",
            "severity": "warning",
            "run_id": "r",
            "experiment_id": "sweep",
            "first_step": 812,
            "last_step": 812,
            "first_value": 12.3,
            "peak_at": self.time.now(),
            "peak_score": 5.2,
            "peak_value": 12.3,
            "peak_expected": 0.5,
            "peak_lower": 0.41,
            "peak_upper": 0.62,
            **columns,
        }
        self._insert("anomaly_periods", told)
        period: uuid.UUID = told["period_id"]
        return period

    def has_alert(
        self,
        period: uuid.UUID | None = None,
        kind: str = "firing",
        webhook: str = "hook",
        **of: Any,
    ) -> int:
        """An alert that is made now, of a period of its own unless one is given."""
        period = period or self.has_period(**of)
        row = self.conn.execute(
            "insert into crucible.alert_outbox (created_at, due_at, period_id, kind, webhook, severity)"
            " select %(now)s, %(now)s, period_id, %(kind)s, %(webhook)s, severity"
            " from crucible.anomaly_periods where period_id = %(period)s returning alert_id",
            {"now": self.time.now(), "period": period, "kind": kind, "webhook": webhook},
        ).fetchone()
        assert row is not None
        return int(row[0])

    def is_now(self, period: uuid.UUID, **columns: Any) -> None:
        for name, value in columns.items():
            self.conn.execute(
                f"update crucible.anomaly_periods set {name} = %s where period_id = %s".encode(),
                (value, period),
            )

    def row(self, alert_id: int) -> dict[str, Any]:
        with self.conn.cursor(row_factory=psycopg.rows.dict_row) as cursor:
            found = cursor.execute(
                "select * from crucible.alert_outbox where alert_id = %s", (alert_id,)
            ).fetchone()
        assert found is not None
        return found

    def outbox(self) -> Outbox:
        return Outbox(lambda: alerts_connection(self.dsn), self.time.now)

    @contextmanager
    def sender(
        self, *webhooks: Webhook, outbox: Outbox | None = None, **options: Any
    ) -> Iterator[Callable[[], int]]:
        """What sends whatever is due, as the thread would do; `settings` are the webhooks unless given."""
        own = outbox or self.outbox()
        known = options.pop("settings", webhooks)
        made = AlertSender(
            own,
            options.pop("reads", NoReads()),
            lambda: known,
            lambda: "http://crucible:8080",
            clock=self.time.clock,
            jitter=random.Random(5),
            **options,
        )
        try:
            yield made.send_due
        finally:
            own.close()

    def _insert(self, relation: str, told: dict[str, Any]) -> None:
        names = ", ".join(told)
        values = ", ".join(f"%({name})s" for name in told)
        self.conn.execute(
            f"insert into crucible.{relation} ({names}) values ({values})".encode(), told
        )


def hook(url: str = "", **settings: Any) -> Webhook:
    """One of that address, with a default for what is not said."""
    return Webhook(**{"name": "hook", "url": url, "group_s": GROUP_S, **settings})


def ordered(numbers: Sequence[int]) -> bool:
    return list(numbers) == sorted(numbers)
