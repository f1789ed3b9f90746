"""Budgets: how much an experiment may cost a day (UTC), and one for all that have none of their own."""

from __future__ import annotations

from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from crucible_collector.api.answer import listed, only
from crucible_collector.api.bodies import json_object
from crucible_collector.api.cost import Budget, BudgetChange
from crucible_collector.api.failures import NOT_FOUND, NotFoundError
from crucible_collector.api.models import Failure, One, Page
from crucible_collector.api.paging import decode_cursor
from crucible_collector.api.parameters import Paged
from crucible_collector.api.path_parameters import ExperimentIdPath
from crucible_collector.store.read import Reads

FAILURES: dict[int | str, dict[str, Any]] = {
    400: {"model": Failure, "description": "The body is not a JSON object."},
    413: {"model": Failure, "description": "The body is too large."},
    415: {"model": Failure, "description": "The budget comes as application/json."},
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": BudgetChange.model_json_schema()}},
    }
}


class ChangesBudgets(Protocol):
    """Who changes budgets; an empty id is that of all experiments without one of their own."""

    def put_budget(
        self, experiment_id: str, usd_per_day: float, changed_by: str, reason: str
    ) -> None:
        """Give an experiment a budget; DatabaseAwayError."""
        ...

    def delete_budget(self, experiment_id: str) -> bool:
        """Take it away; False where there is none. DatabaseAwayError."""
        ...


def budgets_router(reads: Reads, changes: ChangesBudgets | None) -> APIRouter:
    router = APIRouter(prefix="/cost/budgets", tags=["cost"])

    @router.get("", response_model=Page[Budget], summary="All budgets, that for all others first")
    def budgets(filters: Annotated[Paged, Query()]) -> Response:
        cursor = decode_cursor(filters.cursor, "experiment_id")
        rows = reads.json_rows(
            "budgets",
            last_id=cursor.key[0] if cursor else None,
            skip=cursor.skip if cursor else 0,
            limit=filters.limit + 1,
        )
        return listed(rows, filters.limit, lambda row: (row["experiment_id"] or "",), cursor)

    @router.get(
        "/{experiment_id}",
        response_model=One[Budget],
        responses=NOT_FOUND,
        summary="The budget of one experiment",
    )
    def budget(experiment_id: ExperimentIdPath) -> Response:
        rows = reads.json_rows("budget", experiment=experiment_id)
        return only(rows, "budget of experiment", experiment_id)

    if changes is not None:
        _take_changes(router, reads, changes)
    return router


def _take_changes(router: APIRouter, reads: Reads, changes: ChangesBudgets) -> None:
    def put(experiment_id: str, body: dict[str, Any]) -> Response:
        """On a thread: it asks the database."""
        try:
            change = BudgetChange.model_validate(body, strict=True)
        except ValidationError as error:
            raise RequestValidationError(
                [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
            ) from None
        changes.put_budget(experiment_id, change.usd_per_day, change.changed_by, change.reason)
        return only(reads.json_rows("budget", experiment=experiment_id), "budget", experiment_id)

    def delete(experiment_id: str) -> Response:
        if not changes.delete_budget(experiment_id):
            raise NotFoundError("budget of experiment", experiment_id or "all others")
        return Response(status_code=204)

    whole: dict[str, Any] = {"responses": FAILURES, "openapi_extra": _BODY}

    @router.put("", response_model=One[Budget], summary="What all others may cost a day", **whole)
    async def put_default(request: Request) -> Response:
        """Of every experiment that has no budget of its own, each for itself."""
        return await run_in_threadpool(put, "", await json_object(request))

    @router.put(
        "/{experiment_id}",
        response_model=One[Budget],
        summary="What an experiment may cost a day",
        **whole,
    )
    async def put_one(experiment_id: ExperimentIdPath, request: Request) -> Response:
        """At 80 % of it a warning is given, at all of it an alert: anomalies, each once a day (UTC)."""
        return await run_in_threadpool(put, experiment_id, await json_object(request))

    @router.delete(
        "",
        status_code=204,
        response_class=Response,
        responses=NOT_FOUND,
        summary="No budget for all others",
    )
    def delete_default() -> Response:
        return delete("")

    @router.delete(
        "/{experiment_id}",
        status_code=204,
        response_class=Response,
        responses=NOT_FOUND,
        summary="No budget of its own",
    )
    def delete_one(experiment_id: ExperimentIdPath) -> Response:
        return delete(experiment_id)
