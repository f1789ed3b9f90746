"""What answers to `/aggregate` look like, and how they are written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pydantic import Field

from crucible_collector.api.intervals import Interval
from crucible_collector.api.models import Meta, Model, Time
from crucible_collector.api.numbers import Group, Told
from crucible_collector.api.questions import fraction_of

_DIGITS = 12  # as crucible.significant
_COUNTED = ("count", "errors")
# Of which roll-ups do not say how many events told it.
_TOLD_BY_SOME = ("cost", "input_tokens", "output_tokens")


class Aggregated(Model):
    """One group. Estimates where events were sampled: each that is stored is weighted by 1/p."""

    time: Time | None = Field(
        description="Start of the interval (UTC); null: all of the period in one row."
    )
    group: dict[str, str | None] = Field(
        description="What `group_by` names, each with its value; null: of none.",
        examples=[{"condition": "lr=1e-3"}],
    )
    values: dict[str, float | None] = Field(
        description="What `agg` names. Of durations milliseconds, of costs US dollars. Percentiles are numbers "
        "that occur; those of durations that roll-ups answer within 1 %. Null where no number is stored.",
        examples=[{"avg": 0.25, "p95": 0.75}],
    )
    intervals: dict[str, tuple[float | None, float | None] | None] = Field(
        description="Of each value the 95 % interval of what sampling leaves open; of no width where all was kept. "
        "An end that is null: nothing that was kept bounds it. No interval of min and max: they are observed.",
        examples=[{"avg": [0.25, 0.25], "p95": [0.75, 0.75]}],
    )
    stored_count: int | None = Field(
        description="Numbers that are or were in the database; null where roll-ups do not tell."
    )
    non_finite_count: int = Field(
        description="NaN, infinities and what is beyond 1e100, not in the rest."
    )
    estimated: bool = Field(
        description="Whether any was sampled, or others may have been of which nothing is left."
    )
    interval_reliable: bool = Field(
        description="False where fewer than 30 traces that were sampled tell how far off it may be."
    )


class AggregatedMeta(Meta):
    """Where a list stands, and what it is about."""

    metric: str
    source: str = Field(
        description="events: numbers that events carry; points: those of series.",
        examples=["events", "points"],
    )


class AggregatedPage(Model):
    data: list[Aggregated]
    meta: AggregatedMeta


def told_row(
    group: Group,
    told: Told,
    metric: str,
    aggregations: Sequence[str],
    group_by: Sequence[str],
    *,
    is_rolled: bool,
) -> dict[str, Any]:
    """One row as it is given to a reader."""
    names = {name: "count" if metric in _COUNTED else name for name in aggregations}
    asked = [(name, plain, fraction_of(plain)) for name, plain in names.items()]
    is_unknown = is_rolled and metric in _TOLD_BY_SOME
    return {
        "time": group.key[0],
        "group": dict(zip(group_by, group.key[1:], strict=False)),
        "values": {name: written(told.value(plain, part)) for name, plain, part in asked},
        "intervals": {name: given(told.interval(plain, part)) for name, plain, part in asked},
        "stored_count": None if is_unknown else group.stored_count,
        "non_finite_count": group.non_finite_count,
        "estimated": told.is_estimated,
        "interval_reliable": told.is_reliable,
    }


def given(interval: Interval | None) -> list[float | None] | None:
    """Both ends; null where nothing bounds it."""
    return None if interval is None else [written(interval.low), written(interval.high)]


def written(number: float | None) -> float | None:
    """To twelve significant digits, whole numbers without a point; null for what is not finite."""
    if number is None or not math.isfinite(number):
        return None
    rounded = float(f"{number:.{_DIGITS}g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded
