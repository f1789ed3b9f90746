"""OTLP over HTTP: one raw ASGI application, protobuf and JSON told apart by their content type.

What a reader could not guess: its event loop does no work on bodies but to collect them. Gunzip,
JSON, check and digest run on the intake's threads, so that a large body holds up no other answer.
"""

from __future__ import annotations

import logging
import time
from http import HTTPStatus
from typing import Any

import grpc
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from crucible_collector import metrics
from crucible_collector.access.guard import Guard
from crucible_collector.access.origins import Origins
from crucible_collector.batch import Signal
from crucible_collector.errors import RefusedError, TooLargeError
from crucible_collector.receive.answers import Answer
from crucible_collector.receive.http_exchange import (
    Exchange,
    GoneError,
    Receive,
    Response,
    Scope,
    Send,
    UnsupportedError,
)
from crucible_collector.receive.intake import BODY_TIMEOUT_S, Intake, Request

log = logging.getLogger("crucible.receive.http")

PATHS = {"/v1/traces": Signal.TRACES, "/v1/metrics": Signal.METRICS, "/v1/logs": Signal.LOGS}

# Cookies stay at home; a page sends a key of its own.
_CORS: dict[str, Any] = {
    "allow_credentials": False,
    "allow_methods": ["POST"],
    "allow_headers": ["Authorization", "Content-Encoding", "Content-Type"],
    "expose_headers": ["Retry-After"],
    "max_age": 600,
}


class OtlpHttp:
    """The ASGI application; stateless but for the intake behind it."""

    def __init__(
        self,
        intake: Intake,
        *,
        guard: Guard | None = None,
        origins: Origins | None = None,
        body_timeout_s: float = BODY_TIMEOUT_S,
    ) -> None:
        """`guard` lets senders in; None: everybody, and as much as they send. `origins`: whose pages may send."""
        self._intake = intake
        self._guard = guard
        self._origins = origins or Origins("http")
        self._body_timeout_s = body_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        signal = PATHS.get(exchange.path)
        outcome, response = await self._answered(exchange, signal)
        label = signal.label if signal is not None else "none"
        metrics.REQUESTS.labels("http", label, outcome).inc()
        if response is not None:
            await exchange.respond(response)

    async def _answered(
        self, exchange: Exchange, signal: Signal | None
    ) -> tuple[str, Response | None]:
        """The outcome and what to say; nothing where nobody listens."""
        try:
            answer = await self._accept(exchange, _known(signal))
        except RefusedError as error:
            self._intake.refuse(_known(signal), error)
            return error.reason, exchange.refused(error)
        except UnsupportedError as error:
            return "unsupported", exchange.unsupported(error)
        except GoneError:
            return "gone", None
        except Exception:
            metrics.UNCAUGHT_ERRORS.labels("http").inc()
            log.exception("a request failed")
            return "error", exchange.failed()
        return answer.outcome, exchange.accepted(answer)

    async def _accept(self, exchange: Exchange, signal: Signal) -> Answer:
        sender = None
        exchange.require_name(self._origins)
        if self._guard is not None:
            sender = await self._guard.admit_async(
                exchange.authorization, exchange.address, "ingest"
            )
        if sender is None or sender.key_id is None:
            exchange.require_own_page(self._origins)
        exchange.require_post()
        exchange.require_content_type()
        is_gzip = exchange.is_gzip()
        bytes_max = self._intake.limits.body_bytes_max
        if exchange.announced_bytes > bytes_max:
            raise TooLargeError(f"the body is larger than {bytes_max} bytes")
        admission = self._intake.admission
        with await admission.enter_async(exchange.announced_bytes) as ticket:
            body = await exchange.read(ticket, bytes_max, self._body_timeout_s)
            received_s = time.monotonic()
            request = Request(
                signal, body, ticket, is_gzip=is_gzip, is_json=exchange.is_json, sender=sender
            )
            answer = await self._intake.accept_async(request)
        metrics.ACKNOWLEDGE_SECONDS.labels("http").observe(time.monotonic() - received_s)
        return answer


def for_pages(app: OtlpHttp, origins: Origins) -> ASGIApp:
    """What answers browsers, too, that ask whether another site's page may send, where some may."""
    if not origins.allowed:
        return app
    return CORSMiddleware(app, allow_origins=origins.allowed, **_CORS)


def _known(signal: Signal | None) -> Signal:
    if signal is None:
        raise UnsupportedError(
            HTTPStatus.NOT_FOUND,
            grpc.StatusCode.NOT_FOUND,
            f"requests go to {', '.join(PATHS)}",
        )
    return signal
