"""What would sampling settings do with what is stored? Nothing changes by asking."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Protocol

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from crucible_collector.api.answer import whole
from crucible_collector.api.bodies import json_object
from crucible_collector.api.models import Failure, One
from crucible_collector.api.simulated import Asked, Simulated
from crucible_collector.errors import SettingsError

_FAILURES: dict[int | str, dict[str, Any]] = {
    400: {"model": Failure, "description": "The body is not a JSON object."},
    413: {"model": Failure, "description": "The body is too large."},
    415: {"model": Failure, "description": "Rules come as application/json."},
    422: {"model": Failure, "description": "A rule or the period is wrong."},
    503: {
        "model": Failure,
        "description": "Another simulation is running, or the database does not answer: see Retry-After.",
    },
}
# The body is read as it comes, so its description is written by hand.
_TIME = {"type": "string", "format": "date-time"}
_BODY: dict[str, Any] = {
    "type": "object",
    "required": ["rules", "from", "to"],
    "properties": {
        "rules": {
            "type": "array",
            "items": {"type": "object"},
            "description": "As `PUT /sampling` takes them.",
        },
        "decision_wait_s": {"type": "number", "default": 10},
        "from": {**_TIME, "description": "Records that began then or later."},
        "to": {**_TIME, "description": "And before this."},
        "experiment": {
            "type": "string",
            "description": "Only those of this experiment: budgets are judged by it alone then.",
        },
    },
    "examples": [
        {
            "rules": [{"name": "afford", "strategy": "importance", "budget_per_s": 200}],
            "from": "2026-11-23T10:00:00Z",
            "to": "2026-11-23T11:00:00Z",
        }
    ],
}


class Simulates(Protocol):
    """Who runs simulations (see simulate.simulation)."""

    def simulate(
        self,
        settings: Mapping[str, Any],
        start: dt.datetime,
        end: dt.datetime,
        experiment: str | None,
    ) -> Mapping[str, Any]:
        """As JSON. Raises SettingsError, and OverloadedError while another runs."""
        ...


def simulation_router(simulates: Simulates) -> APIRouter:
    router = APIRouter(prefix="/sampling", tags=["sampling"])

    @router.post(
        "/simulate",
        response_model=One[Simulated],
        responses=_FAILURES,
        openapi_extra={
            "requestBody": {"required": True, "content": {"application/json": {"schema": _BODY}}}
        },
        summary="What rules would keep of a period, and how far off answers would be",
    )
    async def simulate(request: Request) -> Response:
        """Bounded in records and seconds (see `is_complete`), and one at a time.

        A record counts as received when it ended; scores of anomalies are not replayed.
        """
        body = await json_object(request)
        return await run_in_threadpool(_simulate, simulates, body)

    return router


def _simulate(simulates: Simulates, body: dict[str, Any]) -> Response:
    """On a thread: it asks the database, and takes seconds."""
    names = [field.alias or name for name, field in Asked.model_fields.items()]
    beside = {name: body.pop(name) for name in names if name in body}
    try:
        asked = Asked.model_validate(beside)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "from"
        message = first["msg"].removeprefix("Value error, ")
        begin = message[:1] if message[:2].isupper() else message[:1].lower()
        raise SettingsError(f"{key}: {begin}{message[1:]}") from None
    return whole(simulates.simulate(body, asked.from_time, asked.to_time, asked.experiment))
