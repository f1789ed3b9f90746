"""Series, whatever they came from: OTLP metrics, or measurements of events."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from crucible_collector.api.answer import listed, only, single, whole
from crucible_collector.api.failures import NOT_FOUND
from crucible_collector.api.models import One, Page, Point, Series
from crucible_collector.api.paging import decode_cursor, fields
from crucible_collector.api.parameters import PointFilter, SeriesFilter, id_64_text
from crucible_collector.api.path_parameters import SeriesIdPath
from crucible_collector.api.percentiles import (
    DistributionWithPercentiles,
    HistogramFilter,
    Percentiles,
    PercentilesFilter,
    percentiles,
    with_percentiles,
)
from crucible_collector.api.places import SERIES_KEY, TIME_KEY, after_series, after_time
from crucible_collector.store.read import Reads


def series_router(reads: Reads) -> APIRouter:
    router = APIRouter(prefix="/series", tags=["series"])

    @router.get("", response_model=Page[Series], summary="Series, by name of their metric")
    def series(filters: Annotated[SeriesFilter, Query()]) -> Response:
        cursor = decode_cursor(filters.cursor, *SERIES_KEY)
        rows = reads.json_rows(
            "series",
            metric=filters.metric,
            service=filters.service,
            run=filters.run,
            source=filters.source,
            **after_series(cursor),
            limit=filters.limit + 1,
        )
        return listed(rows, filters.limit, fields(*SERIES_KEY), cursor)

    @router.get(
        "/{series_id}", response_model=One[Series], responses=NOT_FOUND, summary="One series"
    )
    def one(series_id: SeriesIdPath) -> Response:
        return only(
            reads.json_rows("series_one", series=series_id), "series", id_64_text(series_id)
        )

    @router.get(
        "/{series_id}/points",
        response_model=Page[Point],
        responses=NOT_FOUND,
        summary="The numbers of one series, oldest first",
    )
    def points(series_id: SeriesIdPath, filters: Annotated[PointFilter, Query()]) -> Response:
        return _values(reads, "series_points", series_id, filters)

    @router.get(
        "/{series_id}/histograms",
        response_model=Page[DistributionWithPercentiles],
        responses=NOT_FOUND,
        summary="The histograms or summaries of one series with their percentiles, oldest first",
    )
    def histograms(
        series_id: SeriesIdPath, filters: Annotated[HistogramFilter, Query()]
    ) -> Response:
        return _values(
            reads,
            "series_histograms",
            series_id,
            filters,
            lambda row: with_percentiles(row, filters.q),
        )

    @router.get(
        "/{series_id}/percentiles",
        response_model=One[Percentiles],
        responses=NOT_FOUND,
        summary="Percentiles of all histograms of one series in a period, merged",
    )
    def merged(series_id: SeriesIdPath, filters: Annotated[PercentilesFilter, Query()]) -> Response:
        """Of cumulative histograms what they counted in the period, whatever was reset in it."""
        found = reads.json_rows("series_one", series=series_id)
        series = json.loads(single(found, "series", id_64_text(series_id)))
        return whole(percentiles(reads, series, filters))

    return router


def _values(
    reads: Reads,
    question: str,
    series: int,
    filters: PointFilter,
    told: Callable[[str], str] = str,
) -> Response:
    cursor = decode_cursor(filters.cursor, *TIME_KEY)
    rows = reads.json_rows(
        question,
        series=series,
        from_time=filters.from_time,
        to_time=filters.to_time,
        **after_time(cursor),
        limit=filters.limit + 1,
    )
    if not rows and cursor is None:
        single(reads.json_rows("series_one", series=series), "series", id_64_text(series))
    return listed(list(map(told, rows)), filters.limit, fields(*TIME_KEY), cursor)
