"""OTLP over HTTP with protobuf bodies, one kept-alive connection a destination.

What a reader could not guess: Python's own HTTP client is used, not requests. An attempt must be
broken off when the process ends, which takes the socket that it waits on; and requests would read
the user's `.netrc` and cost 0.1 s to import. Proxies come from the environment as usual.
"""

from __future__ import annotations

import base64
import contextlib
import email.utils
import gzip
import http.client
import socket
import ssl
import threading
import time
import urllib.request
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from crucible_telemetry.destination import Destination
from crucible_telemetry.transport import (
    RETRY_AFTER_S_MAX,
    Kind,
    Outcome,
    Parcel,
    Spans,
    outcome_of_answer,
    pack_encoded,
)

_RETRYABLE = {429, 502, 503, 504}
_ANSWER_BYTES_MAX = 1 << 20
_CONNECT_TIMEOUT_S = 3.0  # a host that is gone does not say so

_COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda body: gzip.compress(body, compresslevel=5, mtime=0),
    "deflate": lambda body: zlib.compress(body, 5),
}


class HttpSender:
    """One line a signal; a line that another end has closed is opened again once, at once."""

    pack = staticmethod(pack_encoded)

    def __init__(self, destinations: Mapping[str, Destination]) -> None:
        # Reading the system's authorities takes 0.1 s: once, unless signals have their own.
        contexts: dict[tuple[Path | None, ...], ssl.SSLContext] = {}
        for place in destinations.values():
            if place.is_secure and _identity(place) not in contexts:
                contexts[_identity(place)] = tls_of(place)
        self._lines = {
            signal: _Line(place, contexts.get(_identity(place)) if place.is_secure else None)
            for signal, place in destinations.items()
        }

    def send(self, parcel: Parcel) -> Outcome:
        if isinstance(parcel, Spans):
            raise TypeError("spans are packed before they are sent")
        return self._lines[parcel.signal].send(parcel.body)

    def close(self) -> None:
        for line in self._lines.values():
            line.close()


