"""Checkpoints of a run."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from crucible_collector.api.answer import listed, single
from crucible_collector.api.checkpoints import Checkpoint
from crucible_collector.api.failures import NOT_FOUND
from crucible_collector.api.models import Page
from crucible_collector.api.paging import decode_cursor, fields
from crucible_collector.api.parameters import Paged
from crucible_collector.api.path_parameters import RunIdPath
from crucible_collector.api.places import SPAN_KEY, after_span
from crucible_collector.store.read import Reads


def checkpoints_router(reads: Reads) -> APIRouter:
    """Those of one run."""
    router = APIRouter(prefix="/runs", tags=["runs"])

    @router.get(
        "/{run_id}/checkpoints",
        response_model=Page[Checkpoint],
        responses=NOT_FOUND,
        summary="Checkpoints that a run saved, oldest first",
    )
    def checkpoints(run_id: RunIdPath, filters: Annotated[Paged, Query()]) -> Response:
        """With what was measured at each: the best is where that metric is."""
        cursor = decode_cursor(filters.cursor, *SPAN_KEY)
        rows = reads.json_rows(
            "run_checkpoints", run=run_id, **after_span(cursor), limit=filters.limit + 1
        )
        if not rows and cursor is None:
            single(reads.json_rows("run", run=run_id), "run", run_id)
        return listed(rows, filters.limit, fields(*SPAN_KEY), cursor)

    return router
