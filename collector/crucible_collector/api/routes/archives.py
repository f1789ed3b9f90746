"""Archives: rows put away as Parquet files, verified, dropped, and brought back."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import AfterValidator, ValidationError, WithJsonSchema
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from crucible_collector.access.principal import principal_of
from crucible_collector.api.answer import listed, only
from crucible_collector.api.archives import Archive, ArchiveRequest
from crucible_collector.api.bodies import json_object
from crucible_collector.api.failures import NOT_FOUND
from crucible_collector.api.models import Failure, One, Page
from crucible_collector.api.paging import decode_cursor, fields
from crucible_collector.api.parameters import Paged
from crucible_collector.api.places import after_created
from crucible_collector.api.wrong import first_wrong
from crucible_collector.errors import ArchiveError, OverloadedError, SettingsError
from crucible_collector.store.read import Reads

_KEY = ("created_at", "archive_id")
_BUSY: dict[int | str, dict[str, Any]] = {
    409: {"model": Failure, "description": "Its state does not allow it, or somebody works on it."},
    429: {"model": Failure, "description": "Two such jobs are running here: see Retry-After."},
}
_FAILURES: dict[int | str, dict[str, Any]] = {
    400: {"model": Failure, "description": "The body is not a JSON object."},
    413: {"model": Failure, "description": "The body is too large."},
    415: {"model": Failure, "description": "What is to be archived comes as application/json."},
    422: {"model": Failure, "description": "Something of it is wrong; nothing was begun."},
    **_BUSY,
}


def _uuid(value: str) -> str:
    try:
        return str(uuid.UUID(value))
    except ValueError:
        raise ValueError("expected a UUID") from None


ArchiveIdPath = Annotated[
    str,
    AfterValidator(_uuid),
    WithJsonSchema({"type": "string", "format": "uuid"}),
    Path(description="As POST /archives answered it."),
]


class Archiving(Protocol):
    """Who works on archives (see archive.archives). Each raises OverloadedError where too many run."""

    def create(self, asked: ArchiveRequest, asked_by: str) -> uuid.UUID:
        """Begin one; its id. SettingsError, DatabaseAwayError."""
        ...

    def resume(self, archive_id: uuid.UUID, asked_by: str) -> None:
        """Go on with one that was interrupted while it was written or its rows were dropped. ArchiveError."""
        ...

    def verify(self, archive_id: uuid.UUID, asked_by: str) -> None:
        """Read one back. ArchiveError."""
        ...

    def drop(self, archive_id: uuid.UUID, asked_by: str) -> None:
        """Read one back and drop the rows that it has. ArchiveError."""
        ...

    def restore(self, archive_id: uuid.UUID, asked_by: str) -> None:
        """Bring one back, which may be another database's. ArchiveError."""
        ...

    def cancel(self, archive_id: uuid.UUID) -> None:
        """Have what works on it end, if anything does."""
        ...


def archives_router(reads: Reads) -> APIRouter:
    router = APIRouter(prefix="/archives", tags=["archives"])

    @router.get("", response_model=Page[Archive], summary="Archives, newest first")
    def archives(filters: Annotated[Paged, Query()]) -> Response:
        cursor = decode_cursor(filters.cursor, *_KEY)
        rows = reads.json_rows("archives", **after_created(cursor), limit=filters.limit + 1)
        return listed(rows, filters.limit, fields(*_KEY), cursor)

    @router.get(
        "/{archive_id}",
        response_model=One[Archive],
        responses=NOT_FOUND,
        summary="How far an archive is, and what became of it",
    )
    def archive(archive_id: ArchiveIdPath) -> Response:
        return _told(reads, archive_id)

    return router


def archiving_router(reads: Reads, archiving: Archiving) -> APIRouter:
    """What has somebody work on archives."""
    router = APIRouter(prefix="/archives", tags=["archives"])
    _take_requests(router, reads, archiving)
    _take_actions(router, reads, archiving)
    return router


