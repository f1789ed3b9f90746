"""The API's server: one `WebServer` with what suits people and scripts that ask."""

from __future__ import annotations

import ssl

from fastapi import FastAPI

from crucible_collector.api.feed import Feed
from crucible_collector.api.live import Live
from crucible_collector.web_server import WebServer

# Open connections beyond this are answered 503 by the server itself: a page takes two or three.
CONNECTIONS_MAX = 512
# Longer than the page's second between questions, so that it keeps its connection.
KEEP_ALIVE_S = 15


def api_server(
    app: FastAPI, *, stop_grace_s: int = 5, tls: ssl.SSLContext | None = None
) -> WebServer:
    """A server, not yet started, for the application; its end ends what listens to it."""
    feed: Feed = app.state.feed
    live: Live = app.state.live

    def end() -> None:
        feed.close()
        live.close()

    feed.reopen()
    live.reopen()
    return WebServer(
        app,
        name="api",
        on_stop=end,
        stop_grace_s=stop_grace_s,
        tls=tls,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=KEEP_ALIVE_S,
    )
