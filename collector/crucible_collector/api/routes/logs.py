"""Log records."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from crucible_collector.api.answer import listed
from crucible_collector.api.models import Log, Page
from crucible_collector.api.paging import decode_cursor, fields
from crucible_collector.api.parameters import LogFilter, reasons
from crucible_collector.api.places import TIME_KEY, after_time
from crucible_collector.store.read import Reads
from crucible_collector.store.trace_hints.asking import periods, rows_within


def logs_router(reads: Reads) -> APIRouter:
    router = APIRouter(prefix="/logs", tags=["logs"])

    @router.get("", response_model=Page[Log], summary="Log records, newest first")
    def logs(filters: Annotated[LogFilter, Query()]) -> Response:
        cursor = decode_cursor(filters.cursor, *TIME_KEY)
        asked: dict[str, Any] = {
            "experiment": filters.experiment,
            "run": filters.run,
            "severity": filters.severity,
            **reasons(filters.keep_reason),
            "from_time": filters.from_time,
            "to_time": filters.to_time,
            **after_time(cursor),
            "limit": filters.limit + 1,
        }
        if filters.trace:
            rows = _of_trace(reads, filters, asked)
        else:
            question = "logs" if filters.experiment is None else "logs_of_experiment"
            rows = reads.json_rows(question, **asked)
        return listed(rows, filters.limit, fields(*TIME_KEY), cursor)

    return router


def _of_trace(reads: Reads, filters: LogFilter, asked: dict[str, Any]) -> list[str]:
    """Of a trace; all other filters hold, too."""
    under: dict[str, Any] = {"trace": filters.trace, "correlation": None, "correlation_trace": None}
    within = periods(reads, **under, start=filters.from_time, end=filters.to_time)
    return rows_within(reads, "logs_of_trace", within, **under, **asked)
