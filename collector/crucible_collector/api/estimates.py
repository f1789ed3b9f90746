"""Aggregates of events that were sampled: what PostgreSQL leaves open in their rows is filled in here.

In a database that never had sampling rules a row of events that were all kept is text that passes through,
its intervals written by PostgreSQL (their ends are the number itself). In others `estimated` holds what its
sums are made of: such rows become Python, and the sampling ledger is asked, since others of the group may
have been dropped of which nothing is stored (see `in_force`).

Variances are exact for all spans of whole traces, and too wide, never too narrow, for a part of them.
What the ledger says is by time of receipt; where more traces were kept than it has records, they were
received at another time, and the rows' own probabilities are what is known.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, TypeAlias

from crucible_collector.api.aggregates import EventAggregate
from crucible_collector.api.answer import compact
from crucible_collector.api.in_force import LATE, Asked, InForce, Thinning, in_force
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

PERCENTILES = {"p50_ms": 0.5, "p90_ms": 0.9, "p95_ms": 0.95, "p99_ms": 0.99, "p99_9_ms": 0.999}
_SUMS = ("duration_total_ms", "input_tokens", "output_tokens", "cost_usd")
_DIGITS = 12  # as crucible.significant

Row: TypeAlias = dict[str, Any]
Spreads = Callable[[list[Row]], Mapping[int, Spread]]


class Guess:
    """Whether events were sampled, by the answer before: sums of variances cost as much as all others.

    A wrong guess costs a second look or sums of nothing, never a wrong answer; so any thread may change it.
    """

    def __init__(self) -> None:
        self._terms_are_wanted = False

    def right_after(self, ask: Callable[[bool], list[str]]) -> list[str]:
        """The rows, asked for with the terms of their variances where any of them is sampled."""
        rows = ask(self._terms_are_wanted)
        found = any(map(_is_sampled, rows))
        if found and not self._terms_are_wanted:
            rows = ask(True)
        self._terms_are_wanted = found
        return rows


# In a text of a row's these quotes would have backslashes before them.
def _is_open(row: str) -> bool:
    """Whether intervals are left to be written, or to be held against the ledger."""
    return '"estimated":false' not in row


def _is_sampled(row: str) -> bool:
    """Whether any of the row's events had p < 1."""
    return _is_open(row) and '"probability_min" : 1,' not in row


def completed(
    reads: Reads, rows: Iterable[str], asked: Asked, spreads: Spreads | None = None
) -> list[str]:
    """The rows with their intervals.

    `spreads`: how durations lie, by place in the list that it is given; called where rows are sampled.
    """
    made = list(rows)
    places = [place for place, row in enumerate(made) if _is_open(row)]
    if not places:
        return made
    opened = [json.loads(made[place]) for place in places]
    longest = max(map(_longest, opened))
    soon = in_force(reads, asked)
    later = in_force(reads, asked, longest) if longest > LATE else soon
    sampled = [row for row in opened if row["estimated"]["probability_min"] < 1]
    known = spreads(sampled) if spreads and sampled else {}
    spread_of = {id(row): known.get(number) for number, row in enumerate(sampled)}
    for place, row in zip(places, opened, strict=True):
        force = later if _longest(row) > LATE else soon
        with_intervals(row, force, asked, spread_of.get(id(row)))
        made[place] = compact(row)
    return made


def _longest(row: Row) -> timedelta:
    return timedelta(milliseconds=row.get("duration_max_ms") or 0)


def nothing_kept(reads: Reads, asked: Asked) -> list[str]:
    """The row of a period without one, in which sampling was in force: there may have been some."""
    force = in_force(reads, asked)
    thinning = force.on(asked.known)
    if thinning is None or thinning.least(asked.status) >= 1:
        return []
    fields = EventAggregate.model_fields
    errors = [name for name in fields if name.endswith("_standard_error")]
    zero = ["count", "stored_count", "error_count", "duration_total_ms", *errors]
    row: Row = {**dict.fromkeys(fields), **dict.fromkeys(zero, 0)}
    sums: dict[str, list[float]] = {
        name: [0, 0, 0, 1] for name in ("count", "error_count", "other_count")
    }
    sums["duration_total_ms"] = [0, 0, 0, math.inf]
    row["estimated"] = {"probability_min": 1, "traces": 0, **sums}
    return [compact(with_intervals(row, force, asked))]


def with_intervals(row: Row, force: InForce, asked: Asked, spread: Spread | None = None) -> Row:
    """A row as it is given to a reader, made of what PostgreSQL left open."""
    status, thinning = asked.status_of(row), force.on(asked.known_of(row))
    is_certain = row["estimated"]["probability_min"] >= 1
    if is_certain:
        _forget_what_lies_beside(row)
    if is_certain and (thinning is None or thinning.least(status) >= 1):
        row["estimated"] = False  # what PostgreSQL has written is all there is to say
        return row
    filling = _Filling(row, thinning, status)
    filling.counts()
    if "error_rate" in row:
        filling.sums()
        filling.ratios(spread)
        filling.percentiles(spread)
    row["estimated"] = True
    return row


def _forget_what_lies_beside(row: Row) -> None:
    """Rows that were kept for certain have no variance; what is told here is of the rest of a minute."""
    for name in row:
        if name.endswith("_standard_error"):
            row[name] = 0
    told = row["estimated"]
    told["traces"] = 0
    for sums in (each for each in told.values() if isinstance(each, list)):
        sums[2] = 0


class _Filling:
    """One sampled row on its way to a reader."""

    def __init__(self, row: Row, force: Thinning | None, status: str | None) -> None:
        self._row, self._status = row, status
        self._told: Row = row["estimated"]
        self._is_reliable = self._told["traces"] >= TRACES_MIN
        row["interval_reliable"] = self._is_reliable
        own: float = self._told["probability_min"]
        self._least = own if force is None else min(own, force.probability_min)
        self._least_of_errors = self._of_errors(own, force)
        # A trace that was not kept may have had as many spans as any: its sum is what is missing.
        self._trace_count_max = 1 if force is None else force.trace_count_max

    def _of_errors(self, own: float, force: Thinning | None) -> float:
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
        is_count = name.endswith("_count") or name == "count"
        factor = max(self._trace_count_max, 1.0 if is_count else LARGER)
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

    def percentiles(self, spread: Spread | None) -> None:
        """Of what was kept for certain, of which others were dropped, they may be anything."""
        for name, fraction in PERCENTILES.items():
            if self._row[name] is None:
                continue
            found = Interval(0.0, math.inf)
            if spread is not None:
                found = interval_of_percentile(spread, fraction, self._least)
            self._row[f"{name}_interval"] = _given(found)

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
