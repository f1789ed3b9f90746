"""Log records."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from crucible_collector.api.answer import listed
from crucible_collector.api.models import Log, Page
from crucible_collector.api.paging import decode_cursor, fields
from crucible_collector.api.parameters import LogFilter
from crucible_collector.api.places import TIME_KEY, after_time
from crucible_collector.store.read import Reads


def logs_router(reads: Reads) -> APIRouter:
    router = APIRouter(prefix="/logs", tags=["logs"])

    @router.get("", response_model=Page[Log], summary="Log records, newest first")
    def logs(filters: Annotated[LogFilter, Query()]) -> Response:
        cursor = decode_cursor(filters.cursor, *TIME_KEY)
        rows = reads.json_rows(
            _question(filters),
            experiment=filters.experiment,
            run=filters.run,
            trace=filters.trace,
            severity=filters.severity,
            from_time=filters.from_time,
            to_time=filters.to_time,
            **after_time(cursor),
            limit=filters.limit + 1,
        )
        return listed(rows, filters.limit, fields(*TIME_KEY), cursor)

    return router


def _question(filters: LogFilter) -> str:
    """Which indexes can help decides; all filters hold in each of these."""
    if filters.trace:
        return "logs_of_trace"
    return "logs" if filters.experiment is None else "logs_of_experiment"
