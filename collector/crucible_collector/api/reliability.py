"""How reliable something is: the share of requests that succeed, how sure that is, and what is promised of it.

A request is an event that has an outcome (see the query `outcomes`). Requests are taken as draws from what goes
on: the share's interval is Wilson's (1927), which holds near 1, of n_e = q(1 - q)/V requests, V the variance of a
weighted mean, sum of w²(x - m)² / (sum of w)²; where all or none failed n_e is Kish's. So it has a width where
nothing was sampled, too: 120 requests without a failure do not show that one in a thousand fails.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from crucible_collector.api.aggregated import given, written
from crucible_collector.api.in_force import Thinning
from crucible_collector.api.intervals import TRACES_MIN, Interval, Z
from crucible_collector.api.models import Model, Time
from crucible_collector.api.parameters import Paged, Period, Text
from crucible_collector.api.questions import Interval as Width
from crucible_collector.api.questions import as_list

TARGETS = (0.99, 0.999, 0.9999)
GROUPS = ("experiment", "run", "condition", "event", "model")


class ReliabilityFilter(Paged, Period):
    experiment: Text | None = Field(None, description="Experiment id, as the events name it.")
    run: Text | None = Field(None, description="Run id.")
    event: Text | None = Field(
        None, description="Event name.", examples=["crucible_deployment.inference.stop"]
    )
    model: Text | None = Field(None, description="Model that was asked or that answered.")
    count_unset: bool = Field(
        False,
        description="Whether events without a status succeeded, as instrumentations mean it that set one only "
        "on errors. Without it only such count that end what was begun (….stop, ….exception).",
    )
    interval: Width = Field(
        "none", description="A row for each such stretch (UTC), or one for all of the period."
    )
    group_by: Annotated[
        list[Literal["experiment", "run", "condition", "event", "model"]], BeforeValidator(as_list)
    ] = Field(
        [],
        max_length=4,
        description="A row for each of these, too; the condition is that of the run.",
    )


class Promise(Model):
    """Whether a share of successes that was promised is kept."""

    target: float = Field(examples=[0.999])
    verdict: Literal["met", "missed", "cannot be told"] = Field(
        description="met: the whole interval is at or above the target; missed: all of it is below."
    )
    explanation: str = Field(
        examples=["cannot be told with 120 requests: 3,838 without a failure would show it"]
    )
    failed_count_max: float = Field(description="Failures that the target allows of so many.")
    failed_count_left: float = Field(
        description="Of these, those that are left; negative: too many."
    )
    error_budget_left: float | None = Field(
        description="failed_count_left by failed_count_max: 1: nothing used up; below 0: overdrawn."
    )


class Reliability(Model):
    """Of the requests of one group; estimates where they were sampled."""

    time: Time | None = Field(
        description="Start of the interval (UTC); null: all of the period in one row."
    )
    group: dict[str, str | None] = Field(examples=[{"model": "large"}])
    request_count: float = Field(description="Events that have an outcome.")
    succeeded_count: float
    failed_count: float = Field(description="Of request_count, with status error.")
    stored_count: int = Field(description="Requests that are or were in the database.")
    success_rate: float | None = Field(description="From 0 to 1; null where there was no request.")
    failure_rate: float | None
    success_rate_interval: tuple[float | None, float | None] | None = Field(
        description="95 % (Wilson) of how reliable it is, of which the requests are a sample."
    )
    effective_count: float = Field(
        description="Of how many requests that were all kept the share would be as sure."
    )
    sla: list[Promise]
    estimated: bool = Field(
        description="Whether any was sampled, or others may have been of which nothing is left."
    )
    interval_reliable: bool = Field(
        description="False where fewer than 30 traces that were sampled tell how far off it may be."
    )


def wilson(share: float, count: float) -> Interval:
    """95 % interval of a share that was seen of so many draws.

    >>> found = wilson(0.9, 10)
    >>> round(found.low, 3), round(found.high, 3)
    (0.596, 0.982)
    """
    if count <= 0:
        return Interval(0.0, 1.0)
    square = Z * Z / count
    centre = (share + square / 2) / (1 + square)
    half = Z / (1 + square) * math.sqrt(share * (1 - share) / count + square / (4 * count))
    return Interval(
        0.0 if share == 0 else max(centre - half, 0.0),
        1.0 if share == 1 else min(centre + half, 1.0),
    )


def count_to_show(target: float) -> int:
    """How many requests without any failure show that a target is met.

    >>> count_to_show(0.99), count_to_show(0.999)
    (381, 3838)
    """
    return math.ceil(round(Z * Z * target / (1 - target), 6))


def effective_count(row: Mapping[str, Any]) -> float:
    """Of how many requests of equal weight the share of failures would be as sure."""
    count, failed = row["count"], row["failed_count"]
    squares_failed = row["failed_variance"] + failed
    squares_succeeded = row["succeeded_variance"] + count - failed
    share = failed / count
    if 0 < share < 1:
        variance = (share**2 * squares_succeeded + (1 - share) ** 2 * squares_failed) / count**2
        return float(share * (1 - share) / variance)
    return float(count**2 / (squares_failed + squares_succeeded))


def reliability(
    row: Mapping[str, Any], group_by: Sequence[str], force: Thinning | None
) -> dict[str, Any]:
    """A row as it is given to a reader, of what the query `outcomes` found."""
    count, failed = row["count"], row["failed_count"]
    in_force = 1.0 if force is None else force.least(None)
    is_estimated = min(row["probability_min"], in_force) < 1
    effective = effective_count(row)
    if row["probability_min"] >= 1:
        effective *= in_force  # others may have been dropped, of which nothing is left
    interval = wilson(1 - failed / count, effective)
    rate = 1 - failed / count
    return {
        "time": row["key"][0],
        "group": dict(zip(group_by, row["key"][1:], strict=False)),
        "request_count": written(count),
        "succeeded_count": written(count - failed),
        "failed_count": written(failed),
        "stored_count": row["stored_count"],
        "success_rate": written(rate),
        "failure_rate": written(failed / count),
        "success_rate_interval": given(interval),
        "effective_count": written(effective),
        "sla": [promise(target, count, failed, interval, effective) for target in TARGETS],
        "estimated": is_estimated,
        "interval_reliable": not is_estimated or row["trace_count"] >= TRACES_MIN,
    }


def promise(
    target: float, count: float, failed: float, interval: Interval, effective: float
) -> dict[str, Any]:
    """Whether a target is met, by the interval and never by the share alone."""
    allowed = count * (1 - target)
    number = f"{effective:,.0f} requests"
    if interval.low >= target:
        verdict, explanation = "met", f"met, as {number} show"
    elif interval.high < target:
        verdict, explanation = "missed", f"missed, as {number} show"
    else:
        verdict = "cannot be told"
        explanation = f"cannot be told with {number}"
        if failed == 0:
            explanation += f": {count_to_show(target):,} without a failure would show it"
    return {
        "target": target,
        "verdict": verdict,
        "explanation": explanation,
        "failed_count_max": written(allowed),
        "failed_count_left": written(allowed - failed),
        "error_budget_left": written(1 - failed / allowed) if allowed else None,
    }
