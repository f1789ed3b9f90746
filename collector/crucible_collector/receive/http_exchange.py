"""One HTTP request and its response: headers, a bounded body, and an answer that arrives.

What a reader could not guess: a body that is refused unread is still read and thrown away for a
while behind the answer. Closing a connection in the middle of an upload makes the kernel reset it,
and most clients then report a broken connection (which they retry) instead of the 413 (which they
would not).
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import grpc
from google.rpc.status_pb2 import Status

from crucible_collector.access.origins import Origins
from crucible_collector.errors import RefusedError, TooLargeError, UnauthenticatedError
from crucible_collector.receive import answers
from crucible_collector.receive.admission import Ticket

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_PROTOBUF = b"application/x-protobuf"
_JSON = b"application/json"
_GZIP = frozenset({b"gzip", b"x-gzip"})
_PLAIN = frozenset({b"", b"identity"})

# How much of a refused body is thrown away so that its sender sees the answer.
_DRAIN_BYTES_MAX = 256 << 20
_DRAIN_TIMEOUT_S = 10.0


class GoneError(Exception):
    """The client has closed the connection: nobody is left to be told."""


class UnsupportedError(Exception):
    """Wrong path, method or type, or too slow: a status that no OTLP outcome has."""

    def __init__(
        self,
        status: HTTPStatus,
        code: grpc.StatusCode,
        message: str,
        *headers: tuple[bytes, bytes],
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers


@dataclass(frozen=True, slots=True)
class Response:
    status: HTTPStatus
    content_type: bytes
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Exchange:
    """Lives as long as its request; used by the task of that request alone."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.path: str = scope["path"]
        self.method: str = scope["method"]
        client = scope.get("client")
        self.address: str = client[0] if client else ""
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        self._receive = receive
        self._send = send
        self._content_type = self._header(b"content-type").partition(b";")[0].strip()
        self._has_unread_body = b"transfer-encoding" in self._headers or self.announced_bytes > 0

    @property
    def announced_bytes(self) -> int:
        """Content-Length; 0 where the body comes in chunks."""
        return int(self._headers.get(b"content-length", b"0"))

    @property
    def authorization(self) -> str | None:
        return self._text(b"authorization")

    def require_name(self, origins: Origins) -> None:
        """ForbiddenError: see `access.origins`."""
        origins.require_name(self._text(b"host"))

    def require_own_page(self, origins: Origins) -> None:
        """ForbiddenError: see `access.origins`."""
        site, origin = self._text(b"sec-fetch-site"), self._text(b"origin")
        origins.require_own_page(site, origin, self._text(b"host"))

    @property
    def is_json(self) -> bool:
        return self._content_type == _JSON

    def is_gzip(self) -> bool:
        coding = self._header(b"content-encoding")
        if coding in _GZIP or coding in _PLAIN:
            return coding in _GZIP
        raise UnsupportedError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            grpc.StatusCode.INVALID_ARGUMENT,
            "the content encoding may be gzip or none",
            (b"accept-encoding", b"gzip"),
        )

    def require_post(self) -> None:
        if self.method != "POST":
            raise UnsupportedError(
                HTTPStatus.METHOD_NOT_ALLOWED,
                grpc.StatusCode.UNIMPLEMENTED,
                "requests are sent by POST",
                (b"allow", b"POST"),
            )

    def require_content_type(self) -> None:
        if self._content_type not in (_PROTOBUF, _JSON):
            raise UnsupportedError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                grpc.StatusCode.INVALID_ARGUMENT,
                "the content type may be application/x-protobuf or application/json",
                (b"accept", _PROTOBUF + b", " + _JSON),
            )

    async def read(self, ticket: Ticket, bytes_max: int, timeout_s: float) -> bytes:
        """Read the body, charging it to `ticket` as it comes."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._read(ticket, bytes_max)
        except TimeoutError:
            raise UnsupportedError(
                HTTPStatus.REQUEST_TIMEOUT,
                grpc.StatusCode.DEADLINE_EXCEEDED,
                f"the body did not arrive within {timeout_s:g} s",
            ) from None

    async def _read(self, ticket: Ticket, bytes_max: int) -> bytes:
        body = io.BytesIO()  # its value is handed out without a copy
        while self._has_unread_body:
            body.write(await self._next())
            if body.tell() > bytes_max:
                raise TooLargeError(f"the body is larger than {bytes_max} bytes")
            if body.tell() > ticket.charged_bytes:
                ticket.grow(body.tell())
        return body.getvalue()

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._has_unread_body = False
            raise GoneError
        self._has_unread_body = message.get("more_body", False)
        return bytes(message.get("body", b""))

    def accepted(self, answer: answers.Answer) -> Response:
        """200 in the encoding of the request."""
        if self.is_json:
            return Response(HTTPStatus.OK, _JSON, answers.success_json(answer))
        return Response(HTTPStatus.OK, _PROTOBUF, answers.success(answer))

    def refused(self, error: RefusedError) -> Response:
        said = answers.refusal(error)
        retry_after_s = answers.retry_after(error)
        status = answers.status(said.grpc_code, str(error), retry_after_s)
        if isinstance(error, UnauthenticatedError):
            return self._said(said.http_status, status, (b"www-authenticate", b"Bearer"))
        if retry_after_s is None:
            return self._said(said.http_status, status)
        header = (b"retry-after", answers.retry_after_header(retry_after_s))
        return self._said(said.http_status, status, header)

    def unsupported(self, error: UnsupportedError) -> Response:
        return self._said(error.status, answers.status(error.code, error.message), *error.headers)

    def failed(self) -> Response:
        status = answers.status(grpc.StatusCode.INTERNAL, "the collector failed")
        return self._said(HTTPStatus.INTERNAL_SERVER_ERROR, status)

    def _said(self, status: HTTPStatus, said: Status, *headers: tuple[bytes, bytes]) -> Response:
        """A google.rpc.Status, in JSON where the request is not protobuf."""
        if self._content_type == _PROTOBUF:
            return Response(status, _PROTOBUF, said.SerializeToString(), headers)
        return Response(status, _JSON, answers.status_json(said), headers)

    async def respond(self, response: Response) -> None:
        is_unread = self._has_unread_body
        headers = [
            (b"content-type", response.content_type),
            (b"content-length", str(len(response.body)).encode()),
            *response.headers,
        ]
        if is_unread:
            headers.append((b"connection", b"close"))
        await self._send(
            {"type": "http.response.start", "status": response.status, "headers": headers}
        )
        await self._send(
            {"type": "http.response.body", "body": response.body, "more_body": is_unread}
        )
        if is_unread:
            await self._drain()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _drain(self) -> None:
        if b"expect" in self._headers:
            return  # the client waits for leave to send, which it will not get
        drained_bytes = 0
        try:
            async with asyncio.timeout(_DRAIN_TIMEOUT_S):
                while self._has_unread_body and drained_bytes < _DRAIN_BYTES_MAX:
                    drained_bytes += len(await self._next())
        except (TimeoutError, GoneError):
            return

    def _text(self, name: bytes) -> str | None:
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")

    def _header(self, name: bytes) -> bytes:
        return self._headers.get(name, b"").strip().lower()
