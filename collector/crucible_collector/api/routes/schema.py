"""The registry for other languages: every event, what it measures, what others call it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from crucible_collector.api.failures import NOT_FOUND, NotFoundError
from crucible_collector.api.models import One
from crucible_collector.api.path_parameters import EventNamePath
from crucible_collector.api.registry import (
    EventDescription,
    Registry,
    Text,
    event_text,
    registry_text,
)

# Only another version of the collector says anything else, and then at once.
_HEADERS = {"Cache-Control": "no-cache"}


def schema_router() -> APIRouter:
    router = APIRouter(prefix="/schema", tags=["schema"])

    @router.get("", response_model=One[Registry], summary="The registry, with its JSON Schema")
    def schema(request: Request) -> Response:
        """2.8 MB, 0.1 MB with gzip; its ETag spares even those."""
        return _answer(request, registry_text())

    @router.get(
        "/events/{event_name}",
        response_model=One[EventDescription],
        responses=NOT_FOUND,
        summary="One event, by its name or an alias",
    )
    def event(request: Request, event_name: EventNamePath) -> Response:
        text = event_text(event_name)
        if text is None:
            raise NotFoundError("event", event_name)
        return _answer(request, text)

    return router


def _answer(request: Request, text: Text) -> Response:
    headers = {**_HEADERS, "ETag": text.etag}
    if text.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        return Response(text.packed, headers=headers, media_type="application/json")
    return Response(text.body, headers=headers, media_type="application/json")
