"""Runs, their newest numbers and their curves."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from crucible_collector.access.principal import principal_of
from crucible_collector.api.aggregates import Curve
from crucible_collector.api.answer import cut_out, listed, single, whole
from crucible_collector.api.failures import NOT_FOUND
from crucible_collector.api.models import One, Page, Run, RunInFull, RunSeries
from crucible_collector.api.paging import Cut, cut, decode_cursor, fields
from crucible_collector.api.parameters import CurveFilter, Paged, RunFilter
from crucible_collector.api.path_parameters import MetricPath, RunIdPath
from crucible_collector.api.places import (
    CURVE_KEY,
    SERIES_KEY,
    after_curve_point,
    after_first_seen,
    after_series,
)
from crucible_collector.api.run_curve import few_points
from crucible_collector.store.read import ReadsArrays

# Metrics listed with a run; a run that measures more has a list of series.
LATEST_MAX = 1000

_CURVE_CHOICE = {"event", "rank", "from_time", "to_time", "from_step", "to_step"}
_RUN_KEY = ("first_seen", "run_id")


def runs_router(reads: ReadsArrays) -> APIRouter:
    router = APIRouter(prefix="/runs", tags=["runs"])

    @router.get("", response_model=Page[Run], summary="Runs, newest first")
    def runs(filters: Annotated[RunFilter, Query()], request: Request) -> Response:
        cursor = decode_cursor(filters.cursor, *_RUN_KEY)
        rows = reads.json_rows(
            "runs",
            **filters.chosen(),
            within=principal_of(request.scope).experiment_prefix,
            **after_first_seen(cursor),
            limit=filters.limit + 1,
        )
        return listed(rows, filters.limit, fields(*_RUN_KEY), cursor)

    @router.get(
        "/{run_id}",
        response_model=One[RunInFull],
        responses=NOT_FOUND,
        summary="One run with the latest number of each of its metrics",
    )
    def run(run_id: RunIdPath) -> Response:
        found = json.loads(single(reads.json_rows("run", run=run_id), "run", run_id))
        latest = reads.json_rows("run_latest", run=run_id, limit=LATEST_MAX + 1)
        found["latest"] = [json.loads(row) for row in latest[:LATEST_MAX]]
        found["latest_is_complete"] = len(latest) <= LATEST_MAX
        return whole(found)

    _add_series(router, reads)
    return router


def _add_series(router: APIRouter, reads: ReadsArrays) -> None:
    @router.get(
        "/{run_id}/series",
        response_model=Page[RunSeries],
        responses=NOT_FOUND,
        summary="Which metrics a run has, how many points, between which bounds",
    )
    def series_of_run(run_id: RunIdPath, filters: Annotated[Paged, Query()]) -> Response:
        single(reads.json_rows("run", run=run_id), "run", run_id)
        cursor = decode_cursor(filters.cursor, *SERIES_KEY)
        rows = reads.json_rows(
            "run_series", run=run_id, **after_series(cursor), limit=filters.limit + 1
        )
        return listed(rows, filters.limit, fields(*SERIES_KEY), cursor)

    @router.get(
        "/{run_id}/series/{metric:path}",
        response_model=Curve,
        responses=NOT_FOUND,
        summary="The points of one metric of a run, oldest first",
    )
    def curve(
        run_id: RunIdPath, metric: MetricPath, filters: Annotated[CurveFilter, Query()]
    ) -> Response:
        """All ranks and events that measured it, unless the filters name one.

        All points, page by page, unless `points_max` asks for few that draw the same curve.
        """
        cursor = decode_cursor(filters.cursor, *CURVE_KEY)
        chosen = {
            "run": run_id,
            "metric": metric,
            **filters.model_dump(include=_CURVE_CHOICE),
        }
        if filters.points_max is None:
            rows = reads.json_rows(
                "run_curve", **chosen, **after_curve_point(cursor), limit=filters.limit + 1
            )
            page, point_count = cut(rows, filters.limit, fields(*CURVE_KEY), cursor), None
        else:
            few, point_count = few_points(reads, chosen, filters.points_max)
            page = Cut(few, None)
        if not page.rows and cursor is None:
            single(reads.json_rows("run", run=run_id), "run", run_id)
        return cut_out(
            page,
            filters.points_max or filters.limit,
            downsampled=point_count is not None and point_count > len(page.rows),
            point_count=point_count,
        )
