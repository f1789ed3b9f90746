"""Questions over one kept-alive connection: sent again where that is right, answered by rows or by an ApiError.

What a reader could not guess: only what changes nothing is sent again after a broken connection; "come back
later" (429 and 503 with Retry-After) is heeded for anything, since nothing was begun then.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

import httpx
import pyarrow as pa

from crucible_telemetry.client.parameters import Values, parameters
from crucible_telemetry.client.refusal import ApiError, refusal

PREFIX = "/api/v1"
ARROW_STREAM = "application/vnd.apache.arrow.stream"
# As a page is asked for: a thousand events are some MB.
PAGE_ROWS = 1000
# A collector that restarts is back within some seconds.
PATIENCE_S = 30.0
BROKEN_ATTEMPTS_MAX = 4
_BROKEN_WAIT_S = 0.1
_RETRY_AFTER_DEFAULT_S = 1.0
_LATER = (429, 503)


def tls_of(environment: Mapping[str, str]) -> ssl.SSLContext:
    """Whom to trust, and who we are, by the variables that senders of OTLP read. OSError, SSLError."""
    context = ssl.create_default_context(cafile=environment.get("OTEL_EXPORTER_OTLP_CERTIFICATE"))
    own = environment.get("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE")
    if own:
        context.load_cert_chain(own, environment.get("OTEL_EXPORTER_OTLP_CLIENT_KEY"))
    return context


class Line:
    """One API. As httpx's client, it may be used by several threads."""

    def __init__(self, url: str, api_key: str | None, timeout_s: float) -> None:
        headers = {"user-agent": "crucible-telemetry"}
        if api_key:
            headers["authorization"] = f"Bearer {api_key}"
        self.url = url.rstrip("/")
        self._http = httpx.Client(
            base_url=self.url,
            headers=headers,
            timeout=timeout_s,
            verify=tls_of(os.environ),
        )

    def close(self) -> None:
        self._http.close()

    def data(self, path: str, given: Mapping[str, Values]) -> Any:
        """`data` of a question about one thing."""
        return self._asked("GET", path, params=parameters(given)).json()["data"]

    def sent(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """`data` of the answer to what is sent; never sent twice."""
        answer = self._asked(method, path, is_repeatable=False, json=body)
        return answer.json()["data"]

    def asked(self, path: str, body: Mapping[str, Any]) -> Any:
        """The same for a question that has a body, and changes nothing."""
        return self._asked("POST", path, json=body).json()["data"]

    def table(self, path: str, given: Mapping[str, Values], rows_max: int | None) -> pa.Table:
        """All rows of a list, or the first so many, page by page."""
        pages: list[pa.Table] = []
        count, cursor, page_rows = 0, None, PAGE_ROWS
        while True:
            wanted = page_rows if rows_max is None else min(page_rows, rows_max - count)
            try:
                page = self.page(path, {**given, "limit": max(wanted, 1), "cursor": cursor})
            except ApiError as error:
                if error.code != "answer_too_large" or page_rows == 1:
                    raise
                page_rows //= 2  # rows that are larger than most
                continue
            cursor = (page.schema.metadata or {}).get(b"next_cursor", b"").decode() or None
            pages.append(page.replace_schema_metadata())
            count += page.num_rows
            if cursor is None or (rows_max is not None and count >= rows_max):
                whole = pa.concat_tables(pages)
                return whole if rows_max is None else whole.slice(0, rows_max)

    def page(self, path: str, given: Mapping[str, Values]) -> pa.Table:
        """The rows of one answer, with what its meta says as the schema's metadata."""
        answer = self._asked(
            "GET", path, params=parameters(given), headers={"accept": ARROW_STREAM}
        )
        with pa.ipc.open_stream(answer.content) as reader:
            return reader.read_all()

    @contextmanager
    def stream(
        self,
        path: str,
        given: Mapping[str, Values],
        headers: Mapping[str, str],
        timeout_s: float | None = None,
    ) -> Iterator[httpx.Response]:
        """An answer that is read as it comes, once. ApiError; httpx.TransportError where it breaks off."""
        timeout = httpx.USE_CLIENT_DEFAULT if timeout_s is None else timeout_s
        with self._http.stream(
            "GET",
            PREFIX + path,
            params=parameters(given),
            headers=dict(headers),
            timeout=timeout,
        ) as response:
            if not response.is_success:
                response.read()
                raise refusal(response)
            yield response

    def _asked(
        self, method: str, path: str, *, is_repeatable: bool = True, **request: Any
    ) -> httpx.Response:
        until = time.monotonic() + PATIENCE_S
        broken = 0
        while True:
            try:
                response = self._http.request(method, PREFIX + path, **request)
            except httpx.TransportError as error:
                broken += 1
                if not is_repeatable or broken == BROKEN_ATTEMPTS_MAX:
                    self.unreachable(error)
                time.sleep(_BROKEN_WAIT_S * 2**broken)
                continue
            if response.is_success:
                return response
            wait_s = retry_after_s(response)
            if wait_s is None or time.monotonic() + wait_s > until:
                raise refusal(response)
            time.sleep(wait_s)

    def unreachable(self, error: httpx.TransportError) -> NoReturn:
        """Say that nobody answers."""
        told = str(error) or type(error).__name__
        raise ApiError("unreachable", f"no collector answers at {self.url}: {told}") from error


def retry_after_s(response: httpx.Response) -> float | None:
    """When the same may be asked again; None: never, it is wrong."""
    if response.status_code not in _LATER:
        return None
    try:
        return max(float(response.headers["retry-after"]), 0.0)
    except (KeyError, ValueError):
        return _RETRY_AFTER_DEFAULT_S
