"""Exports: rows taken away as files, which are made by themselves and downloaded then."""

from __future__ import annotations

import json
import uuid
from http import HTTPStatus
from pathlib import Path as FilePath
from typing import Annotated, Any, Protocol
from urllib.parse import unquote

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import FileResponse, Response
from pydantic import AfterValidator, ValidationError, WithJsonSchema
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from crucible_collector.access.principal import principal_of
from crucible_collector.api.bodies import json_object
from crucible_collector.api.exports import Export, ExportRequest
from crucible_collector.api.failures import NOT_FOUND, NotFoundError
from crucible_collector.api.jobs import job_of, jobs_of
from crucible_collector.api.models import Failure, One, Page
from crucible_collector.api.parameters import Paged
from crucible_collector.api.wrong import first_wrong
from crucible_collector.errors import OverloadedError, SettingsError
from crucible_collector.store.read import Reads

_FAILURES: dict[int | str, dict[str, Any]] = {
    400: {"model": Failure, "description": "The body is not a JSON object."},
    413: {"model": Failure, "description": "The body is too large."},
    415: {"model": Failure, "description": "What is to be exported comes as application/json."},
    422: {"model": Failure, "description": "Something of it is wrong; nothing was begun."},
    429: {"model": Failure, "description": "Two exports are running here: see Retry-After."},
}
_ELSEWHERE: dict[int | str, dict[str, Any]] = {
    409: {"model": Failure, "description": "It is not done, or another collector has its files."}
}
# Whole at once, or from where an interrupted download ended.
_DOWNLOADS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    206: {
        "description": "What `Range` asked for of it.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    400: {"description": "`Range` cannot be read."},
    416: {"description": "`Range` is beyond its end."},
}
# Each as it is registered; what has no name of its own is bytes. None of them is compressed once more.
_MEDIA_TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".jsonl": "application/x-ndjson",
    ".parquet": "application/vnd.apache.parquet",
    ".arrow": "application/vnd.apache.arrow.file",
}


def _uuid(value: str) -> str:
    try:
        return str(uuid.UUID(value))
    except ValueError:
        raise ValueError("expected a UUID") from None


ExportIdPath = Annotated[
    str,
    AfterValidator(_uuid),
    WithJsonSchema({"type": "string", "format": "uuid"}),
    Path(description="As POST /exports answered it."),
]
FileNamePath = Annotated[
    str,
    AfterValidator(unquote),
    Path(description="As the export's report names it, % as %25.", examples=["events.parquet"]),
]


class Exporting(Protocol):
    """Who exports (see export.exports)."""

    collector: str  # as jobs name it

    def start(self, asked: ExportRequest, asked_by: str) -> uuid.UUID:
        """Begin an export. SettingsError, DatabaseAwayError; OverloadedError where too many run."""
        ...

    def cancel(self, job_id: uuid.UUID) -> None:
        """Have an export end, if it runs, and remove its files."""
        ...

    def file(self, job_id: uuid.UUID, name: str) -> FilePath | None:
        """One of the files of an export that is done; None where it is not here."""
        ...


def exports_router(reads: Reads, exporting: Exporting) -> APIRouter:
    router = APIRouter(prefix="/exports", tags=["exports"])
    _take_requests(router, reads, exporting)
    _give_files(router, reads, exporting)

    @router.get("", response_model=Page[Export], summary="Exports, newest first")
    def exports(filters: Annotated[Paged, Query()]) -> Response:
        return jobs_of(reads, "export", filters.cursor, filters.limit)

    @router.get(
        "/{export_id}",
        response_model=One[Export],
        responses=NOT_FOUND,
        summary="How far an export is, and its files",
    )
    def export(export_id: ExportIdPath) -> Response:
        return job_of(reads, "export", export_id)

    @router.delete(
        "/{export_id}",
        response_model=One[Export],
        responses={**NOT_FOUND, **_ELSEWHERE},
        summary="Have an export end, and remove its files",
    )
    def remove(export_id: ExportIdPath) -> Response:
        """What is told of it stays. Whole files are removed by the collector that has them."""
        found = _job(reads, export_id)
        if found["state"] != "running":
            _check_here(found, exporting)
        exporting.cancel(uuid.UUID(export_id))
        found = _job(reads, export_id)
        if found["state"] != "cancelled":  # it came to its end meanwhile
            _check_here(found, exporting)
        return job_of(reads, "export", export_id)

    return router


def _take_requests(router: APIRouter, reads: Reads, exporting: Exporting) -> None:
    example = {"of": "points", "format": "parquet", "experiment": "lr-sweep", "partition": True}
    body = {**ExportRequest.model_json_schema(), "examples": [example]}

    @router.post(
        "",
        status_code=HTTPStatus.ACCEPTED,
        response_model=One[Export],
        responses=_FAILURES,
        openapi_extra={
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}}
        },
        summary="Take rows away as CSV, JSON lines, Parquet or Arrow",
    )
    async def start(request: Request) -> Response:
        """All that match, as of one moment; the files are there when its state is `completed`."""
        asked_by = principal_of(request.scope).name
        asked = await json_object(request)
        return await run_in_threadpool(_start, reads, exporting, asked, asked_by)


def _start(reads: Reads, exporting: Exporting, body: dict[str, Any], asked_by: str) -> Response:
    """On a thread: it asks the database."""
    try:
        asked = ExportRequest.model_validate(body)
    except ValidationError as error:
        raise SettingsError(first_wrong(error)) from None
    try:
        export_id = str(exporting.start(asked, asked_by))
    except OverloadedError as error:
        headers = {"Retry-After": str(round(error.retry_after_s))}
        raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, str(error), headers) from None
    answer = job_of(reads, "export", export_id)
    answer.status_code = HTTPStatus.ACCEPTED
    return answer


def _give_files(router: APIRouter, reads: Reads, exporting: Exporting) -> None:
    @router.get(
        "/{export_id}/files/{name:path}",
        response_class=FileResponse,
        responses={**NOT_FOUND, **_ELSEWHERE, **_DOWNLOADS},
        summary="One file of an export, from where an interrupted download ended",
    )
    def file(export_id: ExportIdPath, name: FileNamePath) -> Response:
        """With `Range`, and with `If-Range` the ETag of the answer before."""
        found = _job(reads, export_id)
        path = exporting.file(uuid.UUID(export_id), name)
        if path is None:
            if found["state"] == "running":
                raise HTTPException(HTTPStatus.CONFLICT, "the export is not done")
            _check_here(found, exporting)
            raise NotFoundError("file of an export that is kept,", name)
        return FileResponse(
            path,
            media_type=_MEDIA_TYPES.get(path.suffix, "application/octet-stream"),
            filename=path.name,
            stat_result=path.stat(),
            headers={"Cache-Control": "no-store"},
        )


def _job(reads: Reads, export_id: str) -> dict[str, Any]:
    rows = reads.json_rows("job", kind="export", job=uuid.UUID(export_id))
    if not rows:
        raise NotFoundError("export", export_id)
    found: dict[str, Any] = json.loads(rows[0])
    return found


def _check_here(job: dict[str, Any], exporting: Exporting) -> None:
    if job["collector"] != exporting.collector:
        raise HTTPException(
            HTTPStatus.CONFLICT,
            f"the files of this export are with the collector {job['collector']}",
        )
