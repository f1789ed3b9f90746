"""Sampling: the rules in force and how to change them, and what they saw and kept.

The rules are the database's: whichever collector is told, all follow within seconds, each from one
window to the next. What is stored already keeps the probability that it was stored with.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Protocol

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from crucible_collector.api.answer import listed, only, whole
from crucible_collector.api.bodies import json_object
from crucible_collector.api.models import One, Page
from crucible_collector.api.paging import (
    Cursor,
    Key,
    decode_cursor,
    time_and_rest,
)
from crucible_collector.api.parameters import Paged, Period, Text
from crucible_collector.api.sampling import Sampling, SamplingCount, SamplingVersion
from crucible_collector.api.versions import BESIDE, FAILURES, NONE_MADE, history, taken_out
from crucible_collector.sample.rules import Rules
from crucible_collector.sample.rulings import RuleUse
from crucible_collector.store.read import Reads

_WIDTHS = {"1m": timedelta(minutes=1), "1h": timedelta(hours=1), "1d": timedelta(days=1)}
_EPOCH = datetime.fromtimestamp(0, UTC)
_LEDGER_KEY = ("time", "rule", "signal", "stratum")


class LedgerFilter(Paged, Period):
    interval: Literal["1m", "1h", "1d", "none"] = Field(
        "none",
        description="A row for each minute, hour or day of receipt (UTC), or one for all of the period.",
    )
    rule: Text | None = Field(None, description="Name of a rule.")
    signal: Literal["spans", "log_records"] | None = Field(
        None, description="Spans or log records."
    )


# The body is read as it comes, so its description is written by hand.
_BODY: dict[str, Any] = {
    "type": "object",
    "properties": {
        "decision_wait_s": {"type": "number", "default": 10},
        "rules": {
            "type": "array",
            "items": {"type": "object"},
            "description": "As [[sampling.rules]] of a settings file; the first that fits decides, "
            "and what none fits is kept.",
        },
        **BESIDE,
    },
    "examples": [
        {
            "rules": [{"name": "afford", "strategy": "importance", "budget_per_s": 200}],
            "changed_by": "ada",
            "reason": "the disk fills up",
        }
    ],
}


class Samples(Protocol):
    """What the service tells about its sampling, and takes."""

    def sampling_version(self) -> int:
        """Of the rules that this collector works by; 0: nobody ever made any."""
        ...

    def sampling_use(self) -> Sequence[RuleUse]:
        """How each rule is doing here."""
        ...

    def forgotten_trace_count(self) -> int:
        """Traces that were forgotten here so that memory stays within bounds."""
        ...

    def put_sampling(self, rules: Rules, changed_by: str, reason: str, follows: int | None) -> int:
        """Put rules in force and return their version; ChangedMeanwhileError, DatabaseAwayError."""
        ...


def sampling_router(reads: Reads, samples: Samples | None) -> APIRouter:
    router = APIRouter(prefix="/sampling", tags=["sampling"])

    @router.get("", response_model=One[Sampling], summary="The rules in force, and how they do")
    def in_force() -> Response:
        """`settings` can be changed and put back, with `version` against changes meanwhile."""
        rows = reads.json_rows("sampling_version", version=None)
        found: dict[str, Any] = NONE_MADE | {"settings": Rules.parse({}).as_json()}
        if rows:
            found = json.loads(rows[0])
        told = None if samples is None else _told(samples, found["settings"])
        return whole(found | {"collector": told})

    @router.get(
        "/history", response_model=Page[SamplingVersion], summary="All versions, newest first"
    )
    def versions(filters: Annotated[Paged, Query()]) -> Response:
        return history(reads, "sampling_versions", filters)

    @router.get(
        "/ledger",
        response_model=Page[SamplingCount],
        summary="What each rule saw and kept, exactly, by stratum and time",
    )
    def ledger(filters: Annotated[LedgerFilter, Query()]) -> Response:
        """By receipt, where other answers go by the records' own times; also where nothing was kept.

        After a week minutes are kept as their hour, after 90 days as their day: a period that begins
        within one leaves it out.
        """
        cursor = decode_cursor(filters.cursor, *_LEDGER_KEY)
        rows = reads.json_rows(
            "sampling_ledger",
            width=_WIDTHS.get(filters.interval),
            rule=filters.rule,
            signal=filters.signal,
            from_time=filters.from_time,
            to_time=filters.to_time,
            **_after_count(cursor),
            limit=filters.limit + 1,
        )
        return listed(rows, filters.limit, _count_key, cursor)

    if samples is not None:
        _take_changes(router, reads, samples)
    return router


def _take_changes(router: APIRouter, reads: Reads, samples: Samples) -> None:
    @router.put(
        "",
        response_model=One[SamplingVersion],
        responses=FAILURES,
        openapi_extra={
            "requestBody": {"required": True, "content": {"application/json": {"schema": _BODY}}}
        },
        summary="Put other rules in force, for every collector",
    )
    async def put(request: Request) -> Response:
        """Answers the version in force: a new one, or that which has the same rules already."""
        body = await json_object(request)
        return await run_in_threadpool(_put, reads, samples, body)


def _told(samples: Samples, settings: dict[str, Any]) -> dict[str, Any]:
    """What this collector says of its rules."""
    strategies = {rule["name"]: rule["strategy"] for rule in settings["rules"]}
    return {
        "version": samples.sampling_version(),
        "forgotten_trace_count": samples.forgotten_trace_count(),
        "rules": [
            {
                "rule": each.rule,
                "signal": each.signal.label,
                "strategy": strategies.get(each.rule),
                "seen_count": each.seen_count,
                "kept_count": each.kept_count,
                "kept_share": each.kept_count / each.seen_count if each.seen_count else None,
                "weight_mean": each.weight_mean if each.kept_count else None,
                "budget_per_s": each.use.budget_per_s,
                "spent_per_s": each.use.spent_per_s,
                "stratum_count": each.use.stratum_count,
                "evicted_count": each.use.evicted_count,
            }
            for each in samples.sampling_use()
        ],
    }


def _put(reads: Reads, samples: Samples, body: dict[str, Any]) -> Response:
    """On a thread: it asks the database."""
    change = taken_out(body)
    rules = Rules.parse(body)
    version = samples.put_sampling(rules, change.changed_by, change.reason, change.version)
    rows = reads.json_rows("sampling_version", version=version)
    return only(rows, "version", str(version))


def _count_key(row: dict[str, Any]) -> Key:
    """One row a key; without a time where all of the period is one row."""
    return (row["time"] or "", row["rule"], row["signal"], row["stratum"])


def _after_count(cursor: Cursor | None) -> dict[str, Any]:
    time, rule, signal, stratum = cursor.key if cursor else ("", None, None, None)
    return {
        "last_time": time_and_rest(time)[0] if time else _EPOCH,
        "last_rule": rule,
        "last_signal": signal,
        "last_stratum": stratum,
        "skip": cursor.skip if cursor else 0,
    }
