"""Anomalies: the values that were flagged, the periods that they make, and what has become of these."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import math
from typing import Annotated, Any, Protocol
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from crucible_collector.api.anomalies import (
    Anomaly,
    AnomalyCount,
    AnomalyFilter,
    AnomalyPeriod,
    AnomalyPeriodInFull,
    CountFilter,
    PeriodFilter,
    StateChange,
)
from crucible_collector.api.answer import listed, only, rows_of, single, whole
from crucible_collector.api.bodies import json_object
from crucible_collector.api.failures import NOT_FOUND, NotFoundError
from crucible_collector.api.models import Failure, One, Page
from crucible_collector.api.paging import decode_cursor, fields
from crucible_collector.api.places import after_period
from crucible_collector.api.sentences import sentence
from crucible_collector.store.causes import Cause, causes_of
from crucible_collector.store.read import Reads

# Of one period: what a person looks through. All flags are in the list, by `period`.
FLAGS_MAX = 100
BESIDE_MAX = 20
# What began so long before may have to do with it.
BEFORE = dt.timedelta(minutes=10)
_FLAG_KEY = ("time", "period_id")
_PERIOD_KEY = ("started_at", "period_id")

_FAILURES: dict[int | str, dict[str, Any]] = {
    **NOT_FOUND,
    400: {"model": Failure, "description": "The body is not a JSON object."},
    409: {"model": Failure, "description": "It is resolved, and there is a newer one by now."},
    413: {"model": Failure, "description": "The body is too large."},
    415: {"model": Failure, "description": "The change comes as application/json."},
    422: {"model": Failure, "description": "Who or why is missing, or there is no such state."},
}

PeriodIdPath = Annotated[UUID, Path(description="Period id, as the lists give it.")]


class Changes(Protocol):
    """Who changes the state of periods."""

    def change_period(self, period_id: UUID, state: str, by: str, reason: str) -> bool:
        """False where there is no such period; ChangedMeanwhileError, DatabaseAwayError."""
        ...


def anomalies_router(reads: Reads) -> APIRouter:
    router = APIRouter(prefix="/anomalies", tags=["anomalies"])

    @router.get("", response_model=Page[Anomaly], summary="Values that were flagged, newest first")
    def flags(filters: Annotated[AnomalyFilter, Query()]) -> Response:
        """Of a long stretch of them only the first and the worst: `periods` have the counts."""
        cursor = decode_cursor(filters.cursor, *_FLAG_KEY)
        rows = reads.json_rows(
            "anomalies",
            **filters.chosen(),
            period=filters.period,
            **after_period(cursor),
            limit=filters.limit + 1,
        )
        return listed(rows, filters.limit, fields(*_FLAG_KEY), cursor)

    @router.get(
        "/counts",
        response_model=One[list[AnomalyCount]],
        summary="How many, by metric and severity",
    )
    def counts(filters: Annotated[CountFilter, Query()]) -> Response:
        """By the hour in which the values were: hours that the period cuts are counted whole."""
        rows = reads.json_rows("anomaly_counts", **filters.model_dump())
        return rows_of(rows)

    @router.get(
        "/periods",
        response_model=Page[AnomalyPeriod],
        summary="Periods of anomalies, the newest start first",
    )
    def periods(filters: Annotated[PeriodFilter, Query()]) -> Response:
        """`from` and `to` choose those that lie in that time in whole or in part."""
        cursor = decode_cursor(filters.cursor, *_PERIOD_KEY)
        is_open = filters.state == "open"
        rows = reads.json_rows(
            "anomaly_periods",
            **filters.chosen(),
            state=None if is_open else filters.state,
            is_open=is_open,
            **after_period(cursor),
            limit=filters.limit + 1,
        )
        return listed(rows, filters.limit, fields(*_PERIOD_KEY), cursor)

    @router.get(
        "/periods/{period_id}",
        response_model=One[AnomalyPeriodInFull],
        responses=NOT_FOUND,
        summary="One period with its flags, what may have caused it, and what else there was",
    )
    def period(period_id: PeriodIdPath) -> Response:
        return whole(period_in_full(reads, period_id))

    return router


def changes_router(reads: Reads, changes: Changes) -> APIRouter:
    router = APIRouter(prefix="/anomalies", tags=["anomalies"])

    @router.post(
        "/periods/{period_id}/state",
        response_model=One[AnomalyPeriod],
        responses=_FAILURES,
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": StateChange.model_json_schema()}},
            }
        },
        summary="Acknowledge, silence, resolve or reopen a period, and say why",
    )
    async def change(period_id: PeriodIdPath, request: Request) -> Response:
        """Without effect on what is watched: what is acknowledged or silenced resolves by itself as others do.

        It does not count for the health of its run, and what is silenced raises no alert. After it was
        resolved, the next flag begins another.
        """
        asked = _asked(await json_object(request))
        return await run_in_threadpool(_change, reads, changes, period_id, asked)

    return router


def _asked(body: dict[str, Any]) -> StateChange:
    try:
        return StateChange.model_validate(body, strict=True)
    except ValidationError as error:
        found = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
        raise RequestValidationError(found) from None


def _change(reads: Reads, changes: Changes, period_id: UUID, asked: StateChange) -> Response:
    """On a thread: it asks the database."""
    if not changes.change_period(period_id, asked.state, asked.by, asked.reason):
        raise NotFoundError("period", str(period_id))
    return only(reads.json_rows("anomaly_period", period=period_id), "period", str(period_id))


def period_in_full(reads: Reads, period_id: UUID) -> dict[str, Any]:
    """See AnomalyPeriodInFull. NotFoundError, and the errors of `reads`."""
    rows = reads.json_rows("anomaly_period", period=period_id)
    found: dict[str, Any] = json.loads(single(rows, "period", str(period_id)))
    flags = reads.json_rows("anomalies_of_period", period=period_id, limit=FLAGS_MAX)
    beside = reads.json_rows(
        "anomaly_periods_beside", period=period_id, before=BEFORE, limit=BESIDE_MAX
    )
    return found | {
        "text": sentence(found),
        "flags": [json.loads(row) for row in flags],
        "causes": [_told(cause) for cause in causes_of(reads, period_id)],
        "beside": [json.loads(row) for row in beside],
    }


def _told(cause: Cause) -> dict[str, Any]:
    numbers = {name: _number(getattr(cause, name)) for name in ("before", "after")}
    return dataclasses.asdict(cause) | numbers | {"says": cause.says}


def _number(value: float) -> float | str:
    """As PostgreSQL writes it into JSON."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"
