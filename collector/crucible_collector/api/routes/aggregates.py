"""Aggregates over time: of events with their durations, tokens and costs, and of the numbers of a series.

Answered from roll-ups, and from raw rows at the ends of the period (`store.pieces`). An answer is a
list like others: since time is first in its order, what comes after a cursor is a shorter period.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from crucible_collector.api.aggregates import EventAggregate, PointAggregate
from crucible_collector.api.answer import listed, single
from crucible_collector.api.failures import NOT_FOUND
from crucible_collector.api.models import Page
from crucible_collector.api.paging import decode_cursor, fields, time_and_rest
from crucible_collector.api.parameters import (
    EventAggregateFilter,
    PointAggregateFilter,
    SeriesIdPath,
    id_64_text,
)
from crucible_collector.api.places import TIME_KEY, after_group, group_key
from crucible_collector.store.pieces import Pieces, cut
from crucible_collector.store.read import Reads
from crucible_collector.store.rollups.family import DAY, HOUR, MINUTE, Level

_WIDTHS = {"1m": timedelta(minutes=1), "1h": timedelta(hours=1), "1d": timedelta(days=1)}
_LEVELS: dict[str, tuple[Level, ...]] = {
    "1m": (MINUTE,),
    "1h": (HOUR, MINUTE),
    "1d": (DAY, HOUR, MINUTE),
    "none": (DAY, HOUR, MINUTE),
}
_GROUPS = ("experiment", "run", "event", "model", "status")


def aggregates_router(reads: Reads) -> APIRouter:
    router = APIRouter()

    @router.get(
        "/events/aggregate",
        response_model=Page[EventAggregate],
        tags=["events"],
        summary="Counts, errors, durations, tokens and costs, by time and group",
    )
    def events(filters: Annotated[EventAggregateFilter, Query()]) -> Response:
        """Exact for any period. Groups and minutes without events have no row."""
        cursor = decode_cursor(filters.cursor, "group")
        after = after_group(cursor)
        start, end = _from(filters.from_time, after["last_key"]), filters.to_time
        levels = _LEVELS[filters.interval]
        rows: list[str] = []
        if sums := cut(start, end, levels):
            latencies = _latencies(filters, start, levels)
            rows = reads.json_rows(
                "event_aggregate_percentiles" if latencies else "event_aggregate",
                sums=sums,
                latencies=latencies,
                width=_WIDTHS.get(filters.interval),
                **{f"by_{group}": group in filters.group_by for group in _GROUPS},
                **filters.chosen(),
                **after,
                limit=filters.limit + 1,
            )
        return listed(rows, filters.limit, group_key, cursor)

    @router.get(
        "/series/{series_id}/aggregate",
        response_model=Page[PointAggregate],
        responses=NOT_FOUND,
        tags=["series"],
        summary="The numbers of one series by minute, hour or day, oldest first",
    )
    def points(
        series_id: SeriesIdPath, filters: Annotated[PointAggregateFilter, Query()]
    ) -> Response:
        """Exact for any period. Stretches without points have no row."""
        cursor = decode_cursor(filters.cursor, *TIME_KEY)
        start = _from(filters.from_time, cursor.key[0] if cursor else None)
        rows: list[str] = []
        if sums := cut(start, filters.to_time, _LEVELS[filters.interval]):
            rows = reads.json_rows(
                "series_aggregate",
                series=series_id,
                sums=sums,
                width=_WIDTHS[filters.interval],
                skip=cursor.skip if cursor else 0,
                limit=filters.limit + 1,
            )
        if not rows and cursor is None:
            name = id_64_text(series_id)
            single(reads.json_rows("series_one", series=series_id), "series", name)
        return listed(rows, filters.limit, fields(*TIME_KEY), cursor)

    return router


def _from(given: datetime | None, last: str | list[str | None] | None) -> datetime | None:
    """Where the period of this page begins: groups before the cursor's time are given."""
    text = last[0] if isinstance(last, list) else last
    if text is None:
        return given
    time, _ = time_and_rest(text)
    return time if given is None else max(time, given)


def _latencies(
    filters: EventAggregateFilter, start: datetime | None, levels: tuple[Level, ...]
) -> Pieces:
    """What percentiles are made of; nothing where they are not wanted."""
    is_raw = filters.run is not None or "run" in filters.group_by or filters.interval == "1m"
    is_wanted = not is_raw if filters.percentiles is None else filters.percentiles
    if not is_wanted:
        return ()
    rolled = () if is_raw else tuple(level for level in levels if level is not MINUTE)
    return cut(start, filters.to_time, rolled)
