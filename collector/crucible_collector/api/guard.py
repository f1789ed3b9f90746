"""Lets requests in: who asks, whether they may, how often, and what they changed is written down.

A browser cannot send a header with an EventSource or a link, so the page gives its key once
(`routes.session`) and gets it back as a cookie that no script reads and no other site's request carries.
What changes something by that cookie must come from the page itself, and what does so without any key must
not come from another site's (`access.origins`).

Whoever was let in stays so no longer than the key is valid: an answer without an end ends with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crucible_collector.access import making
from crucible_collector.access.changes import BODY_BYTES_MAX, summary_of
from crucible_collector.access.guard import ADMITTED_KEY, Admitted, Guard
from crucible_collector.access.making import Made, Wanted
from crucible_collector.access.origins import Origins, is_own_page
from crucible_collector.access.principal import SCOPE_KEY
from crucible_collector.access.scopes import Ruled, is_change, rule_of
from crucible_collector.access.within import require_within
from crucible_collector.api.failures import failure, refused
from crucible_collector.errors import (
    CollectorError,
    ForbiddenError,
    RefusedError,
    TooFastError,
    TooLargeError,
)
from crucible_collector.store.audit import Change, append
from crucible_collector.store.read import Reads

COOKIE = "crucible_key"
# Whether the key of an answer without an end is still valid.
LOOK_EVERY_S = 1.0
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
log = logging.getLogger("crucible.access")


# Cookies stay at home: pages of other origins send a key of their own.
CORS: dict[str, Any] = {
    "allow_credentials": False,
    "allow_methods": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
    "allow_headers": ["Authorization", "Content-Type", "If-None-Match", "Last-Event-ID", "Range"],
    "expose_headers": [
        "Content-Range",
        "ETag",
        "Link",
        "RateLimit",
        "RateLimit-Policy",
        "Retry-After",
    ],
    "max_age": 600,
}


@dataclass(frozen=True, slots=True)
class Access:
    """What the API knows of who may do what: `routes.keys.Keys` of a database, and its audit."""

    guard: Guard
    dsn: Callable[[], str]
    origins: Origins

    def make_key(self, wanted: Wanted, by: str) -> Made:
        """See `routes.keys.Keys`."""
        return making.make(self.dsn(), wanted, by)

    def revoke_key(self, key: str, by: str) -> tuple[str, str] | None:
        """See `routes.keys.Keys`."""
        return making.revoke(self.dsn(), key, by)

    def audit(self, change: Change) -> None:
        """Write down a change. DatabaseAwayError, DatabaseError."""
        append(self.dsn(), change)


class ApiGuard:
    """Around all of the API's routes, which find who asks in `scope` (see `access.principal`)."""

    def __init__(self, app: ASGIApp, *, access: Access, reads: Reads) -> None:
        self._app = app
        self._guard = access.guard
        self._origins = access.origins
        self._reads = reads
        self._audit = access.audit  # called on a thread

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        ruled = rule_of(scope["method"], _path(scope))
        headers = Headers(scope=scope)
        address = scope["client"][0] if scope.get("client") else ""
        try:
            self._origins.require_name(headers.get("host"))
            admitted = None
            credentials, by_cookie = _credentials(headers)
            if ruled.rule.scope is not None:
                admitted = await self._guard.admit_async(credentials, address, ruled.rule.scope)
            if scope["method"] not in _SAFE:
                self._require_page(headers, admitted, by_cookie=by_cookie)
            if admitted is None:
                await self._app(scope, receive, send)
            else:
                await self._let_in(admitted, ruled, scope, receive, send)
        except RefusedError as error:
            answer = refused(error)
            if isinstance(error, TooFastError):
                answer.headers["RateLimit"] = f'"requests";r=0;t={answer.headers["retry-after"]}'
            await answer(scope, receive, send)
        except (
            CollectorError
        ) as error:  # the database, when it is asked what belongs to an experiment
            answer = failure(503, "database_away", str(error), headers={"Retry-After": "2"})
            await answer(scope, receive, send)

    async def _let_in(
        self, admitted: Admitted, ruled: Ruled, scope: Scope, receive: Receive, send: Send
    ) -> None:
        left = self._counted(admitted)
        body = _Body(receive, lambda: self.is_valid(admitted))
        if admitted.experiment_prefix is not None:
            whole = await body.read_ahead() if ruled.rule.within == "body" else None
            query = scope["query_string"].decode("latin-1")
            await run_in_threadpool(self._require_within, admitted, ruled, query, whole)
        exchange = _Exchange(self, admitted, ruled, scope, body, send, left)
        told = {**scope, SCOPE_KEY: admitted.principal, ADMITTED_KEY: admitted}
        await self._app(told, body.receive, exchange.send)
        await exchange.finish()

    def _require_page(
        self, headers: Headers, admitted: Admitted | None, *, by_cookie: bool
    ) -> None:
        if admitted is not None and by_cookie:
            require_own_page(headers)
        elif admitted is None or admitted.key_id is None:
            self._origins.require_own_page(*_told_by_browser(headers))

    def _counted(self, admitted: Admitted) -> int | None:
        try:
            return admitted.ask()
        except RefusedError as error:
            self._guard.count(error)
            raise

    def _require_within(
        self, admitted: Admitted, ruled: Ruled, query: str, body: bytes | None
    ) -> None:
        try:
            require_within(self._reads, admitted.principal, ruled, query, body)
        except ForbiddenError as error:
            self._guard.count(error)
            raise

    def is_valid(self, admitted: Admitted) -> bool:
        return self._guard.is_valid(admitted.key_id)

    def write_down(self, change: Change) -> None:
        """On a thread. What has happened has happened: where it cannot be written down the log has it."""
        try:
            self._audit(change)
        except CollectorError as error:
            log.error(  # noqa: TRY400 - one line that names the change
                "not in the audit: %s %s by %r from %s: %s",
                change.method,
                change.path,
                change.who,
                change.address,
                error,
            )


