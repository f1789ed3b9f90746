"""Where programs that speak neither OTLP nor our SDK report: the family's events over one POST.

The answer is what the family's contract says, `{accepted, rejected}` at the top and not under `data`:
its clients read it there. A refused event costs no other one; a request that is sent again is stored
once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from http import HTTPStatus
from typing import Any, Protocol

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from crucible_collector.access.guard import ADMITTED_KEY, Admitted
from crucible_collector.api.models import Failure
from crucible_collector.api.telemetry import TakenEvents, TelemetryEvent

_GZIP = frozenset({"gzip", "x-gzip"})
_PLAIN = frozenset({"", "identity"})
_GONE = 499  # what proxies log for a client that did not wait; nobody is there to read it
# The body is read as a stream, so its description is written by hand.
_BODY = {
    "type": "object",
    "required": ["events"],
    "properties": {"events": {"type": "array", "items": TelemetryEvent.model_json_schema()}},
}
_FAILURES: dict[int | str, dict[str, Any]] = {
    400: {"model": Failure, "description": 'The body is not `{"events": […]}`, or not complete.'},
    413: {"model": Failure, "description": "The body is too large or has too many events."},
    415: {"model": Failure, "description": "Events come as JSON, gzip or plain."},
    429: {"model": Failure, "description": "The sender is over a limit: see Retry-After."},
    503: {"model": Failure, "description": "There is no room now: see Retry-After."},
}


class Taken(Protocol):
    """What became of a request's events."""

    @property
    def accepted(self) -> int: ...

    @property
    def rejected(self) -> int: ...

    @property
    def problems(self) -> Sequence[Any]:
        """Dataclasses of `index`, `code` and `message`."""
        ...


class TakesEvents(Protocol):
    """What the receivers offer."""

    async def take_events(
        self,
        chunks: AsyncIterator[bytes],
        *,
        announced_bytes: int,
        is_gzip: bool,
        correlation_id: str | None = None,
        traceparent: str | None = None,
        sender: Admitted | None = None,
    ) -> Taken:
        """Keep the events of a body: they are on disk when this returns. Raises RefusedError."""
        ...


def telemetry_router(intake: TakesEvents) -> APIRouter:
    router = APIRouter(prefix="/telemetry", tags=["telemetry"])

    @router.post(
        "/events",
        status_code=HTTPStatus.ACCEPTED,
        response_model=TakenEvents,
        responses=_FAILURES,
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": _BODY}},
            }
        },
        summary="Report events as the Elixir packages shape them",
    )
    async def take_events(request: Request) -> Response:
        """Events without a correlation id get that of `X-Correlation-Id`, else of `traceparent`."""
        headers = request.headers
        # Also what keeps other sites' pages out: without asking first, browsers send no JSON.
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise HTTPException(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the content type must be application/json"
            )
        coding = headers.get("content-encoding", "").strip().lower()
        if coding not in _GZIP and coding not in _PLAIN:
            raise HTTPException(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the content encoding may be gzip or none"
            )
        announced = headers.get("content-length", "")
        try:
            taken = await intake.take_events(
                request.stream(),
                announced_bytes=int(announced) if announced.isdecimal() else 0,
                is_gzip=coding in _GZIP,
                correlation_id=headers.get("x-correlation-id", "").strip() or None,
                traceparent=headers.get("traceparent"),
                sender=request.scope.get(ADMITTED_KEY),
            )
        except ClientDisconnect:
            return Response(status_code=_GONE)
        answer = {
            "accepted": taken.accepted,
            "rejected": taken.rejected,
            "errors": [asdict(problem) for problem in taken.problems],
        }
        return JSONResponse(answer, HTTPStatus.ACCEPTED, {"Cache-Control": "no-store"})

    return router
