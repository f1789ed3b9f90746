"""The user's prices, which win over the list that comes with the collector, and what a model costs by both.

Prices are the database's: whichever collector is told, all follow within seconds. What is stored keeps
the cost that it was stored with until it is computed anew.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from crucible_collector.api.answer import only, whole
from crucible_collector.api.bodies import json_object
from crucible_collector.api.cost import ModelFilter, ModelPrice, Prices, PricesVersion
from crucible_collector.api.models import One, Page
from crucible_collector.api.parameters import Paged
from crucible_collector.api.versions import BESIDE, FAILURES, NONE_MADE, history, taken_out
from crucible_collector.cost.price_list import data_version
from crucible_collector.cost.price_table import PriceTable
from crucible_collector.cost.pricing import CallNames, Pricing, Source
from crucible_collector.cost.rates import Price
from crucible_collector.store.read import Reads

# The body is read as it comes, so its description is written by hand.
_BODY: dict[str, Any] = {
    "type": "object",
    "properties": {
        "currency": {"type": "string", "enum": ["USD"], "default": "USD"},
        "models": {
            "type": "array",
            "items": {"type": "object"},
            "description": "As [[prices.models]] of a settings file; the first that fits a call decides, and "
            "what none fits is as the list has it.",
        },
        **BESIDE,
    },
    "examples": [
        {
            "models": [{"prefix": "our-llama", "input_usd": 0.2, "output_usd": 0.6}],
            "changed_by": "ada",
            "reason": "what the machines cost us",
        }
    ],
}


class Priced(Protocol):
    """What the service tells about its prices, and takes."""

    def prices_version(self) -> int:
        """Of the prices that this collector works by; 0: nobody ever made any."""
        ...

    def put_prices(
        self, table: PriceTable, changed_by: str, reason: str, follows: int | None
    ) -> int:
        """Put prices in force and return their version; ChangedMeanwhileError, DatabaseAwayError."""
        ...


def prices_router(reads: Reads, priced: Priced | None) -> APIRouter:
    router = APIRouter(prefix="/cost", tags=["cost"])

    @router.get("/prices", response_model=One[Prices], summary="The user's prices in force")
    def in_force() -> Response:
        """`settings` can be changed and put back, with `version` against changes meanwhile."""
        own = None if priced is None else priced.prices_version()
        return whole(_newest(reads) | {"price_list": data_version(), "collector_version": own})

    @router.get(
        "/prices/history",
        response_model=Page[PricesVersion],
        summary="All versions, newest first",
    )
    def versions(filters: Annotated[Paged, Query()]) -> Response:
        return history(reads, "price_versions", filters)

    @router.get("/models", response_model=One[ModelPrice], summary="What a model costs on a day")
    def model(filters: Annotated[ModelFilter, Query()]) -> Response:
        """By the user's prices in force, and the list where they say nothing."""
        pricing = Pricing(PriceTable.parse(_newest(reads)["settings"]))
        return whole(price_of(pricing, filters.provider, filters.model, filters.day))

    if priced is not None:
        _take_changes(router, reads, priced)
    return router


def _take_changes(router: APIRouter, reads: Reads, priced: Priced) -> None:
    @router.put(
        "/prices",
        response_model=One[PricesVersion],
        responses=FAILURES,
        openapi_extra={
            "requestBody": {"required": True, "content": {"application/json": {"schema": _BODY}}}
        },
        summary="Put other prices in force, for every collector",
    )
    async def put(request: Request) -> Response:
        """Answers the version in force: a new one, or that which has the same prices already."""
        body = await json_object(request)
        return await run_in_threadpool(_put, reads, priced, body)


def _put(reads: Reads, priced: Priced, body: dict[str, Any]) -> Response:
    """On a thread: it asks the database."""
    change = taken_out(body)
    table = PriceTable.parse(body)
    version = priced.put_prices(table, change.changed_by, change.reason, change.version)
    return only(reads.json_rows("price_version", version=version), "version", str(version))


def _newest(reads: Reads) -> dict[str, Any]:
    rows = reads.json_rows("price_version", version=None)
    found: dict[str, Any] = NONE_MADE | {"settings": PriceTable.parse({}).as_json()}
    return json.loads(rows[0]) if rows else found


def price_of(
    pricing: Pricing, provider: str | None, model: str, day: dt.date | None
) -> dict[str, Any]:
    """Which price a call at noon of a day (today) has, as `ModelPrice` describes it."""
    day = day or dt.datetime.now(dt.UTC).date()
    at = dt.datetime.combine(day, dt.time(12), dt.UTC)
    source = pricing.source(CallNames(provider, (model,)), at)
    return {
        "model": model,
        "provider": provider,
        "at": f"{at.isoformat(timespec='seconds')[:19]}.000000000Z",
        "is_priced": source is not None,
        "price_of": None if source is None else _named(source),
        "from_table": source is not None and bool(source.table_entry),
        "steps": [] if source is None else _steps(source),
    }


def _named(source: Source) -> str:
    return source.table_entry or f"{source.provider}/{source.model}"


def _steps(source: Source) -> list[dict[str, Any]]:
    steps = ((0, source.rate.base), *source.rate.steps)
    return [{"prompt_tokens_above": start, **_usd(price)} for start, price in steps]


def _usd(price: Price) -> dict[str, float]:
    names = ("input", "output", "cache_read", "cache_write", "reasoning", "request")
    return {f"{name}_usd": getattr(price, f"{name}_usd") for name in names}
