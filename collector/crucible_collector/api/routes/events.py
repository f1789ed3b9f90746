"""Events, and how many of them there are."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from crucible_collector.api.aggregates import EventCount
from crucible_collector.api.answer import listed
from crucible_collector.api.estimates import Guess, completed
from crucible_collector.api.in_force import Asked
from crucible_collector.api.models import Event, Page
from crucible_collector.api.paging import decode_cursor, fields
from crucible_collector.api.parameters import (
    STATUS_CODES,
    EventCountFilter,
    EventFilter,
    as_trace_id,
    reasons,
)
from crucible_collector.api.places import EVENT_KEY, after_event
from crucible_collector.store.pieces import cut, rimmed
from crucible_collector.store.read import Reads
from crucible_collector.store.rollups.family import DAY, HOUR, MINUTE
from crucible_collector.store.trace_hints.asking import periods, rows_within


def events_router(reads: Reads) -> APIRouter:
    router = APIRouter(prefix="/events", tags=["events"])
    guess = Guess()

    @router.get("", response_model=Page[Event], summary="Events, newest first")
    def events(filters: Annotated[EventFilter, Query()]) -> Response:
        cursor = decode_cursor(filters.cursor, *EVENT_KEY)
        asked: dict[str, Any] = {
            "experiment": filters.experiment,
            "run": filters.run,
            "event": filters.event,
            "status": STATUS_CODES[filters.status] if filters.status else None,
            **reasons(filters.keep_reason),
            "from_time": filters.from_time,
            "to_time": filters.to_time,
            **after_event(cursor),
            "limit": filters.limit + 1,
        }
        if filters.trace or filters.correlation is not None:
            rows = _together(reads, filters, asked)
        else:
            question = "events" if filters.experiment is None else "events_of_experiment"
            rows = reads.json_rows(question, **asked)
        return listed(rows, filters.limit, fields(*EVENT_KEY), cursor)

    @router.get("/counts", response_model=Page[EventCount], summary="How many, by event name")
    def counts(filters: Annotated[EventCountFilter, Query()]) -> Response:
        """Weighted by inclusion probability, with the standard errors and 95 % intervals of sampling."""
        cursor = decode_cursor(filters.cursor, "event_name")
        sums = cut(filters.from_time, filters.to_time, (DAY, HOUR, MINUTE))

        def ask(with_terms: bool) -> list[str]:
            return reads.json_rows(
                "event_counts",
                sums=rimmed(sums, MINUTE) if with_terms else sums,
                story=filters.experiment,
                run=filters.run,
                **dict.fromkeys(("experiment", "event", "model", "status")),
                last_name=cursor.key[0] if cursor else None,
                skip=cursor.skip if cursor else 0,
                limit=filters.limit + 1,
            )

        rows = guess.right_after(ask) if sums else []
        known = {} if filters.experiment is None else {"experiment": filters.experiment}
        asked = Asked(filters.from_time, filters.to_time, known, ("event",))
        rows = completed(reads, rows, asked)
        return listed(rows, filters.limit, fields("event_name"), cursor)

    return router


def _together(reads: Reads, filters: EventFilter, asked: dict[str, Any]) -> list[str]:
    """Of a trace, or under a correlation id; all other filters hold, too."""
    under: dict[str, Any] = {
        "trace": filters.trace,
        "correlation": filters.correlation,
        "correlation_trace": as_trace_id(filters.correlation or ""),
    }
    within = periods(reads, **under, start=filters.from_time, end=filters.to_time)
    return rows_within(reads, "events_of_trace", within, **under, **asked)
