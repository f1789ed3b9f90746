"""Answers without an end: server-sent events, as EventSource and `curl -N` take them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi.responses import Response
from starlette.types import Message, Receive, Scope, Send

# Less than the idle time after which proxies and load balancers cut a connection: 60 s for most.
HEARTBEAT_S = 15.0
# Whoever takes nothing for so long is let go, and resumes by id.
SEND_TIMEOUT_S = 30.0
# What browsers wait before they come back; some wait for a time of their own choice otherwise.
RETRY_MS = 2000


class ServerSentEvents(Response):
    """Writes what `texts` gives until either side ends it."""

    media_type = "text/event-stream"

    def __init__(self) -> None:
        # Some proxies would collect a buffer's worth of events first.
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]

    def texts(self) -> AsyncIterator[str]:
        """Pieces of the stream, each of them whole events and comments."""
        raise NotImplementedError

    def leave(self) -> None:
        """Nobody asks for another piece."""
        raise NotImplementedError

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        telling = asyncio.create_task(self._tell(send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait({telling, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.leave()
            leaving.cancel()
            telling.cancel()
            await asyncio.wait({telling, leaving})
        if not telling.cancelled():
            with contextlib.suppress(TimeoutError):  # it takes nothing: the server hangs up
                telling.result()

    async def _tell(self, send: Send) -> None:
        start: Message = {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }
        await send(start)
        async for text in self.texts():
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
