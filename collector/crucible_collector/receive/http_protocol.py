"""Bounds on what comes before a body: uvicorn has none on the size of headers or on their arrival."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Four times what common servers allow for one header; nothing that speaks OTLP needs more.
HEADER_BYTES_MAX = 32 << 10
HEADER_TIMEOUT_S = 10.0


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's httptools protocol; for `uvicorn.Config(http=...)`."""

    _header_bytes = 0
    _header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn does
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_expecting()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._header_bytes = 0
        self._expect_headers()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._stop_expecting()
        super().on_headers_complete()

    def _count(self, header_bytes: int) -> None:
        self._header_bytes += header_bytes
        if self._header_bytes > HEADER_BYTES_MAX:
            # httptools turns it into its own parser error, and uvicorn that into a 400 and a close.
            raise ValueError("the headers are too large")

    def _expect_headers(self) -> None:
        self._stop_expecting()
        self._header_timer = self.loop.call_later(HEADER_TIMEOUT_S, self.transport.abort)

    def _stop_expecting(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None
