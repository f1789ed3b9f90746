"""One POST to a webhook: what came of it, within a time, however slowly the other side talks.

A socket's timeout begins anew with each byte, so a deadline ends the connection, whatever it is at.
Redirects are not followed (they could lead anywhere, with the signature), nothing but http and https is
spoken, certificates are verified; proxies are those of the environment, as for any client. No error says
the address: that of Slack is a secret.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Self

TIMEOUT_S = 10.0
ANSWER_BYTES_MAX = 4096
SAID_CHARACTERS_MAX = 200
# A receiver may ask for patience, not for silence.
RETRY_AFTER_MAX_S = 3600.0


class UnreachableError(Exception):
    """There was no answer: not reached, gone in the middle, or too slow. It may have been taken."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said; `says` is the beginning of its body, without line breaks."""

    status: int
    says: str = ""
    retry_after_s: float | None = None


def post(
    url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float = TIMEOUT_S
) -> Answer:
    """POST and return the answer, whatever its status. UnreachableError where there is none.

    ValueError where the address is none that can be asked, ever.
    """
    if not url.lower().startswith(("http://", "https://")):
        raise ValueError("its address is neither http nor https")
    deadline = _Deadline(timeout_s)
    opener = urllib.request.OpenerDirector()
    for handler in (urllib.request.ProxyHandler(), _Http(deadline), _Https(deadline)):
        opener.add_handler(handler)
    try:
        request = urllib.request.Request(url, body, dict(headers), method="POST")  # noqa: S310
        with deadline, opener.open(request, timeout=timeout_s) as response:
            said = response.read(ANSWER_BYTES_MAX)
            if deadline.has_passed:  # what was cut off may look whole
                raise TimeoutError
            return Answer(
                response.status,
                " ".join(said.decode("utf-8", "replace").split())[:SAID_CHARACTERS_MAX],
                _retry_after_s(response.headers.get("Retry-After")),
            )
    except http.client.InvalidURL:
        raise ValueError("its address cannot be asked") from None
    except (OSError, http.client.HTTPException) as error:
        if deadline.has_passed:
            raise UnreachableError(f"no answer within {timeout_s:g} s") from None
        raise UnreachableError(_reason(error)) from None


def _reason(error: BaseException) -> str:
    """In few words; of what urllib wraps, what it wraps."""
    inner = getattr(error, "reason", error)
    if isinstance(inner, TimeoutError):
        return "no answer in time"
    told = getattr(inner, "strerror", None) or type(inner).__name__
    return str(told)[:SAID_CHARACTERS_MAX]


def _retry_after_s(told: str | None) -> float | None:
    """Seconds, or an HTTP date; None where it says nothing that can be read."""
    if told is None:
        return None
    try:
        after_s = float(told) if told.strip().isdigit() else _until_s(told)
    except ValueError:
        return None
    return min(max(after_s, 0.0), RETRY_AFTER_MAX_S)


def _until_s(date: str) -> float:
    return parsedate_to_datetime(date).timestamp() - time.time()


class _Deadline:
    """Ends a connection when time is up; a timer of its own, for the length of one request."""

    def __init__(self, timeout_s: float) -> None:
        self.has_passed = False
        self._timer = threading.Timer(timeout_s, self._pass)
        self._timer.name = "alerts-deadline"
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def watch(self, connected: socket.socket) -> None:
        with self._lock:
            self._socket = connected
            if self.has_passed:
                self._end()

    def _pass(self) -> None:
        with self._lock:
            self.has_passed = True
            self._end()

    def _end(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):  # it has ended by itself
                # The plain socket's: that of TLS takes away what the other thread is reading with.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _watched(kind: type[http.client.HTTPConnection], deadline: _Deadline) -> Callable[..., Any]:
    """A kind of connection whose socket the deadline knows as soon as there is one."""

    class Watched(kind):  # type: ignore[valid-type,misc]
        def connect(self) -> None:
            super().connect()
            deadline.watch(self.sock)

    return Watched


class _Http(urllib.request.HTTPHandler):
    def __init__(self, deadline: _Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_watched(http.client.HTTPConnection, self._deadline), req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, deadline: _Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_watched(http.client.HTTPSConnection, self._deadline), req)
