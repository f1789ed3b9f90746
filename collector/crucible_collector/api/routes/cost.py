"""What calls of language models cost, by whom, by what and when; and those that nobody has a price for.

Answered from the roll-ups, as aggregates of events are.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from crucible_collector.api.answer import compact, listed
from crucible_collector.api.cost import Cost, CostFilter, UnpricedFilter
from crucible_collector.api.costs import is_sampled, told
from crucible_collector.api.in_force import Asked
from crucible_collector.api.models import Page
from crucible_collector.api.paging import Cursor, Key, decode_cursor, time_and_rest
from crucible_collector.api.places import after_group
from crucible_collector.store.pieces import cut, rimmed
from crucible_collector.store.read import Reads
from crucible_collector.store.rollups.family import DAY, HOUR, MINUTE, Level

_WIDTHS = {"1h": timedelta(hours=1), "1d": timedelta(days=1)}
_LEVELS: dict[str, tuple[Level, ...]] = {
    "1h": (HOUR, MINUTE),
    "1d": (DAY, HOUR, MINUTE),
    "none": (DAY, HOUR, MINUTE),
}
_KEY = ("time", "experiment_id", "run_id", "condition", "event_name", "model")
_GROUPS = ("experiment", "run", "condition", "event", "model")
# Providers are put together of models, all of which have to be there.
_MODELS_MAX = 10_000


def cost_router(reads: Reads) -> APIRouter:
    router = APIRouter(prefix="/cost", tags=["cost"])

    @router.get("", response_model=Page[Cost], summary="What calls of language models cost")
    def cost(filters: Annotated[CostFilter, Query()]) -> Response:
        """Estimates with 95 % intervals where calls were sampled; rows are in order of time and of groups.

        By provider all rows are in one answer.
        """
        return _answer(reads, filters, unpriced=False)

    @router.get("/unpriced", response_model=Page[Cost], summary="Models that no price is known for")
    def unpriced(filters: Annotated[UnpricedFilter, Query()]) -> Response:
        """By model, the calls that have no cost, and their tokens: `PUT /cost/prices` gives them one."""
        asked = filters.model_dump(by_alias=True)
        return _answer(reads, CostFilter(**asked, group_by=["model"]), unpriced=True)

    return router


def _answer(reads: Reads, filters: CostFilter, *, unpriced: bool) -> Response:
    by_provider = "provider" in filters.group_by
    cursor = None if by_provider else decode_cursor(filters.cursor, "group")
    limit = _MODELS_MAX if by_provider else filters.limit
    rows = _rows(reads, filters, cursor, limit, unpriced=unpriced)
    known = {name: getattr(filters, name) for name in ("event", "experiment", "model")}
    asked = Asked(
        filters.from_time,
        filters.to_time,
        {name: value for name, value in known.items() if value is not None},
        [each for each in filters.group_by if each in ("event", "experiment", "model")],
    )
    by_model = "model" in filters.group_by
    made = told(reads, rows, asked, by_provider=by_provider, by_model=by_model)
    return listed([compact(each) for each in made], limit, _key, cursor)


def _rows(
    reads: Reads, filters: CostFilter, cursor: Cursor | None, limit: int, *, unpriced: bool
) -> list[str]:
    after = after_group(cursor)
    start = filters.from_time
    if after["last_key"] and after["last_key"][0]:
        time, _ = time_and_rest(after["last_key"][0])
        start = time if start is None else max(start, time)
    sums = cut(start, filters.to_time, _LEVELS[filters.interval])
    if not sums:
        return []
    groups = {*filters.group_by, *(("model",) if "provider" in filters.group_by else ())}
    asked: dict[str, Any] = {
        "width": _WIDTHS.get(filters.interval),
        **{f"by_{group}": group in groups for group in _GROUPS},
        **{name: getattr(filters, name) for name in ("experiment", "run", "event", "model")},
        "condition": filters.condition,
        "with_runs": "condition" in groups or filters.condition is not None,
        "story": None,
        "status": None,
        "unpriced": unpriced,
        **after,
        "limit": limit + 1,
    }
    ask: Callable[..., list[str]] = reads.json_rows
    rows = ask("cost", sums=sums, **asked)
    if any(map(is_sampled, rows)) and rimmed(sums, MINUTE) != sums:
        rows = ask("cost", sums=rimmed(sums, MINUTE), **asked)
    return rows


def _key(row: dict[str, Any]) -> Key:
    return (json.dumps([row[name] for name in _KEY], separators=(",", ":")),)
