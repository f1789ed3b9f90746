"""Events, and how many of them there are."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from crucible_collector.api.answer import listed
from crucible_collector.api.models import Event, EventCount, Page
from crucible_collector.api.paging import decode_cursor, fields
from crucible_collector.api.parameters import EventCountFilter, EventFilter, as_trace_id
from crucible_collector.api.places import EVENT_KEY, after_event
from crucible_collector.store.read import Reads

_STATUS_CODES = {"unset": 0, "ok": 1, "error": 2}


def events_router(reads: Reads) -> APIRouter:
    router = APIRouter(prefix="/events", tags=["events"])

    @router.get("", response_model=Page[Event], summary="Events, newest first")
    def events(filters: Annotated[EventFilter, Query()]) -> Response:
        cursor = decode_cursor(filters.cursor, *EVENT_KEY)
        rows = reads.json_rows(
            _question(filters),
            experiment=filters.experiment,
            run=filters.run,
            event=filters.event,
            correlation=filters.correlation,
            correlation_trace=as_trace_id(filters.correlation or ""),
            trace=filters.trace,
            status=_STATUS_CODES[filters.status] if filters.status else None,
            from_time=filters.from_time,
            to_time=filters.to_time,
            **after_event(cursor),
            limit=filters.limit + 1,
        )
        return listed(rows, filters.limit, fields(*EVENT_KEY), cursor)

    @router.get("/counts", response_model=Page[EventCount], summary="How many, by event name")
    def counts(filters: Annotated[EventCountFilter, Query()]) -> Response:
        """Weighted by inclusion probability, with the standard error that sampling makes."""
        cursor = decode_cursor(filters.cursor, "event_name")
        rows = reads.json_rows(
            "event_counts",
            experiment=filters.experiment,
            run=filters.run,
            from_time=filters.from_time,
            to_time=filters.to_time,
            last_name=cursor.key[0] if cursor else None,
            skip=cursor.skip if cursor else 0,
            limit=filters.limit + 1,
        )
        return listed(rows, filters.limit, fields("event_name"), cursor)

    return router


def _question(filters: EventFilter) -> str:
    """Which indexes can help decides; all filters hold in each of these."""
    if filters.trace or filters.correlation is not None:
        return "events_of_trace"
    return "events" if filters.experiment is None else "events_of_experiment"
