"""Every answer that is not 2xx has one shape: `{"error": {"code", "message", "details"}}`."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from crucible_collector import metrics
from crucible_collector.api.exchange import allowed_methods, told_methods
from crucible_collector.api.models import Failure
from crucible_collector.api.paging import CursorError
from crucible_collector.errors import (
    AnswerTooLargeError,
    ChangedMeanwhileError,
    DatabaseAwayError,
    ForbiddenError,
    MalformedError,
    NotComparableError,
    OverloadedError,
    QueriesTooManyError,
    QueryTooSlowError,
    RefusedError,
    SettingsError,
    TooFastError,
    TooLargeError,
    UnauthenticatedError,
)

# A database that restarts is back within some seconds; the page asks every second anyhow.
RETRY_AFTER_S = 2

_LOG = logging.getLogger(__name__)

# What OpenAPI says of any question.
FAILURES: dict[int | str, dict[str, Any]] = {
    401: {"model": Failure, "description": "An API key is needed: `authorization: Bearer ct_…`."},
    403: {"model": Failure, "description": "The API key is not for this."},
    422: {"model": Failure, "description": "A parameter is unknown or has a bad value."},
    503: {
        "model": Failure,
        "description": "The database does not answer, or not in time, or is asked too much: see Retry-After.",
    },
}
NOT_FOUND: dict[int | str, dict[str, Any]] = {
    404: {"model": Failure, "description": "There is no such thing."}
}


# As `receive.answers` has it for OTLP.
_REFUSALS: dict[type[RefusedError], int] = {
    MalformedError: HTTPStatus.BAD_REQUEST,
    TooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnauthenticatedError: HTTPStatus.UNAUTHORIZED,
    ForbiddenError: HTTPStatus.FORBIDDEN,
    OverloadedError: HTTPStatus.SERVICE_UNAVAILABLE,
    TooFastError: HTTPStatus.TOO_MANY_REQUESTS,
}


class NotFoundError(Exception):
    """There is no row of that id."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"no {kind} {name!r}")


class ConflictError(Exception):
    """It cannot be done with what there is as it is now; `code` says why in a word."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def failure(
    status: int, code: str, message: str, details: Any = None, headers: dict[str, str] | None = None
) -> Response:
    """The answer for something that did not work."""
    error = {"code": code, "message": message, "details": details if details is not None else {}}
    # ensure_ascii: a parameter may hold what UTF-8 cannot.
    return Response(
        json.dumps({"error": error}, ensure_ascii=True),
        status,
        {"Cache-Control": "no-store", **(headers or {})},
        "application/json",
    )


def install(app: FastAPI) -> None:
    """Have every exception answered in the one shape."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(CursorError, _bad_cursor)
    app.add_exception_handler(NotFoundError, _not_found)
    app.add_exception_handler(ConflictError, _conflict)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(DatabaseAwayError, _database_away)
    app.add_exception_handler(QueryTooSlowError, _too_slow)
    app.add_exception_handler(QueriesTooManyError, _too_many)
    app.add_exception_handler(AnswerTooLargeError, _too_large)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(SettingsError, _invalid_settings)
    app.add_exception_handler(ChangedMeanwhileError, _changed_meanwhile)
    app.add_exception_handler(NotComparableError, _not_comparable)
    app.add_exception_handler(Exception, _uncaught)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    details = [
        {
            "parameter": _parameter(found["loc"]),
            "message": _message(found),
        }
        for found in error.errors()
    ]
    text = "; ".join(f"{each['parameter']}: {each['message']}" for each in details)
    return failure(422, "invalid_parameter", text, details)


def _parameter(place: Sequence[str | int]) -> str:
    """Its name; of one that may be given several times not which of them, since people count commas."""
    kind, *path = place
    return ".".join(str(part) for part in path if kind != "query" or isinstance(part, str))


def _message(found: dict[str, Any]) -> str:
    if found["type"] == "extra_forbidden":
        return "there is no such parameter"
    return str(found["msg"]).removeprefix("Value error, ")


async def _bad_cursor(_: Request, error: Exception) -> Response:
    details = [{"parameter": "cursor", "message": str(error)}]
    return failure(422, "invalid_parameter", f"cursor: {error}", details)


async def _not_found(_: Request, error: Exception) -> Response:
    return failure(404, "not_found", str(error))


async def _conflict(_: Request, error: Exception) -> Response:
    assert isinstance(error, ConflictError)
    return failure(409, error.code, str(error))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = allowed_methods(request)
        if request.method == "OPTIONS":
            return told_methods(headers["Allow"])
    phrase = HTTPStatus(error.status_code).phrase
    code = phrase.lower().replace(" ", "_")
    return failure(error.status_code, code, str(error.detail), headers=headers)


async def _database_away(_: Request, error: Exception) -> Response:
    return failure(503, "database_away", str(error), headers={"Retry-After": str(RETRY_AFTER_S)})


async def _too_slow(_: Request, error: Exception) -> Response:
    message = f"{error}: a filter or a shorter period may help"
    return failure(503, "query_too_slow", message, headers={"Retry-After": str(RETRY_AFTER_S)})


async def _too_many(_: Request, error: Exception) -> Response:
    return failure(
        503, "too_many_questions", str(error), headers={"Retry-After": str(RETRY_AFTER_S)}
    )


async def _too_large(_: Request, error: Exception) -> Response:
    return failure(422, "answer_too_large", f"{error}; a smaller `limit` helps")


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return refused(error)


def refused(error: RefusedError) -> Response:
    """The answer to a request that is refused whole."""
    headers = None
    if isinstance(error, OverloadedError):
        headers = {"Retry-After": str(max(math.ceil(error.retry_after_s), 1))}
    if isinstance(error, UnauthenticatedError):
        headers = {"WWW-Authenticate": "Bearer"}
    return failure(_REFUSALS[type(error)], error.reason, str(error), headers=headers)


async def _invalid_settings(_: Request, error: Exception) -> Response:
    return failure(422, "invalid_settings", str(error))


async def _changed_meanwhile(_: Request, error: Exception) -> Response:
    return failure(409, "changed_meanwhile", str(error))


async def _not_comparable(_: Request, error: Exception) -> Response:
    return failure(422, "not_comparable", str(error))


async def _uncaught(request: Request, error: Exception) -> Response:
    metrics.UNCAUGHT_ERRORS.labels("api").inc()
    _LOG.error("uncaught error in %s %s", request.method, request.url.path, exc_info=error)
    return failure(500, "internal_error", "an error of the collector's own; its log has it")