class _Exchange:
    """The answer of one request on its way out."""

    def __init__(
        self,
        guard: ApiGuard,
        admitted: Admitted,
        ruled: Ruled,
        scope: Scope,
        body: _Body,
        send: Send,
        left: int | None,
    ) -> None:
        self._guard, self._admitted, self._body, self._send = guard, admitted, body, send
        self._method, self._path = scope["method"], scope["path"]
        self._is_change = is_change(ruled, scope["method"])
        self._left = left
        self._has_length = True
        self._is_over = False

    async def finish(self) -> None:
        """End an answer that has no end, where its application has left it at that."""
        if not self._has_length and not self._is_over:
            await self._end()

    async def _end(self) -> None:
        self._is_over = True
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def send(self, message: Message) -> None:
        if self._is_over:
            return
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif not self._has_length and not self._guard.is_valid(self._admitted):
            await self._end()
            return
        else:
            self._is_over = not message.get("more_body", False)
        await self._send(message)

    async def _begin(self, message: Message) -> None:
        headers = MutableHeaders(scope=message)
        self._has_length = "content-length" in headers
        limit = self._admitted.rates.requests_per_minute_max
        if limit is not None and self._left is not None:
            # draft-ietf-httpapi-ratelimit-headers
            headers["RateLimit-Policy"] = f'"requests";q={limit};w=60'
            headers["RateLimit"] = f'"requests";r={self._left};t={60 / limit:.0f}'
        if self._is_change and message["status"] < 400:
            change = Change(
                who=self._admitted.principal.name,
                method=self._method,
                path=self._path.replace("\0", "\ufffd"),
                status=message["status"],
                key_id=self._admitted.key_id,
                address=self._admitted.address,
                summary=summary_of(bytes(self._body.seen), is_whole=not self._body.is_cut),
            )
            await run_in_threadpool(self._guard.write_down, change)


class _Body:
    """A request's body as it goes by; the beginning is remembered."""

    def __init__(self, receive: Receive, is_valid: Callable[[], bool]) -> None:
        self._receive = receive
        self._is_valid = is_valid
        self._is_whole = False
        self._ahead: list[Message] = []
        self.seen = bytearray()
        self.is_cut = False

    async def receive(self) -> Message:
        """What comes next. Behind the body that is the client's leaving, and the key's end is taken for it."""
        if self._ahead:
            return self._ahead.pop(0)
        if not self._is_whole:
            return await self._next()
        leaving = asyncio.ensure_future(self._receive())
        try:
            while not leaving.done():
                await asyncio.wait({leaving}, timeout=LOOK_EVERY_S)
                if not leaving.done() and not self._is_valid():
                    return {"type": "http.disconnect"}
            return leaving.result()
        finally:
            leaving.cancel()

    async def read_ahead(self) -> bytes:
        """All of it, which is given again to who asks next. TooLargeError."""
        while True:
            message = await self._next()
            self._ahead.append(message)
            if self.is_cut:
                raise TooLargeError(f"the body is larger than {BODY_BYTES_MAX} bytes")
            if message["type"] != "http.request" or not message.get("more_body", False):
                return bytes(self.seen)

    async def _next(self) -> Message:
        message = await self._receive()
        self._is_whole = not message.get("more_body", False)
        part = message.get("body", b"")
        room = BODY_BYTES_MAX - len(self.seen)
        self.is_cut = self.is_cut or len(part) > room
        self.seen += part[:room]
        return message


def require_own_page(headers: Headers) -> None:
    """ForbiddenError for what another site's page has a browser send. Others than browsers tell neither."""
    if not is_own_page(*_told_by_browser(headers), otherwise=False):
        raise ForbiddenError("by its cookie only the collector's own page changes anything")


def _told_by_browser(headers: Headers) -> tuple[str | None, str | None, str | None]:
    """As `origins` takes them."""
    return headers.get("sec-fetch-site"), headers.get("origin"), headers.get("host")


def _credentials(headers: Headers) -> tuple[str | None, bool]:
    """What counts as the `authorization` header, and whether it is the page's cookie."""
    header = headers.get("authorization")
    if header is not None:
        return header, False
    key = key_of_cookie(headers.get("cookie"))
    return (f"Bearer {key}", True) if key is not None else (None, False)


def key_of_cookie(header: str | None) -> str | None:
    try:
        found = SimpleCookie(header or "").get(COOKIE)
    except CookieError:
        return None
    return found.value if found is not None else None


def _path(scope: Scope) -> str:
    """As it was sent, still escaped: see `app.PathAsSent`."""
    raw = scope.get("raw_path")
    return raw.decode("latin-1") if raw else quote(scope["path"])
