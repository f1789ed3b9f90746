"""Is a run, or an experiment, well? One verdict with its reasons, for machines to act on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from crucible_collector.api.anomalies import ExperimentHealth, RunHealth
from crucible_collector.api.answer import single, whole
from crucible_collector.api.failures import NOT_FOUND, failure
from crucible_collector.api.health import (
    REASONS_MAX,
    counting,
    etag,
    experiment_health,
    is_bad,
    run_health,
)
from crucible_collector.api.models import Failure, One
from crucible_collector.api.path_parameters import ExperimentIdPath, RunIdPath
from crucible_collector.store.read import Reads

_RESPONSES: dict[int | str, dict[str, Any]] = {
    **NOT_FOUND,
    304: {"description": "As the answer that If-None-Match names."},
    503: {
        "model": Failure,
        "description": "`unhealthy`: as bad as `fail_on`, and `details` is the answer otherwise; or the "
        "database does not answer: see Retry-After.",
    },
}
# Asked again each time, and answered in a line where nothing has changed.
_CACHE = "no-cache"

_IfNoneMatch = Annotated[str, Header(description="ETag of an answer before.")]


class HealthFilter(BaseModel):
    model_config = ConfigDict(extra="forbid")

    fail_on: Literal["warning", "critical"] | None = Field(
        None,
        description="Answer 503 where the verdict is this or worse, for whoever looks at the status only: "
        "`curl -f`, a canary's or a scheduler's probe. A verdict that is unknown is none of these.",
    )


def health_router(reads: Reads) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get(
        "/runs/{run_id}/health",
        response_model=One[RunHealth],
        responses=_RESPONSES,
        summary="Whether a run is well, and why not",
    )
    def of_run(
        run_id: RunIdPath,
        filters: Annotated[HealthFilter, Query()],
        if_none_match: _IfNoneMatch = "",
    ) -> Response:
        """As bad as the worst of its periods of anomalies that is active; critical where it failed or stalled."""
        rows = reads.json_rows("run_health", run=run_id, limit=REASONS_MAX)
        found = run_health(json.loads(single(rows, "run", run_id)))
        return _answer(found, filters.fail_on, if_none_match)

    @router.get(
        "/experiments/{experiment_id}/health",
        response_model=One[ExperimentHealth],
        responses=_RESPONSES,
        summary="Whether an experiment is well: all of its runs, and what belongs to none",
    )
    def of_experiment(
        experiment_id: ExperimentIdPath,
        filters: Annotated[HealthFilter, Query()],
        if_none_match: _IfNoneMatch = "",
    ) -> Response:
        rows = reads.json_rows("experiment_health", experiment=experiment_id, limit=REASONS_MAX)
        found = experiment_health(json.loads(single(rows, "experiment", experiment_id)))
        return _answer(found, filters.fail_on, if_none_match)

    return router


def _answer(health: Mapping[str, Any], fail_on: str | None, if_none_match: str) -> Response:
    if is_bad(health, fail_on):
        message = f"{health['verdict']}: {'; '.join(counting(health))}"
        return failure(503, "unhealthy", message, health)
    tag = etag(health)
    headers = {"ETag": tag, "Cache-Control": _CACHE}
    if tag in (each.strip() for each in if_none_match.split(",")):
        return Response(status_code=304, headers=headers)
    response = whole(health)
    response.headers.update(headers)
    return response
