"""What holds of every request, whatever is asked: HEAD, gzip, and an asker who goes before the answer.

Reading runs on threads; only the loop hears that a connection was closed, so it has the query ended.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crucible_collector.store.asking import CURRENT, Asking

# For starlette's GZipMiddleware. What fits one packet is not sooner there for being smaller; 1.8 MB of points
# become 0.21 in 16 ms at level 1, 0.19 in 34 at 6. Files are packed already, or taken up where they broke off.
GZIP: dict[str, Any] = {
    "minimum_size": 1400,
    "compresslevel": 1,
    "exclude_content_types": (
        *DEFAULT_EXCLUDED_CONTENT_TYPES,
        "application/octet-stream",
        "application/vnd.apache.arrow.file",
        "application/vnd.apache.parquet",
        "application/x-ndjson",
        "text/csv",
    ),
}
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Head:
    """Answers HEAD as GET, without the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_start(message: Message) -> None:
            # The body ends at once, for a stream has no other end.
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        await self._app({**scope, "method": "GET"}, receive, send_start)


class Departures:
    """Ends what is asked of the database for an asker who goes before the answer is there."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        asking, gone = Asking(), asyncio.Event()

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            gone.set()
            await run_in_threadpool(asking.end)

        bodies: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive_after() -> Message:
            if bodies:
                return bodies.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        token = CURRENT.set(asking)
        watching = asyncio.create_task(watch(), name="departure")
        try:
            await self._app(scope, receive_after, send)
        finally:
            watching.cancel()
            CURRENT.reset(token)


def allowed_methods(request: Request) -> str:
    """What may be done at the path of a request, as Allow says it."""
    routes = request.app.routes
    found = [
        method
        for method in _METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes
        )
    ]
    if "GET" in found:
        found.insert(1, "HEAD")
    return ", ".join([*found, "OPTIONS"])


def told_methods(allow: str) -> Response:
    """The answer to OPTIONS that no other site's page sends."""
    return Response(status_code=HTTPStatus.NO_CONTENT, headers={"Allow": allow})
