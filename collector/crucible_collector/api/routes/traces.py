"""What belongs together: one trace, or everything under one correlation id."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from crucible_collector.api.answer import compact, cut_out, listed
from crucible_collector.api.failures import NOT_FOUND, NotFoundError
from crucible_collector.api.models import Correlated, Page, TraceSpan
from crucible_collector.api.paging import Cursor, Cut, Key, cut, decode_cursor, fields
from crucible_collector.api.parameters import Period, TimelineFilter, TraceFilter, as_trace_id
from crucible_collector.api.path_parameters import CorrelationIdPath, TraceIdPath
from crucible_collector.api.places import SPAN_KEY, after_event, after_span, after_time
from crucible_collector.api.tree import in_tree_order
from crucible_collector.store.pieces import Pieces
from crucible_collector.store.read import Reads
from crucible_collector.store.trace_hints.asking import periods, rows_within

_LOWEST_TRACE_ID = "0" * 32
_LOWEST_SPAN_ID = "8" + "0" * 15  # span ids are signed where they are kept


def traces_router(reads: Reads) -> APIRouter:
    router = APIRouter(tags=["traces"])

    @router.get(
        "/traces/{trace_id}",
        response_model=Page[TraceSpan],
        responses=NOT_FOUND,
        summary="The spans of one trace, each after its parent",
    )
    def trace(trace_id: TraceIdPath, filters: Annotated[TraceFilter, Query()]) -> Response:
        """Siblings oldest first. Where the trace is that old, the store knows its days."""
        cursor = decode_cursor(filters.cursor, *SPAN_KEY)
        under: dict[str, Any] = {"trace": trace_id, "correlation": None, "correlation_trace": None}
        place = after_span(cursor)
        rows = rows_within(
            reads,
            "trace",
            _periods(reads, under, filters, place),
            **under,
            **place,
            limit=filters.limit + 1,
        )
        if not rows and cursor is None:
            raise NotFoundError("trace", trace_id.hex)
        page = cut(rows, filters.limit, fields(*SPAN_KEY), cursor)
        spans = in_tree_order([json.loads(row) for row in page.rows])
        return cut_out(Cut([compact(span) for span in spans], page.next_cursor), filters.limit)

    @router.get(
        "/correlations/{correlation_id}",
        response_model=Page[Correlated],
        responses=NOT_FOUND,
        summary="Events and log records under one correlation id, oldest first",
    )
    def correlation(
        correlation_id: CorrelationIdPath, filters: Annotated[TimelineFilter, Query()]
    ) -> Response:
        """A trace id stands for what has no correlation id of its own."""
        cursor = decode_cursor(filters.cursor, "time", "type", "trace_id", "span_id")
        rows = list(_timeline(reads, correlation_id, filters, cursor))
        if not rows and cursor is None:
            raise NotFoundError("correlation", correlation_id)
        return listed(rows, filters.limit, _timeline_key, cursor)

    return router


def _periods(reads: Reads, under: dict[str, Any], filters: Period, place: dict[str, Any]) -> Pieces:
    """What a list that begins with the oldest, here at `place`, has to look into."""
    start, last = filters.from_time, place["last_time"]
    start = last if start is None else max(start, last or start)
    return periods(reads, **under, start=start, end=filters.to_time)


def _timeline(
    reads: Reads, correlation: str, filters: TimelineFilter, cursor: Cursor | None
) -> Iterator[str]:
    """Events and logs merged by time; of the same time events come first."""
    under: dict[str, Any] = {
        "trace": None,
        "correlation": correlation,
        "correlation_trace": as_trace_id(correlation),
    }
    after_log = after_time(cursor)
    within = _periods(reads, under, filters, after_log)
    asked = {**under, "limit": filters.limit + 1}
    among_logs = cursor is not None and cursor.key[1] == "log"
    after_events = _after_events(cursor, among_logs=among_logs)
    events = rows_within(reads, "correlation_events", within, **asked, **after_events)
    after_logs = {**after_log, "skip": after_log["skip"] if among_logs else 0}
    logs = rows_within(reads, "correlation_logs", within, **asked, **after_logs)
    merged = heapq.merge(_entries("event", events), _entries("log", logs), key=_time_and_type)
    for entry, _ in zip(merged, range(filters.limit + 1), strict=False):
        yield compact(entry)


def _after_events(cursor: Cursor | None, *, among_logs: bool) -> dict[str, Any]:
    if cursor is None:
        return after_event(None)
    time, _, trace_id, span_id = cursor.key
    if not among_logs:
        return after_event(Cursor((time, trace_id, span_id), cursor.skip))
    # Every event of that time was given before the first log of it.
    place = after_event(Cursor((time, _LOWEST_TRACE_ID, _LOWEST_SPAN_ID), 0))
    return {**place, "last_rest": place["last_rest"] + 1}


def _entries(kind: str, rows: list[str]) -> Iterator[dict[str, Any]]:
    for row in rows:
        record = json.loads(row)
        entry = {"type": kind, "time": record["time"], "event": None, "log": None}
        yield {**entry, kind: record}


def _time_and_type(entry: dict[str, Any]) -> tuple[str, str]:
    return entry["time"], entry["type"]


def _timeline_key(entry: dict[str, Any]) -> Key:
    """Logs have nothing that tells them apart but their time and their place within it."""
    event = entry["event"] or {"trace_id": "", "span_id": ""}
    return entry["time"], entry["type"], event["trace_id"], event["span_id"]
