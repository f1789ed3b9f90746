"""Sums of costs on their way to a reader: intervals of what was sampled, and models put to their providers.

PostgreSQL gives of each sum what was kept, what stands for the rest, its variance and its largest, which
can be added up over groups; what they mean is in `intervals`, and `in_force` knows of calls of which
nothing was kept.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from crucible_collector.api.in_force import Asked, InForce, in_force
from crucible_collector.api.intervals import (
    LARGER,
    TRACES_MIN,
    Interval,
    Part,
    interval_of_ratio,
    interval_of_sum,
    one_more,
)
from crucible_collector.cost import price_list
from crucible_collector.store.read import Reads

Row = dict[str, Any]
_PARTS = ("cost_usd", "input_tokens", "output_tokens", "calls")
_NAMES = ("time", "experiment_id", "run_id", "condition", "event_name", "model", "provider")
_ADDED = ("call_count", "unpriced_call_count", "unpriced_tokens", "trace_count")
_DIGITS = 12


def told(
    reads: Reads, rows: Iterable[str], asked: Asked, *, by_provider: bool, by_model: bool
) -> list[Row]:
    """The rows as a reader gets them; by provider those of one are added up, unless it is by model, too."""
    found: list[Row] = [{**json.loads(row), "provider": None} for row in rows]
    if by_provider:
        found = _by_provider(found, keeps_model=by_model)
    force = in_force(reads, asked) if found else InForce()
    return [_row(each, force, asked) for each in found]


def is_sampled(row: str) -> bool:
    """Whether any of the row's calls had an inclusion probability below 1."""
    return bool(json.loads(row)["probability_min"] < 1)


def _by_provider(rows: list[Row], *, keeps_model: bool) -> list[Row]:
    groups: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        listed = price_list.find(None, row["model"]) if row["model"] else None
        row["provider"] = None if listed is None else listed.provider.id
        if not keeps_model:
            row["model"] = None
        key = tuple(row[name] for name in _NAMES)
        groups[key] = row if key not in groups else _added(groups[key], row)
    return list(groups.values())


def _added(one: Row, other: Row) -> Row:
    made = {**one, **{name: one[name] + other[name] for name in _ADDED}}
    made["is_all_calls"] = one["is_all_calls"] and other["is_all_calls"]
    made["probability_min"] = min(one["probability_min"], other["probability_min"])
    for name in _PARTS:
        parts = [part for part in (one[name], other[name]) if part is not None]
        made[name] = None
        if parts:
            *sums, largest = zip(*parts, strict=True)
            made[name] = [*map(sum, sums), max(largest)]
    return made


def _row(row: Row, force: InForce, asked: Asked) -> Row:
    thinning = force.on(asked.known_of(row))
    least: float = row["probability_min"]
    is_certain = least >= 1
    if thinning is not None:
        least = min(least, thinning.least(None))
    traces_max = 1 if thinning is None else thinning.trace_count_max
    is_reliable = least >= 1 or row["trace_count"] >= TRACES_MIN
    intervals: dict[str, tuple[float, Interval]] = {}
    for name in _PARTS:
        if row[name] is None:
            continue
        kept, unseen, variance, largest = row[name]
        more = max(traces_max, 1.0 if name == "calls" else LARGER)
        part = Part(kept, unseen, 0.0 if is_certain else variance, largest * more)
        found = Interval(part.estimate, part.estimate)
        if least < 1:
            found = interval_of_sum(part, one_more(part, least, is_reliable=is_reliable))
        intervals[name] = part.estimate, found
    made: Row = {name: row[name] for name in _NAMES}
    made |= _costs(row, intervals, 0.0 if is_certain else _variance(row))
    for name in ("input_tokens", "output_tokens"):
        estimate, interval = intervals[name]
        made |= {name: _number(estimate), f"{name}_interval": _ends(interval)}
    for name in ("call_count", "unpriced_call_count", "unpriced_tokens"):
        made[name] = _number(row[name])
    return {**made, "estimated": least < 1, "interval_reliable": is_reliable}


def _variance(row: Row) -> float:
    return 0.0 if row["cost_usd"] is None else float(row["cost_usd"][2])


def _costs(row: Row, intervals: Mapping[str, tuple[float, Interval]], variance: float) -> Row:
    made: Row = dict.fromkeys(
        ("cost_usd", "cost_usd_interval", "cost_per_1k_calls_usd", "cost_per_1m_calls_usd")
    )
    made |= {"cost_per_1k_calls_usd_interval": None, "cost_usd_standard_error": 0.0}
    priced: float = row["call_count"] - row["unpriced_call_count"]
    if "cost_usd" not in intervals:
        return made
    cost, interval = intervals["cost_usd"]
    made["cost_usd"], made["cost_usd_interval"] = _number(cost), _ends(interval)
    made["cost_usd_standard_error"] = _number(math.sqrt(variance))
    if priced <= 0:
        return made
    made["cost_per_1k_calls_usd"] = _number(1e3 * cost / priced)
    made["cost_per_1m_calls_usd"] = _number(1e6 * cost / priced)
    ratio = None
    if interval.low == interval.high:
        ratio = Interval(cost / priced, cost / priced)
    elif row["is_all_calls"] and not row["unpriced_call_count"]:
        ratio = interval_of_ratio((cost, interval), intervals["calls"])
    if ratio is not None:
        made["cost_per_1k_calls_usd_interval"] = _ends(ratio.scaled(1e3))
    return made


def _ends(interval: Interval) -> list[float | None]:
    return [_number(end) if math.isfinite(end) else None for end in (interval.low, interval.high)]


def _number(value: float) -> float:
    rounded = float(f"{value:.{_DIGITS}g}")
    return int(rounded) if rounded.is_integer() else rounded
