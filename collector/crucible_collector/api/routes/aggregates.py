"""Aggregates over time: of events with their durations, tokens and costs, and of the numbers of a series.

Answered from roll-ups, and from raw rows at the ends of the period (`store.pieces`). An answer is a
list like others: since time is first in its order, what comes after a cursor is a shorter period.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query
from fastapi.responses import Response

from crucible_collector.api.aggregates import EventAggregate, PointAggregate
from crucible_collector.api.answer import compact, listed, single
from crucible_collector.api.asking import LEVELS, WIDTHS
from crucible_collector.api.estimates import Guess, Row, completed, nothing_kept
from crucible_collector.api.failures import NOT_FOUND
from crucible_collector.api.in_force import Asked
from crucible_collector.api.intervals import Spread
from crucible_collector.api.models import Page
from crucible_collector.api.paging import decode_cursor, fields, time_and_rest
from crucible_collector.api.parameters import EventAggregateFilter, PointAggregateFilter, id_64_text
from crucible_collector.api.path_parameters import SeriesIdPath
from crucible_collector.api.places import GROUP, TIME_KEY, after_group, group_key
from crucible_collector.store.pieces import Pieces, cut, rimmed
from crucible_collector.store.read import Reads
from crucible_collector.store.rollups.family import MINUTE, Level

_GROUPS = ("experiment", "run", "event", "model", "status")


def aggregates_router(reads: Reads) -> APIRouter:
    router = APIRouter()
    _add_events(router, reads)
    _add_points(router, reads)
    return router


def _add_events(router: APIRouter, reads: Reads) -> None:
    guess = Guess()

    @router.get(
        "/events/aggregate",
        response_model=Page[EventAggregate],
        tags=["events"],
        summary="Counts, errors, durations, tokens and costs, by time and group",
    )
    def events(filters: Annotated[EventAggregateFilter, Query()]) -> Response:
        """Exact for any period; of sampled events estimates with 95 % intervals.

        Groups and minutes without events have no row, unless one row is asked for and all events may
        have been sampled away: then it says how many there may have been.
        """
        cursor = decode_cursor(filters.cursor, "group")
        after = after_group(cursor)
        start, levels = _from(filters.from_time, after["last_key"]), LEVELS[filters.interval]
        rows: list[str] = []
        if sums := cut(start, filters.to_time, levels):
            asked = _parameters(filters, _latencies(filters, start, levels))

            def ask(with_terms: bool) -> list[str]:
                return reads.json_rows(
                    "event_aggregate_percentiles" if asked["latencies"] else "event_aggregate",
                    sums=rimmed(sums, MINUTE) if with_terms else sums,
                    terms=_terms(filters) if with_terms else "none",
                    **asked,
                    **after,
                    limit=filters.limit + 1,
                )

            rows = _with_intervals(reads, filters, guess.right_after(ask), asked)
        return listed(rows, filters.limit, group_key, cursor)


def _terms(filters: EventAggregateFilter) -> str:
    return "event" if filters.is_of_one_event else "traces"


def _parameters(filters: EventAggregateFilter, latencies: Pieces) -> dict[str, Any]:
    """Of all questions that are asked for one answer."""
    return {
        "latencies": latencies,
        "width": WIDTHS.get(filters.interval),
        **{f"by_{group}": group in filters.group_by for group in _GROUPS},
        **filters.chosen(),
    }


def _add_points(router: APIRouter, reads: Reads) -> None:
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
        if sums := cut(start, filters.to_time, LEVELS[filters.interval]):
            rows = reads.json_rows(
                "series_aggregate",
                series=series_id,
                sums=sums,
                width=WIDTHS[filters.interval],
                skip=cursor.skip if cursor else 0,
                limit=filters.limit + 1,
            )
        if not rows and cursor is None:
            name = id_64_text(series_id)
            single(reads.json_rows("series_one", series=series_id), "series", name)
        return listed(rows, filters.limit, fields(*TIME_KEY), cursor)


def _from(given: datetime | None, last: str | list[str | None] | None) -> datetime | None:
    """Where the period of this page begins: groups before the cursor's time are given."""
    text = last[0] if isinstance(last, list) else last
    if text is None:
        return given
    time, _ = time_and_rest(text)
    return time if given is None else max(time, given)


def _with_intervals(
    reads: Reads, filters: EventAggregateFilter, rows: list[str], parameters: dict[str, Any]
) -> list[str]:
    filtered = {name: getattr(filters, name) for name in ("event", "experiment", "model")}
    asked = Asked(
        filters.from_time,
        filters.to_time,
        {name: value for name, value in filtered.items() if value is not None},
        filters.group_by,
        filters.status,
    )
    if not rows and filters.is_one_row and filters.cursor is None:
        return nothing_kept(reads, asked)

    def spreads(sampled: list[Row]) -> dict[int, Spread]:
        return _spreads(reads, sampled, parameters) if parameters["latencies"] else {}

    return completed(reads, rows, asked, spreads)


def _spreads(reads: Reads, sampled: list[Row], asked: dict[str, Any]) -> dict[int, Spread]:
    """How the durations of sampled groups lie, by their place in the list.

    A question of its own: buckets are many, and where nothing was sampled nobody wants them.
    """
    keys = [[row[name] for name in GROUP] for row in sampled]
    places = {tuple(key): place for place, key in enumerate(keys)}
    found: dict[int, Spread] = {}
    for text in reads.json_rows("event_spreads", groups=compact(keys), **asked):
        row = json.loads(text)
        place = places[tuple(row["key"])]
        variance = np.array(row["variance"], np.float64)
        of_count = sampled[place]["estimated"]["count_variance"]
        widening = max(1.0, of_count / variance.sum()) if variance.any() else 1.0
        durations, count = (np.array(row[name], np.float64) for name in ("duration_ms", "count"))
        found[place] = Spread(durations, count, variance, widening)
    return found


def _latencies(
    filters: EventAggregateFilter, start: datetime | None, levels: tuple[Level, ...]
) -> Pieces:
    """What percentiles are made of; nothing where they are not wanted."""
    is_fine = filters.interval in ("1m", "5m", "15m")
    is_raw = filters.run is not None or "run" in filters.group_by or is_fine
    is_wanted = not is_raw if filters.percentiles is None else filters.percentiles
    if not is_wanted:
        return ()
    rolled = () if is_raw else tuple(level for level in levels if level is not MINUTE)
    return cut(start, filters.to_time, rolled)
