"""What some events are like, all of it at once: how many, how many failed, how long, how dear.

Up to `ROWS_MAX` stored events are read as they are, and all is exact but for sampling. Of more the roll-ups tell:
percentiles within 1 %, the standard deviation by buckets of durations with the largest error that this can make,
and of costs and tokens the totals alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import Field

from crucible_collector.api.aggregated import given, written
from crucible_collector.api.aggregates import Interval
from crucible_collector.api.asking import Question, told_groups
from crucible_collector.api.intervals import Spread
from crucible_collector.api.models import Model
from crucible_collector.api.numbers import Group, Told
from crucible_collector.api.questions import Chosen, fraction_of
from crucible_collector.store.read import Reads

# Five questions read each row once: a second for all of them on two cores.
ROWS_MAX = 200_000
# Beyond so many a list of names helps no index.
_EVENTS_MAX = 100
# What stands for a bucket of durations is within 1 % of each in it, so each is within this of what stands for it.
_BUCKET_ERROR = 0.01 / 0.99
_PERCENTILES = {
    "median": "p50",
    "p90": "p90",
    "p95": "p95",
    "p99": "p99",
    "p99_9": "p99.9",
}
_LYING = {"mean": "avg", "std": "std", "min": "min", "max": "max", **_PERCENTILES}
_AMOUNTS = {"cost_usd": "cost", "input_tokens": "input_tokens", "output_tokens": "output_tokens"}
_NOTHING = Group((None,), 0)
Key = tuple[str | None, ...]
Found = dict[Key, tuple[Group, Told]]


class Lying(Model):
    """How numbers lie. Estimates where they were sampled; intervals are of what that leaves open (95 %)."""

    count: float = Field(description="Numbers.")
    mean: float | None
    mean_interval: Interval | None
    std: float | None = Field(description="Standard deviation (sample, n - 1).")
    std_error_max: float | None = Field(
        description="How far off it may be as buckets of durations tell it; 0 where the numbers themselves do."
    )
    min: float | None = Field(description="Of those that were kept.")
    max: float | None = Field(description="Of those that were kept.")
    median: float | None
    median_interval: Interval | None
    p90: float | None
    p90_interval: Interval | None
    p95: float | None
    p95_interval: Interval | None
    p99: float | None
    p99_interval: Interval | None
    p99_9: float | None
    p99_9_interval: Interval | None


class Amount(Model):
    """What was told by the events that told it."""

    total: float | None = Field(description="Null where none told.")
    total_interval: Interval | None
    count: float | None = Field(
        description="Events that told it; null, as mean and median, where not all are read."
    )
    mean: float | None = Field(description="Of an event that told it.")
    median: float | None


class Described(Model):
    """What some events are like. Estimates where they were sampled."""

    count: float = Field(description="Events.")
    count_interval: Interval
    stored_count: int = Field(description="Events that are or were in the database.")
    error_count: float = Field(description="Of count, with status error.")
    error_count_interval: Interval | None
    error_rate: float | None = Field(description="From 0 to 1; null where there is no event.")
    error_rate_interval: Interval | None
    latency_ms: Lying = Field(description="Durations, in milliseconds.")
    cost_usd: Amount = Field(description="US dollars.")
    cost_per_1k_usd: float | None = Field(
        description="US dollars of a thousand events that told a cost."
    )
    cost_per_1m_usd: float | None = Field(
        description="US dollars of a million events that told a cost."
    )
    input_tokens: Amount = Field(description="Tokens in prompts.")
    output_tokens: Amount = Field(description="Tokens in answers.")
    estimated: bool = Field(
        description="Whether any was sampled, or others may have been of which nothing is left."
    )
    interval_reliable: bool = Field(
        description="False where fewer than 30 traces that were sampled tell how far off it may be."
    )
    is_read_whole: bool = Field(
        description=f"Whether all stored events were read; of more than {ROWS_MAX:,} roll-ups tell."
    )


def described(
    reads: Reads,
    chosen: Chosen,
    period: tuple[datetime | None, datetime | None],
    group_by: Sequence[str] = (),
) -> dict[Key, dict[str, Any]]:
    """As `Described` has it, by group; more stored events than `ROWS_MAX` cannot be grouped: {} then."""
    by_event = _by(reads, Question("count", ("count",), chosen, None, ("event",), "none", *period))
    stored_count = sum(group.stored_count for group, _ in by_event.values())
    is_whole = stored_count <= ROWS_MAX
    if group_by and not is_whole:
        return {}
    events = [key[0] for key in by_event if key[0] is not None]
    if not chosen.event and is_whole and 0 < len(events) == len(by_event) <= _EVENTS_MAX:
        chosen = chosen.model_copy(update={"event": events})

    def ask(metric: str, aggregations: Iterable[str]) -> Found:
        question = Question(metric, tuple(aggregations), chosen, None, group_by, "none", *period)
        found = _by(reads, replace(question, is_read=is_whole))
        # One row is given of nothing, too.
        return found if group_by else {(): (_NOTHING, Told(_NOTHING)), **found}

    lying = _LYING.values() if is_whole else [each for each in _LYING.values() if each != "std"]
    durations, shares = ask("duration", ["count", *lying]), ask("error_rate", ["avg"])
    told_by = ["sum", "count", "avg", "p50"] if is_whole else ["sum"]
    amounts = {name: ask(metric, told_by) for name, metric in _AMOUNTS.items()}
    return {
        key: _described(
            found,
            shares[key],
            {name: each.get(key) for name, each in amounts.items()},
            is_whole=is_whole,
        )
        for key, found in durations.items()
    }


def lying_of(
    reads: Reads,
    attribute: str,
    chosen: Chosen,
    period: tuple[datetime | None, datetime | None],
) -> dict[str, Any] | None:
    """How a number lies that events carry, as `Lying` has it; None where none does."""
    aggregations = ("count", *_LYING.values())
    question = Question("attribute", aggregations, chosen, attribute, (), "none", *period)
    found = [(group, told) for group, told in told_groups(reads, question) if group.stored_count]
    return _lying(*found[0], is_whole=True) if found else None


def _by(reads: Reads, question: Question) -> Found:
    width = len(question.group_by)
    return {each[0].key[1 : 1 + width]: each for each in told_groups(reads, question)}


def _described(
    durations: tuple[Group, Told],
    shares: tuple[Group, Told],
    amounts: Mapping[str, tuple[Group, Told] | None],
    *,
    is_whole: bool,
) -> dict[str, Any]:
    group, told = durations
    errors, told_errors = shares
    cost = amounts["cost_usd"]
    has_cost = is_whole and cost is not None and cost[0].stored_count > 0
    each_usd = cost[0].mean if cost is not None and has_cost else None
    return {
        "count": written(group.count),
        "count_interval": given(told.interval("count", None)),
        "stored_count": group.stored_count,
        "error_count": written(errors.sum),
        "error_count_interval": given(told_errors.interval("sum", None)),
        "error_rate": written(errors.mean),
        "error_rate_interval": given(told_errors.interval("avg", None)),
        "latency_ms": _lying(group, told, is_whole=is_whole),
        **{name: _amount(each, is_whole=is_whole) for name, each in amounts.items()},
        "cost_per_1k_usd": None if each_usd is None else written(each_usd * 1e3),
        "cost_per_1m_usd": None if each_usd is None else written(each_usd * 1e6),
        "estimated": told.is_estimated,
        "interval_reliable": told.is_reliable,
        "is_read_whole": is_whole,
    }


def _lying(group: Group, told: Told, *, is_whole: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"count": written(group.count)}
    for name, aggregation in _LYING.items():
        if aggregation == "std":
            continue
        fraction = fraction_of(aggregation)
        found[name] = written(told.value(aggregation, fraction))
        if aggregation not in ("min", "max"):
            found[f"{name}_interval"] = given(told.interval(aggregation, fraction))
    std, error = (group.std, 0.0) if is_whole else std_of_buckets(told.spread)
    found["std"] = written(std)
    found["std_error_max"] = None if std is None else written(error)
    return found


def std_of_buckets(spread: Spread | None) -> tuple[float | None, float]:
    """The standard deviation by what stands for buckets of durations, and how far off it may be at most.

    Each duration is within `_BUCKET_ERROR` of what stands for it, so deviations are off by no more than that of
    the root mean square of what stands for them (Minkowski).
    """
    if spread is None or spread.count.sum() <= 1:
        return None, 0.0
    count = float(spread.count.sum())
    mean = float((spread.count * spread.duration_ms).sum()) / count
    square = float((spread.count * (spread.duration_ms - mean) ** 2).sum())
    whole = square + count * mean**2
    return math.sqrt(square / (count - 1)), _BUCKET_ERROR * math.sqrt(whole / (count - 1))


def _amount(found: tuple[Group, Told] | None, *, is_whole: bool) -> dict[str, Any]:
    if found is None or found[0].largest is None:
        none = 0 if is_whole else None
        return {"total": None, "total_interval": None, "count": none, "mean": None, "median": None}
    group, told = found
    return {
        "total": written(group.sum),
        "total_interval": given(told.interval("sum", None)),
        "count": written(group.count) if is_whole else None,
        "mean": written(group.mean) if is_whole else None,
        "median": written(told.value("p50", 0.5)) if is_whole else None,
    }
