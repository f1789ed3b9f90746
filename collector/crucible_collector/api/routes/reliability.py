"""How reliable something is, and whether what was promised of it is kept."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from crucible_collector.api.answer import compact, listed
from crucible_collector.api.group_places import key_text, place_of
from crucible_collector.api.models import Page
from crucible_collector.api.outcomes import outcomes
from crucible_collector.api.paging import decode_cursor
from crucible_collector.api.reliability import Reliability, ReliabilityFilter
from crucible_collector.store.read import Reads


def reliability_router(reads: Reads) -> APIRouter:
    router = APIRouter()

    @router.get(
        "/reliability",
        response_model=Page[Reliability],
        tags=["aggregate"],
        summary="The share of requests that succeed, with its interval, held against 99, 99.9 and 99.99 %",
    )
    def of_requests(filters: Annotated[ReliabilityFilter, Query()]) -> Response:
        """In the order of time, then of the groups.

        Requests are events that have an outcome: a status that was set, or the end of what was begun. Whether a
        target is met is told by the whole interval; where it lies on both sides, it cannot be told.
        """
        cursor = decode_cursor(filters.cursor, "key")
        rows = outcomes(reads, filters, place_of(cursor, filters.limit + 1))
        return listed(
            list(map(compact, rows)),
            filters.limit,
            lambda row: (key_text(row, filters.group_by),),
            cursor,
        )

    return router