class _Line:
    """A connection to one URL, opened when it is needed."""

    def __init__(self, destination: Destination, tls: ssl.SSLContext | None) -> None:
        self._url = urlsplit(destination.endpoint)
        if self._url.scheme not in {"http", "https"} or not self._url.hostname:
            message = f"endpoint {destination.endpoint!r}: expected http:// or https:// and a host"
            raise ValueError(message)
        self._timeout_s = destination.timeout_s
        self._tls = tls
        self._compress = _COMPRESSORS.get(destination.compression)
        self._proxy = proxy_of(self._url)
        self._headers = self._fixed_headers(destination)
        self._path = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        if self._proxy is not None and self._tls is None:
            self._path = (
                f"http://{host_of(self._url)}{self._path}"  # a proxy is asked for the whole
            )
        self._lock = threading.RLock()  # around the connection, which `close` may take away
        self._connection: http.client.HTTPConnection | None = None
        self._is_sending = self._is_closed = False

    def _fixed_headers(self, destination: Destination) -> dict[str, str]:
        headers = {"user-agent": "crucible-telemetry", "content-type": "application/x-protobuf"}
        if self._compress is not None:
            headers["content-encoding"] = destination.compression
        if self._url.username is not None:
            headers["authorization"] = basic(self._url)
        if self._proxy is not None and self._tls is None and self._proxy.username is not None:
            headers["proxy-authorization"] = basic(self._proxy)
        return {**headers, **dict(destination.headers)}

    def send(self, body: bytes) -> Outcome:
        self._is_sending = True
        try:
            return self._send(body if self._compress is None else self._compress(body))
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            return Outcome(Kind.RETRY, f"{type(error).__name__}: {error}")
        finally:
            self._is_sending = False
            if self._is_closed:
                self._drop()

    def close(self) -> None:
        self._is_closed = True
        with self._lock:
            sock = None if self._connection is None else self._connection.sock
        if not self._is_sending:
            self._drop()
        elif sock is not None:
            # Wakes a thread that waits for an answer; closing alone would not.
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _send(self, data: bytes) -> Outcome:
        is_fresh = self._connection is None
        try:
            return self._exchange(data)
        except (http.client.RemoteDisconnected, ConnectionError):
            self._drop()
            if is_fresh or self._is_closed:
                raise
            return self._exchange(data)  # it was kept alive by us alone

    def _exchange(self, data: bytes) -> Outcome:
        deadline_s = time.monotonic() + self._timeout_s
        connection = self._connected()
        connection.request("POST", self._path, data, self._headers)
        answer = connection.getresponse()
        content = read_answer(answer, deadline_s)
        if answer.will_close or len(content) >= _ANSWER_BYTES_MAX:
            self._drop()
        return _outcome(answer, content)

    def _connected(self) -> http.client.HTTPConnection:
        with self._lock:
            if self._is_closed:
                raise ConnectionAbortedError("closed")
            if self._connection is None:
                self._connection = connection_to(self._url, self._proxy, self._tls, self._timeout_s)
            connection = self._connection
        if connection.sock is None:
            connection.timeout = min(self._timeout_s, _CONNECT_TIMEOUT_S)
            connection.connect()
            if connection.sock is not None:
                connection.sock.settimeout(self._timeout_s)
        return connection

    def _drop(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _identity(destination: Destination) -> tuple[Path | None, ...]:
    return (destination.certificate, destination.client_certificate, destination.client_key)


def tls_of(destination: Destination) -> ssl.SSLContext:
    context = ssl.create_default_context(
        cafile=None if destination.certificate is None else str(destination.certificate)
    )
    if destination.certificate is None:
        # Where the system has no authorities that Python finds, as on macOS.
        with contextlib.suppress(ImportError):
            import certifi  # noqa: PLC0415 - only over TLS

            context.load_verify_locations(certifi.where())
    if destination.client_certificate is not None:
        key = None if destination.client_key is None else str(destination.client_key)
        context.load_cert_chain(str(destination.client_certificate), key)
    return context


def connection_to(
    url: SplitResult, proxy: SplitResult | None, tls: ssl.SSLContext | None, timeout_s: float
) -> http.client.HTTPConnection:
    near = url if proxy is None else proxy
    default_port = 443 if tls is not None and proxy is None else 80
    address = (near.hostname or "", near.port or default_port)
    if tls is None:
        return http.client.HTTPConnection(*address, timeout=timeout_s)
    connection = http.client.HTTPSConnection(*address, timeout=timeout_s, context=tls)
    if proxy is not None:
        headers = {"Proxy-Authorization": basic(proxy)} if proxy.username is not None else {}
        connection.set_tunnel(url.hostname or "", url.port or 443, headers)
    return connection


def proxy_of(url: SplitResult) -> SplitResult | None:
    """Return the proxy that the environment names for this URL."""
    found = urllib.request.getproxies().get(url.scheme)
    if not found or urllib.request.proxy_bypass(host_of(url)):
        return None
    return urlsplit(found if "://" in found else f"http://{found}")


def host_of(url: SplitResult) -> str:
    return url.netloc.rpartition("@")[2]


def basic(url: SplitResult) -> str:
    credentials = f"{unquote(url.username or '')}:{unquote(url.password or '')}"
    return f"Basic {base64.b64encode(credentials.encode()).decode()}"


def read_answer(answer: http.client.HTTPResponse, deadline_s: float) -> bytes:
    """Read the answer, but no more than is sensible and for no longer than was agreed."""
    parts: list[bytes] = []
    size = 0
    while size < _ANSWER_BYTES_MAX and time.monotonic() < deadline_s:
        part = answer.read1(65_536)
        if not part:
            answer.close()  # or the connection waits for more, and takes no other request
            return b"".join(parts)
        parts.append(part)
        size += len(part)
    raise http.client.HTTPException("the answer does not end")


def _outcome(answer: http.client.HTTPResponse, content: bytes) -> Outcome:
    if 200 <= answer.status < 300:
        return outcome_of_answer(content)
    message = f"HTTP {answer.status} {answer.reason}{_detail(content)}"
    if answer.status in _RETRYABLE:
        return Outcome(Kind.RETRY, message, _retry_after_s(answer.getheader("Retry-After")))
    return Outcome(Kind.REFUSED, message)


def _detail(content: bytes) -> str:
    """Return what a `google.rpc.Status` says, as OTLP has the body of an error."""
    from google.rpc.status_pb2 import Status  # noqa: PLC0415 - only after an error

    try:
        status = Status.FromString(content[:4096])
    except Exception:  # noqa: BLE001 - any other body says nothing that is worth a log line
        return ""
    return f": {status.message}" if status.message else ""


def _retry_after_s(text: str | None) -> float | None:
    """Read seconds or a date, as RFC 9110 section 10.2.3 has both."""
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
        except ValueError:
            return None
    return min(max(seconds, 0.0), RETRY_AFTER_S_MAX)
