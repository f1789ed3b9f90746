"""Experiments made and led over REST.

A change is a statement at its time, as what an experiment's own process sends is one: the newest counts.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool

from crucible_collector.access.principal import principal_of
from crucible_collector.api.answer import only
from crucible_collector.api.bodies import json_object
from crucible_collector.api.experiments import Description, NewExperiment, Reason
from crucible_collector.api.failures import NOT_FOUND, ConflictError, NotFoundError
from crucible_collector.api.models import Experiment, Failure, One
from crucible_collector.api.path_parameters import ExperimentIdPath
from crucible_collector.store.experiments import MOVES, Action
from crucible_collector.store.read import Reads

_ID_BYTES = 8  # 16 hex digits
_BODY: dict[int | str, dict[str, Any]] = {
    400: {"model": Failure, "description": "The body is not a JSON object."},
    413: {"model": Failure, "description": "The body is too large."},
    415: {"model": Failure, "description": "The body comes as application/json."},
    422: {"model": Failure, "description": "Something in the body is missing, unknown or wrong."},
}
_SUMMARIES: Mapping[Action, tuple[str, str]] = {
    "pause": ("Pause a running experiment", "What is sent meanwhile is stored as ever."),
    "resume": ("Have a paused experiment go on", "The pause counts as such in its course."),
    "stop": ("Stop an experiment", "Running or paused; of one that is stopped nothing changes."),
    "archive": ("Put a stopped experiment aside", "Nothing of it is moved or dropped."),
    "unarchive": ("Have an archived experiment be a stopped one again", "As before it was."),
}
_Said = TypeVar("_Said", bound=BaseModel)


class Leads(Protocol):
    """Who writes down what is said of experiments; each raises DatabaseAwayError."""

    def create(self, experiment_id: str, told: Mapping[str, Any]) -> bool:
        """False where there is one of that id."""
        ...

    def describe(self, experiment_id: str, told: Mapping[str, Any]) -> bool:
        """False where there is none of that id."""
        ...

    def move(self, experiment_id: str, action: Action, by: str, reason: str | None) -> str | None:
        """Do it where its status lets it; which status that was, None where there is none."""
        ...


def leading_router(reads: Reads, leads: Leads) -> APIRouter:
    router = APIRouter(prefix="/experiments", tags=["experiments"])

    @router.post(
        "",
        status_code=HTTPStatus.CREATED,
        response_model=One[Experiment],
        responses={**_BODY, 409: {"model": Failure, "description": "There is one of that id."}},
        openapi_extra=_of(NewExperiment),
        summary="Make an experiment, ahead of its first run",
    )
    async def create(request: Request) -> Response:
        """It is running from now on; its runs name its id. What its process tells later wins over this."""
        said = _said(NewExperiment, await json_object(request))
        return await run_in_threadpool(_create, reads, leads, said)

    @router.patch(
        "/{experiment_id}",
        response_model=One[Experiment],
        responses={**NOT_FOUND, **_BODY},
        openapi_extra=_of(Description),
        summary="Describe an experiment anew",
    )
    async def describe(experiment_id: ExperimentIdPath, request: Request) -> Response:
        """Only what is named changes. What its own process tells later wins over this, what it told before does not."""
        said = _said(Description, await json_object(request))
        told = said.model_dump(exclude_unset=True)
        return await run_in_threadpool(_describe, reads, leads, experiment_id, told)

    for action in MOVES:
        _add(router, reads, leads, action)
    return router


def _add(router: APIRouter, reads: Reads, leads: Leads, action: Action) -> None:
    summary, description = _SUMMARIES[action]
    move = MOVES[action]

    @router.post(
        f"/{{experiment_id}}/{action}",
        response_model=One[Experiment],
        responses={
            **NOT_FOUND,
            **_BODY,
            409: {"model": Failure, "description": f"It is not {' or '.join(move.before)}."},
        },
        openapi_extra=_of(Reason),
        operation_id=f"{action}_experiment",
        summary=summary,
        description=description,
    )
    async def change(experiment_id: ExperimentIdPath, request: Request) -> Response:
        reason = _said(Reason, await json_object(request)).reason
        by = principal_of(request.scope).name
        return await run_in_threadpool(_move, reads, leads, experiment_id, action, by, reason)


def _of(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _said(model: type[_Said], body: dict[str, Any]) -> _Said:
    try:
        return model.model_validate(body, strict=True)
    except ValidationError as error:
        found = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
        raise RequestValidationError(found) from None


def _create(reads: Reads, leads: Leads, said: NewExperiment) -> Response:
    """On a thread, like the other two: it asks the database."""
    experiment_id = said.experiment_id or secrets.token_hex(_ID_BYTES)
    if not leads.create(experiment_id, said.model_dump()):
        raise ConflictError("experiment_exists", f"there is an experiment {experiment_id!r}")
    answer = _shown(reads, experiment_id)
    answer.status_code = HTTPStatus.CREATED
    answer.headers["Location"] = f"/api/v1/experiments/{quote(experiment_id, safe='')}"
    return answer


def _describe(reads: Reads, leads: Leads, experiment_id: str, told: Mapping[str, Any]) -> Response:
    if not leads.describe(experiment_id, told):
        raise NotFoundError("experiment", experiment_id)
    return _shown(reads, experiment_id)


def _move(
    reads: Reads, leads: Leads, experiment_id: str, action: Action, by: str, reason: str | None
) -> Response:
    move = MOVES[action]
    status = leads.move(experiment_id, action, by, reason)
    if status is None:
        raise NotFoundError("experiment", experiment_id)
    if status not in move.before and not (action == "stop" and status == "stopped"):
        code = f"already_{status}" if status == move.after else f"not_{move.before[0]}"
        needed = " or ".join(move.before)
        message = f"experiment {experiment_id!r} is {status}: to {action} it, it has to be {needed}"
        raise ConflictError(code, message)
    return _shown(reads, experiment_id)


def _shown(reads: Reads, experiment_id: str) -> Response:
    return only(
        reads.json_rows("experiment", experiment=experiment_id), "experiment", experiment_id
    )
