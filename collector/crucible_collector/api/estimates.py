"""Aggregates of events that were sampled: what PostgreSQL leaves open in their rows is filled in here.

A row of events that were all kept is text that passes through, its intervals written by PostgreSQL
(their ends are the number itself). In a row that is sampled `estimated` holds what its sums are made
of; only such rows become Python, and only for them the sampling ledger is asked.

Variances are exact for all spans of whole traces, and too wide, never too narrow, for a part of them.
What the ledger says is by time of receipt; where more traces were kept than it has records, they were
received at another time, and the rows' own probabilities are what is known.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from crucible_collector.api.aggregates import EventAggregate
from crucible_collector.api.answer import compact
from crucible_collector.api.intervals import (
    LARGER,
    TRACES_MIN,
    Interval,
    Part,
    Spread,
    interval_of_mean,
    interval_of_percentile,
    interval_of_ratio,
    interval_of_share,
    interval_of_sum,
    one_more,
)
from crucible_collector.store.read import Reads

# Exporters' batches, retries and the wait of a decision: so much later than it began a span is received.
LATE = timedelta(minutes=10)
PERCENTILES = {"p50_ms": 0.5, "p90_ms": 0.9, "p95_ms": 0.95, "p99_ms": 0.99, "p99_9_ms": 0.999}
_SUMS = ("duration_total_ms", "input_tokens", "output_tokens", "cost_usd")
_DIGITS = 12  # as crucible.significant

Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class InForce:
    """What the sampling ledger says about a period."""

    probability_min: float
    error_probability_min: float | None
    error_seen_count: int
    kept_count: int


Spreads = Callable[[list[Row]], Mapping[int, Spread]]


def in_force(reads: Reads, start: datetime | None, end: datetime | None) -> InForce | None:
    """None where no rule saw a span in that period."""
    asked = {"from_time": start, "to_time": end, "late": LATE}
    rows = reads.json_rows("sampling_in_force", **asked)
    return InForce(**json.loads(rows[0])) if rows else None


def is_sampled(row: str) -> bool:
    # In a text of the row's these quotes would have backslashes before them.
    return '"estimated":false' not in row


def completed(
    rows: Iterable[str],
    ask: Callable[[], InForce | None],
    *,
    status: str | None = None,
    spreads: Spreads | None = None,
) -> list[str]:
    """The rows with their intervals; `ask` and `spreads` are called where a row is sampled.

    `status`: the only one that was asked for. `spreads`: how durations lie, by place in the list that it
    is given.
    """
    made = list(rows)
    places = [place for place, row in enumerate(made) if is_sampled(row)]
    if not places:
        return made
    opened = [json.loads(made[place]) for place in places]
    force = ask()
    known = spreads(opened) if spreads else {}
    for number, (place, row) in enumerate(zip(places, opened, strict=True)):
        made[place] = compact(with_intervals(row, force, status=status, spread=known.get(number)))
    return made


def nothing_kept(force: InForce, status: str | None) -> str:
    """The row of a period without one, in which sampling was in force: there may have been some."""
    fields = EventAggregate.model_fields
    errors = [name for name in fields if name.endswith("_standard_error")]
    zero = ["count", "stored_count", "error_count", "duration_total_ms", *errors]
    row: Row = {**dict.fromkeys(fields), **dict.fromkeys(zero, 0)}
    sums: dict[str, list[float]] = {
        name: [0, 0, 0, 1] for name in ("count", "error_count", "other_count")
    }
    sums["duration_total_ms"] = [0, 0, 0, math.inf]
    row["estimated"] = {"probability_min": 1, "traces": 0, **sums}
    return compact(with_intervals(row, force, status=status))


def with_intervals(
    row: Row, force: InForce | None, *, status: str | None = None, spread: Spread | None = None
) -> Row:
    """A sampled row as it is given to a reader."""
    filling = _Filling(row, force, row.get("status") or status)
    filling.counts()
    if "error_rate" in row:
        filling.sums()
        filling.ratios(spread)
    for name, fraction in PERCENTILES.items():
        if spread is not None and row[name] is not None:
            row[f"{name}_interval"] = _given(interval_of_percentile(spread, fraction))
    row["estimated"] = True
    return row


class _Filling:
    """One sampled row on its way to a reader."""

    def __init__(self, row: Row, force: InForce | None, status: str | None) -> None:
        self._row, self._status = row, status
        self._told: Row = row["estimated"]
        self._is_reliable = self._told["traces"] >= TRACES_MIN
        row["interval_reliable"] = self._is_reliable
        own: float = self._told["probability_min"]
        self._least = own if force is None else min(own, force.probability_min)
        self._least_of_errors = self._of_errors(own, force)

    def _of_errors(self, own: float, force: InForce | None) -> float:
        """The smallest probability in force of any span with an error; 1 where there was none."""
        if self._status not in (None, "error"):
            return 1.0
        _, unseen, _, _ = self._told["error_count"]
        if force is None or force.kept_count < self._told["traces"]:
            return own
        if force.error_seen_count == 0 or force.error_probability_min is None:
            return own if unseen > 0 else 1.0
        return force.error_probability_min

    def _part(self, name: str) -> Part:
        kept, unseen, variance, largest = self._told[name]
        factor = 1.0 if name.endswith("_count") or name == "count" else LARGER
        return Part(kept, unseen, variance, largest * factor)

    def _interval(self, name: str) -> Interval:
        least = self._least
        if name == "error_count" or self._status == "error":
            least = self._least_of_errors
        part = self._part(name)
        return interval_of_sum(part, one_more(part, least, is_reliable=self._is_reliable))

    def counts(self) -> None:
        for name in ("count", "error_count"):
            self._row[f"{name}_interval"] = _given(self._interval(name).outwards())

    def sums(self) -> None:
        for name in _SUMS:
            if self._row[name] is not None:
                self._row[f"{name}_interval"] = _given(self._interval(name))

    def ratios(self, spread: Spread | None) -> None:
        row = self._row
        if row["error_rate"] is not None:
            row["error_rate_interval"] = _given(self._error_rate())
        if row["duration_mean_ms"] is not None:
            row["duration_mean_ms_interval"] = _given(self._mean(spread))

    def _error_rate(self) -> Interval:
        if self._status is not None:
            all_or_none = float(self._status == "error")
            return Interval(all_or_none, all_or_none)
        errors, others = self._part("error_count"), self._part("other_count")
        return interval_of_share(
            (errors.estimate, self._interval("error_count")),
            (others.estimate, self._interval("other_count")),
        )

    def _mean(self, spread: Spread | None) -> Interval:
        """By the sums alone; where more is known of durations, the narrower of both."""
        total, count = self._part("duration_total_ms"), self._part("count")
        found = interval_of_ratio(
            (total.estimate, self._interval("duration_total_ms")),
            (count.estimate, self._interval("count")),
        )
        if spread is None or not self._is_reliable:
            return found
        by_spread = interval_of_mean(spread, total.estimate / count.estimate, self._least)
        return min(found, by_spread, key=lambda each: each.high - each.low)


def _given(interval: Interval) -> list[float | None]:
    """To twelve significant digits, whole numbers without a point as PostgreSQL writes them.

    Null where nothing bounds it.
    """
    return [_written(end) if math.isfinite(end) else None for end in (interval.low, interval.high)]


def _written(number: float) -> float:
    rounded = float(f"{number:.{_DIGITS}g}")
    return int(rounded) if rounded.is_integer() else rounded
