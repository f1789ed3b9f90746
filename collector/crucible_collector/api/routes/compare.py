"""Which condition is better, by how much, and how sure that is."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from crucible_collector.access.principal import principal_of
from crucible_collector.api import compared
from crucible_collector.api.answer import whole
from crucible_collector.api.bodies import json_object
from crucible_collector.api.comparison import CompareRequest, Comparison
from crucible_collector.api.models import Failure, One
from crucible_collector.store.read import Reads

_FAILURES: dict[int | str, dict[str, Any]] = {
    400: {"model": Failure, "description": "The body is not a JSON object."},
    413: {"model": Failure, "description": "The body is too large."},
    415: {"model": Failure, "description": "What is to be compared comes as application/json."},
    422: {
        "model": Failure,
        "description": "Something of it is wrong (invalid_parameter), or the answer would mean nothing "
        "(not_comparable): the message says why.",
    },
}


def compare_router(reads: Reads) -> APIRouter:
    router = APIRouter(tags=["compare"])
    body = _schema()

    @router.post(
        "/compare",
        response_model=One[Comparison],
        responses=_FAILURES,
        openapi_extra={
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}}
        },
        summary="Compare conditions, experiments or groups of runs",
    )
    async def compare(request: Request) -> Response:
        """The first side is the baseline unless another is named; the unit is the run, or the request.

        Nothing is kept of it. An improvement is positive where the candidate is better, so where its latency
        or its cost is lower.
        """
        asked = _read(await json_object(request))
        within = principal_of(request.scope).experiment_prefix
        return await run_in_threadpool(lambda: whole(compared.answer(reads, asked, within)))

    return router


def _read(body: dict[str, Any]) -> CompareRequest:
    try:
        return CompareRequest.model_validate(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        raise RequestValidationError(
            [{**each, "loc": ("body", *(each["loc"] or ("body",)))} for each in found]
        ) from None


def _schema() -> dict[str, Any]:
    """The schema of the body with what it refers to filled in."""
    schema = CompareRequest.model_json_schema()
    definitions = schema.pop("$defs", {})

    def filled(part: Any) -> Any:
        if isinstance(part, dict):
            if "$ref" in part:
                return filled(definitions[part["$ref"].rpartition("/")[2]])
            return {key: filled(value) for key, value in part.items()}
        return [filled(each) for each in part] if isinstance(part, list) else part

    made = filled(schema)
    assert isinstance(made, dict)
    example = {
        "metric": "val_accuracy",
        "experiment": "lr-sweep",
        "conditions": ["lr=1e-3", "lr=1e-2"],
    }
    return {**made, "examples": [example]}
