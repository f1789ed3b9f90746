"""One question for any number: what it adds up to, by time and by group."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from crucible_collector.api.aggregated import AggregatedPage, told_row
from crucible_collector.api.answer import compact, cut_out
from crucible_collector.api.asking import Question, told_groups
from crucible_collector.api.group_places import Place, key_text, place_of
from crucible_collector.api.numbers import Told
from crucible_collector.api.paging import Cursor, cut, decode_cursor
from crucible_collector.api.points_asked import SeriesOf, is_of_points, point_groups, series_of
from crucible_collector.api.questions import BUILT_IN, AggregateFilter
from crucible_collector.api.where import MEASURED, attribute_of
from crucible_collector.store.read import Reads


def numbers_router(reads: Reads) -> APIRouter:
    router = APIRouter()

    @router.get(
        "/aggregate",
        response_model=AggregatedPage,
        tags=["aggregate"],
        summary="Any number summed up by time and group: mean, deviation, percentiles and the like",
    )
    def aggregate(filters: Annotated[AggregateFilter, Query()]) -> Response:
        """In the order of time, then of the groups. Roll-ups answer where they know all that is asked for.

        Groups without numbers have no row, unless one row is asked for and all events may have been sampled
        away: then it says how many there may have been.
        """
        cursor = decode_cursor(filters.cursor, "source", "key")
        question, source, series = _question(reads, filters, cursor)
        place = place_of(cursor, filters.limit + 1)
        question = replace(question, start=place.start(question.start))
        rows = _rows(reads, question, series, place)
        page = cut(
            rows, filters.limit, lambda row: (source, key_text(row, filters.group_by)), cursor
        )
        return cut_out(page, filters.limit, metric=filters.metric, source=source)

    return router


def _question(
    reads: Reads, filters: AggregateFilter, cursor: Cursor | None
) -> tuple[Question, str, SeriesOf | None]:
    """What is asked of which source, and the series where it is of points."""
    question = Question(
        filters.metric,
        filters.aggregations,
        filters,
        None,
        filters.group_by,
        filters.interval,
        filters.from_time,
        filters.to_time,
    )
    attribute = attribute_of(filters.metric)
    if filters.metric in BUILT_IN:
        return question, "events", None
    of_events = replace(
        question, metric="attribute", attribute=attribute or MEASURED + filters.metric
    )
    source = cursor.key[0] if cursor else filters.source
    if attribute is not None or source == "events" or not is_of_points(question):
        return of_events, "events", None
    series = series_of(reads, question)
    if series.series or source == "points":
        return question, "points", series
    return of_events, "events", None


def _rows(reads: Reads, question: Question, series: SeriesOf | None, place: Place) -> list[str]:
    if series is None:
        found = told_groups(reads, question, place)
    else:
        found = [(each, Told(each)) for each in point_groups(reads, question, series, place)]
    is_rolled = series is None and question.is_rolled
    return [
        compact(
            told_row(
                group,
                told,
                question.metric,
                question.aggregations,
                question.group_by,
                is_rolled=is_rolled,
            )
        )
        for group, told in found
    ]
