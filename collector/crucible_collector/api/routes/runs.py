"""Runs, their newest numbers and their curves."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from crucible_collector.api.answer import listed, single, whole
from crucible_collector.api.failures import NOT_FOUND
from crucible_collector.api.models import CurvePoint, One, Page, Run, RunInFull, RunSeries
from crucible_collector.api.paging import decode_cursor, fields
from crucible_collector.api.parameters import CurveFilter, MetricPath, Paged, RunFilter, RunIdPath
from crucible_collector.api.places import (
    CURVE_KEY,
    SERIES_KEY,
    after_curve_point,
    after_first_seen,
    after_series,
)
from crucible_collector.store.read import Reads

# Metrics listed with a run; a run that measures more has a list of series.
LATEST_MAX = 1000

_RUN_KEY = ("first_seen", "run_id")


def runs_router(reads: Reads) -> APIRouter:
    router = APIRouter(prefix="/runs", tags=["runs"])

    @router.get("", response_model=Page[Run], summary="Runs, newest first")
    def runs(filters: Annotated[RunFilter, Query()]) -> Response:
        cursor = decode_cursor(filters.cursor, *_RUN_KEY)
        rows = reads.json_rows(
            "runs",
            experiment=filters.experiment,
            status=filters.status,
            condition=filters.condition,
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


def _add_series(router: APIRouter, reads: Reads) -> None:
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
        response_model=Page[CurvePoint],
        responses=NOT_FOUND,
        summary="The points of one metric of a run, oldest first",
    )
    def curve(
        run_id: RunIdPath, metric: MetricPath, filters: Annotated[CurveFilter, Query()]
    ) -> Response:
        """All ranks and events that measured it, unless the filters name one. Never thinned."""
        cursor = decode_cursor(filters.cursor, *CURVE_KEY)
        rows = reads.json_rows(
            "run_curve",
            run=run_id,
            metric=metric,
            event=filters.event,
            rank=filters.rank,
            from_time=filters.from_time,
            to_time=filters.to_time,
            from_step=filters.from_step,
            to_step=filters.to_step,
            **after_curve_point(cursor),
            limit=filters.limit + 1,
        )
        if not rows and cursor is None:
            single(reads.json_rows("run", run=run_id), "run", run_id)
        return listed(rows, filters.limit, fields(*CURVE_KEY), cursor)
