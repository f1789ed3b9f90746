"""One kept-alive connection to the collector's REST API, for questions of a line.

What a reader could not guess: `close` may be called from another thread while one waits for an answer;
that breaks the waiting off.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from typing import NamedTuple
from urllib.parse import urlsplit

from crucible_telemetry.destination import Destination
from crucible_telemetry.http_sender import (
    basic,
    connection_to,
    host_of,
    proxy_of,
    read_answer,
    tls_of,
)


class Answer(NamedTuple):
    """What came back, whatever its status."""

    status: int
    body: bytes
    etag: str


class ApiLine:
    """Asks one API. Not for several threads at once, but for `close`."""

    def __init__(self, place: Destination) -> None:
        self._url = urlsplit(place.endpoint)
        self._tls = tls_of(place) if place.is_secure else None
        self._timeout_s = place.timeout_s
        self._proxy = proxy_of(self._url)
        self._headers = {"user-agent": "crucible-telemetry", "accept": "application/json"}
        if self._url.username is not None:
            self._headers["authorization"] = basic(self._url)
        self._is_told_whole = self._proxy is not None and self._tls is None
        if self._is_told_whole and self._proxy is not None and self._proxy.username is not None:
            self._headers["proxy-authorization"] = basic(self._proxy)
        self._headers |= dict(place.headers)
        self._lock = threading.RLock()  # around the connection, which `close` may take away
        self._connection: http.client.HTTPConnection | None = None
        self._is_closed = False

    def get(self, path: str, etag: str = "") -> Answer:
        """Ask; status 304 without a body where it is still as `etag` says.

        Raises OSError and HTTPException. A connection that the other end has closed meanwhile is
        opened again once, at once.
        """
        is_fresh = self._connection is None
        try:
            return self._exchange(path, etag)
        except (http.client.RemoteDisconnected, ConnectionError):
            self._drop()
            if is_fresh or self._is_closed:
                raise
            return self._exchange(path, etag)
        except BaseException:
            self._drop()
            raise

    def close(self) -> None:
        """Break off what waits, and refuse what comes."""
        with self._lock:
            self._is_closed = True
            sock = None if self._connection is None else self._connection.sock
        if sock is not None:
            # Wakes a thread that waits for an answer; closing alone would not.
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._drop()

    def _exchange(self, path: str, etag: str) -> Answer:
        deadline_s = time.monotonic() + self._timeout_s
        with self._lock:
            if self._is_closed:
                raise ConnectionAbortedError("closed")
            if self._connection is None:
                self._connection = connection_to(self._url, self._proxy, self._tls, self._timeout_s)
            connection = self._connection
        headers = {**self._headers, "if-none-match": etag} if etag else self._headers
        whole = f"{self._url.path}{path}"
        if self._is_told_whole:
            whole = f"http://{host_of(self._url)}{whole}"  # a proxy is asked for the whole
        connection.request("GET", whole, headers=headers)
        answer = connection.getresponse()
        body = read_answer(answer, deadline_s)
        if answer.will_close:
            self._drop()
        return Answer(answer.status, body, answer.getheader("ETag") or "")

    def _drop(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
