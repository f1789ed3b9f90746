"""Costs computed anew, by the prices of now, over a range of what is stored."""

from __future__ import annotations

import datetime as dt
import uuid
from http import HTTPStatus
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import AfterValidator, ValidationError, WithJsonSchema
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from crucible_collector.access.principal import principal_of
from crucible_collector.api.bodies import json_object
from crucible_collector.api.cost import Recomputed, RecomputedRequest, RecomputeRequest
from crucible_collector.api.failures import NOT_FOUND
from crucible_collector.api.jobs import job_of, jobs_of
from crucible_collector.api.models import Failure, Job, One, Page
from crucible_collector.api.parameters import Paged
from crucible_collector.errors import OverloadedError
from crucible_collector.store.read import Reads

_FAILURES: dict[int | str, dict[str, Any]] = {
    400: {"model": Failure, "description": "The body is not a JSON object."},
    413: {"model": Failure, "description": "The body is too large."},
    415: {"model": Failure, "description": "What is to be computed comes as application/json."},
    422: {"model": Failure, "description": "Something of it is wrong; nothing was begun."},
    429: {"model": Failure, "description": "Two computations are running: see Retry-After."},
}


def _uuid(value: str) -> str:
    try:
        return str(uuid.UUID(value))
    except ValueError:
        raise ValueError("expected a UUID") from None


RecomputeIdPath = Annotated[
    str,
    AfterValidator(_uuid),
    WithJsonSchema({"type": "string", "format": "uuid"}),
    Path(description="As POST /cost/recompute answered it."),
]
RecomputeJob = Job[RecomputedRequest, Recomputed]


class Recomputes(Protocol):
    """Who computes costs anew (see reprice.work)."""

    def start(
        self,
        start: dt.datetime | None,
        end: dt.datetime | None,
        experiment: str | None,
        *,
        dry_run: bool,
        asked_by: str,
    ) -> uuid.UUID:
        """Begin a job. SettingsError, DatabaseAwayError; OverloadedError where too many run."""
        ...

    def cancel(self, job_id: uuid.UUID) -> None:
        """Have a job end, if it runs; what it has done stays."""
        ...


def recompute_router(reads: Reads, recomputes: Recomputes | None) -> APIRouter:
    router = APIRouter(prefix="/cost/recompute", tags=["cost"])

    @router.get("", response_model=Page[RecomputeJob], summary="Computations, newest first")
    def jobs(filters: Annotated[Paged, Query()]) -> Response:
        return jobs_of(reads, "reprice", filters.cursor, filters.limit)

    @router.get(
        "/{job_id}",
        response_model=One[RecomputeJob],
        responses=NOT_FOUND,
        summary="How far a computation is, and what it has changed",
    )
    def job(job_id: RecomputeIdPath) -> Response:
        return job_of(reads, "reprice", job_id)

    if recomputes is not None:
        _take(router, reads, recomputes)
    return router


def _take(router: APIRouter, reads: Reads, recomputes: Recomputes) -> None:
    schema = RecomputeRequest.model_json_schema()
    example = {"from": "2026-11-01T00:00:00Z", "experiment": "sweep", "dry_run": True}
    body = {"schema": {**schema, "examples": [example]}}

    @router.post(
        "",
        status_code=HTTPStatus.ACCEPTED,
        response_model=One[RecomputeJob],
        responses=_FAILURES,
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": body}}},
        summary="Compute costs anew, where nobody told them",
    )
    async def start(request: Request) -> Response:
        """By the prices in force now, each call by those of its day. What was told stays as it was told.

        Asking again changes nothing that has its price already, so that what was cut off goes on.
        """
        asked_by = principal_of(request.scope).name
        found = await json_object(request)
        return await run_in_threadpool(_start, reads, recomputes, found, asked_by)

    @router.delete(
        "/{job_id}",
        response_model=One[RecomputeJob],
        responses=NOT_FOUND,
        summary="Have a computation end; what it has done stays",
    )
    def cancel(job_id: RecomputeIdPath) -> Response:
        job_of(reads, "reprice", job_id)
        recomputes.cancel(uuid.UUID(job_id))
        return job_of(reads, "reprice", job_id)


def _start(reads: Reads, recomputes: Recomputes, body: dict[str, Any], asked_by: str) -> Response:
    """On a thread: it asks the database."""
    try:
        asked = RecomputeRequest.model_validate(body)
    except ValidationError as error:
        raise RequestValidationError(
            [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
        ) from None
    period = asked.from_time, asked.to_time, asked.experiment
    try:
        job_id = recomputes.start(*period, dry_run=asked.dry_run, asked_by=asked_by)
    except OverloadedError as error:
        headers = {"Retry-After": str(round(error.retry_after_s))}
        raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, str(error), headers) from None
    answer = job_of(reads, "reprice", str(job_id))
    answer.status_code = HTTPStatus.ACCEPTED
    return answer
