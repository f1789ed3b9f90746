"""Detectors once more over what is stored: scans, and the band around a curve."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from crucible_collector.api.answer import listed, only, rows_of, single
from crucible_collector.api.bodies import json_object
from crucible_collector.api.failures import NOT_FOUND, NotFoundError
from crucible_collector.api.models import Failure, One, Page
from crucible_collector.api.paging import decode_cursor, fields
from crucible_collector.api.parameters import Paged, Text
from crucible_collector.api.path_parameters import MetricPath, RunIdPath
from crucible_collector.api.places import after_created
from crucible_collector.api.scanned import AnomalyScan, Band, ListedScan, ScanRequest
from crucible_collector.api.wrong import first_wrong
from crucible_collector.detect.settings import DetectorName
from crucible_collector.errors import OverloadedError, SettingsError
from crucible_collector.store.read import Reads

_KEY = ("created_at", "scan_id")
_FAILURES: dict[int | str, dict[str, Any]] = {
    400: {"model": Failure, "description": "The body is not a JSON object."},
    413: {"model": Failure, "description": "The body is too large."},
    415: {"model": Failure, "description": "What is to be scanned comes as application/json."},
    422: {"model": Failure, "description": "Something of it is wrong; nothing was begun."},
    429: {"model": Failure, "description": "Two scans are running here: see Retry-After."},
}


def _uuid(value: str) -> str:
    try:
        return str(uuid.UUID(value))
    except ValueError:
        raise ValueError("expected a UUID") from None


ScanIdPath = Annotated[
    str,
    AfterValidator(_uuid),
    WithJsonSchema({"type": "string", "format": "uuid"}),
    Path(description="As POST /anomalies/scan answered it."),
]


class BandFilter(BaseModel):
    model_config = ConfigDict(extra="forbid")

    event: Text | None = Field(None, description="As measured by this event.")
    rank: int | None = Field(None, ge=0, lt=1 << 63, description="Of this rank.")
    detector: DetectorName | None = Field(
        None, description="Default: the first of those that watch it which tells bounds."
    )
    from_step: int | None = Field(None, ge=-(1 << 63), lt=1 << 63, description="First step.")
    to_step: int | None = Field(None, ge=-(1 << 63), lt=1 << 63, description="Before this step.")


@dataclass(frozen=True, slots=True)
class BandAsked:
    """Which curve, by which detector."""

    run: str
    metric: str
    event: str | None
    rank: int | None
    detector: str | None


@dataclass(frozen=True, slots=True)
class BandTold:
    """The points of a curve from its first on, each a JSON object, with their steps; see api.scanned."""

    rows: Sequence[str]
    steps: Sequence[int | None]
    meta: dict[str, Any]


class Scanning(Protocol):
    """Who looks at what is stored (see scan.scans)."""

    def start(self, asked: ScanRequest) -> uuid.UUID:
        """Begin a scan. SettingsError, DatabaseAwayError; OverloadedError where too many run."""
        ...

    def cancel(self, scan_id: uuid.UUID) -> None:
        """Have a scan end, if it runs."""
        ...

    def band(self, asked: BandAsked) -> BandTold | None:
        """What a detector expected of a curve; None where there is none. SettingsError, OverloadedError."""
        ...


def scans_router(reads: Reads, scanning: Scanning) -> APIRouter:
    router = APIRouter(prefix="/anomalies/scan", tags=["anomalies"])

    @router.get("", response_model=Page[ListedScan], summary="Scans, newest first")
    def scans(filters: Annotated[Paged, Query()]) -> Response:
        cursor = decode_cursor(filters.cursor, *_KEY)
        rows = reads.json_rows("anomaly_scans", **after_created(cursor), limit=filters.limit + 1)
        return listed(rows, filters.limit, fields(*_KEY), cursor)

    @router.get(
        "/{scan_id}",
        response_model=One[AnomalyScan],
        responses=NOT_FOUND,
        summary="How far a scan is, and what it found",
    )
    def scan(scan_id: ScanIdPath) -> Response:
        return only(reads.json_rows("anomaly_scan", scan=scan_id), "scan", scan_id)

    @router.delete(
        "/{scan_id}",
        response_model=One[AnomalyScan],
        responses=NOT_FOUND,
        summary="Have a scan end; nothing of it is written",
    )
    def cancel(scan_id: ScanIdPath) -> Response:
        """One that has ended stays as it is."""
        scanning.cancel(uuid.UUID(scan_id))
        return only(reads.json_rows("anomaly_scan", scan=scan_id), "scan", scan_id)

    _take_scans(router, reads, scanning)
    return router


def _take_scans(router: APIRouter, reads: Reads, scanning: Scanning) -> None:
    schema = ScanRequest.model_json_schema()
    example = {"run": "run-7", "metric": "loss", "detectors": ["zscore"], "sensitivity": 0.8}
    body = {**schema, "examples": [example]}

    @router.post(
        "",
        status_code=HTTPStatus.ACCEPTED,
        response_model=One[AnomalyScan],
        responses=_FAILURES,
        openapi_extra={
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}}
        },
        summary="Have detectors look at what is stored, as if it came now",
    )
    async def start(request: Request) -> Response:
        """Of one run, experiment or series; by the detectors that are named, else as the stream does.

        With `write` and a `label` what is found is stored under the label, in place of what was found
        there before; nobody is alerted.
        """
        return await run_in_threadpool(_start, reads, scanning, await json_object(request))


def _start(reads: Reads, scanning: Scanning, body: dict[str, Any]) -> Response:
    """On a thread: it asks the database."""
    try:
        asked = ScanRequest.model_validate(body)
    except ValidationError as error:
        raise SettingsError(first_wrong(error)) from None
    try:
        scan_id = str(scanning.start(asked))
    except OverloadedError as error:
        headers = {"Retry-After": str(round(error.retry_after_s))}
        raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, str(error), headers) from None
    answer = only(reads.json_rows("anomaly_scan", scan=scan_id), "scan", scan_id)
    answer.status_code = HTTPStatus.ACCEPTED
    return answer


def band_router(reads: Reads, scanning: Scanning) -> APIRouter:
    """To be asked before the router of runs, for which a metric may end in `/band`."""
    router = APIRouter(prefix="/runs", tags=["anomalies"])

    @router.get(
        "/{run_id}/series/{metric:path}/band",
        response_model=Band,
        responses=NOT_FOUND,
        summary="One metric of a run, with what a detector expected of it",
    )
    def band(
        run_id: RunIdPath, metric: MetricPath, filters: Annotated[BandFilter, Query()]
    ) -> Response:
        """The detector looks at the curve from its first point on, whatever steps are asked for.

        Where several events or ranks measured it, and the filters name none, the first of these. A
        metric whose own name ends in `/band` is asked for with %2F.
        """
        asked = BandAsked(run_id, metric, filters.event, filters.rank, filters.detector)
        told = scanning.band(asked)
        if told is None:
            single(reads.json_rows("run", run=run_id), "run", run_id)
            raise NotFoundError("series", metric)
        first, last = filters.from_step, filters.to_step
        rows = [
            row
            for row, step in zip(told.rows, told.steps, strict=True)
            if (first is None or (step is not None and step >= first))
            and (last is None or (step is not None and step < last))
        ]
        return rows_of(rows, **told.meta)

    return router
