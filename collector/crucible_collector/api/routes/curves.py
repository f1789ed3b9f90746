"""Lines of several runs, drawn over each other."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from crucible_collector.api.answer import rows_of, single
from crucible_collector.api.curves import Curves, CurvesFilter, curves
from crucible_collector.api.failures import NOT_FOUND
from crucible_collector.store.read import ReadsArrays


def curves_router(reads: ReadsArrays) -> APIRouter:
    router = APIRouter()

    @router.get(
        "/curves",
        response_model=Curves,
        responses=NOT_FOUND,
        tags=["runs"],
        summary="One metric of several runs, in few points a line that draw the same lines",
    )
    def of_runs(filters: Annotated[CurvesFilter, Query()]) -> Response:
        """Each run, event and rank is a line of its own.

        Of a line with more points than asked for, those that draw the same line (min-max-LTTB); its least and its
        largest number are among them, and what is no finite number (of more than half as many, some).
        """
        rows, lines = curves(reads, filters)
        for run in set(filters.run) - {line["run_id"] for line in lines}:
            single(reads.json_rows("run", run=run), "run", run)
        return rows_of(rows, metric=filters.metric, x=filters.x, points=filters.points, lines=lines)

    return router