def _take_requests(router: APIRouter, reads: Reads, archiving: Archiving) -> None:
    example = {"experiment": "lr-sweep", "drop": True}
    body = {**ArchiveRequest.model_json_schema(), "examples": [example]}

    @router.post(
        "",
        status_code=HTTPStatus.ACCEPTED,
        response_model=One[Archive],
        responses=_FAILURES,
        openapi_extra={
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}}
        },
        summary="Put an experiment or a period away as Parquet files",
    )
    async def create(request: Request) -> Response:
        """To where the setting `archive_url` says; what is asked for may be one experiment, a period, or both.

        Files are read back before any row is dropped, and rows that came after they were written stay.
        """
        asked_by = principal_of(request.scope).name
        return await run_in_threadpool(
            _create, reads, archiving, await json_object(request), asked_by
        )


def _create(reads: Reads, archiving: Archiving, body: dict[str, Any], asked_by: str) -> Response:
    """On a thread: it asks the database."""
    try:
        asked = ArchiveRequest.model_validate(body)
    except ValidationError as error:
        raise SettingsError(first_wrong(error)) from None
    found: list[uuid.UUID] = []
    _begin(lambda: found.append(archiving.create(asked, asked_by)))
    return _told(reads, str(found[0]), HTTPStatus.ACCEPTED)


def _take_actions(router: APIRouter, reads: Reads, archiving: Archiving) -> None:
    actions: dict[str, tuple[Callable[[uuid.UUID, str], None], str, str]] = {
        "resume": (
            archiving.resume,
            "Go on with an archive that was interrupted",
            "While it was written, or while its rows were dropped.",
        ),
        "verify": (
            archiving.verify,
            "Read all of an archive back",
            "Every file, with the digests and values that were written.",
        ),
        "drop": (
            archiving.drop,
            "Drop the rows that an archive has",
            "All of it is read back first. Roll-ups keep what they have of these rows.",
        ),
        "restore": (
            archiving.restore,
            "Bring back what is missing of an archive",
            "Twice changes nothing. It may have been made from another database, to the same `archive_url`.",
        ),
    }
    for name, (act, summary, about) in actions.items():
        router.post(
            f"/{{archive_id}}/{name}",
            name=name,
            status_code=HTTPStatus.ACCEPTED,
            response_model=One[Archive],
            responses={**NOT_FOUND, **_BUSY},
            summary=summary,
            description=about,
        )(_action(reads, act))

    @router.post(
        "/{archive_id}/cancel",
        response_model=One[Archive],
        responses=NOT_FOUND,
        summary="Have what works on an archive end",
    )
    def cancel(archive_id: ArchiveIdPath) -> Response:
        """What was written, dropped or brought back by then stays so, and can be gone on with."""
        answer = _told(reads, archive_id)
        archiving.cancel(uuid.UUID(archive_id))
        return answer


def _action(
    reads: Reads, act: Callable[[uuid.UUID, str], None]
) -> Callable[[str, Request], Response]:
    def take(archive_id: ArchiveIdPath, request: Request) -> Response:
        _begin(lambda: act(uuid.UUID(archive_id), principal_of(request.scope).name))
        return _told(reads, archive_id, HTTPStatus.ACCEPTED)

    return take


def _begin(begin: Callable[[], None]) -> None:
    try:
        begin()
    except OverloadedError as error:
        headers = {"Retry-After": str(round(error.retry_after_s))}
        raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, str(error), headers) from None
    except ArchiveError as error:
        raise HTTPException(HTTPStatus.CONFLICT, str(error)) from None


def _told(reads: Reads, archive_id: str, status: HTTPStatus = HTTPStatus.OK) -> Response:
    rows = reads.json_rows("archive", archive=uuid.UUID(archive_id))
    answer = only(rows, "archive", archive_id)
    answer.status_code = status
    return answer
