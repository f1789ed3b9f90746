"""The answers that the API gives, from sums: as they are, as they would have been, and how sure that is.

Intervals are those of the API (`api.intervals`), and so is how strictly events were sampled that nothing
is left of (`api.in_force`), so that what is said here of a setting is what a reader of its estimates would
have seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from crucible_collector.api.in_force import InForce, Known
from crucible_collector.api.intervals import (
    LARGER,
    TRACES_MIN,
    Interval,
    Part,
    Spread,
    Z,
    interval_of_mean,
    interval_of_percentile,
    interval_of_ratio,
    interval_of_sum,
    one_more,
)
from crucible_collector.batch import F64
from crucible_collector.enrich.partials import LN_GAMMA
from crucible_collector.simulate.report import Aggregate, EventOutcome
from crucible_collector.simulate.sums import (
    ALL,
    BUCKETS,
    MEASURES,
    OTHERS,
    OTHERS_NAME,
    Events,
    Sums,
)

PERCENTILES = {"p50_ms": 0.5, "p90_ms": 0.9, "p99_ms": 0.99}
EVENTS_SHOWN_MAX = 20
_NS_PER_MS = 1e6
_COUNT, _ERRORS, _DURATION, _INPUT, _OUTPUT, _COST = range(len(MEASURES))
_NUMBERS = (_COUNT, _ERRORS)
# Where only the rounding of a sum of weights is missing, a fraction is met.
_MET = 1 - 1e-12
# As much as sums of the same numbers in another order may differ.
_ROUNDING = 1e-9
# What stands for each bucket, as crucible.bucket_duration_ns has it; the first is of durations of 0.
_DURATIONS_MS = np.exp(np.arange(-1, BUCKETS - 1) * LN_GAMMA) * (2 / (1 + 1.01 / 0.99) / _NS_PER_MS)
_DURATIONS_MS[0] = 0.0


def outcomes(events: Events, sums: Sums, force: InForce) -> Iterator[EventOutcome]:
    """All events together, then the most frequent ones by what is stored of them.

    `force`: what the rules did that would have been in force.
    """
    if not sums.seen_count[ALL]:
        return
    names = {row: name for name, row in events.names.items()} | {OTHERS: OTHERS_NAME}
    frequent = sorted(
        (row for row in names if sums.seen_count[row]),
        key=lambda row: (-sums.stored[row, _COUNT], names[row]),
    )
    yield _outcome(None, sums, ALL, force)
    for row in frequent[:EVENTS_SHOWN_MAX]:
        yield _outcome(names[row], sums, row, force)


def _outcome(name: str | None, sums: Sums, row: int, force: InForce) -> EventOutcome:
    known: Known = {} if row in (ALL, OTHERS) else {"event": name}
    least = _least(sums.probability_min[row], force, known)
    thinning = force.on(known)
    most = 1 if thinning is None else thinning.trace_count_max
    is_reliable = least[0] >= 1 or sums.uncertain_traces[row] >= TRACES_MIN
    return EventOutcome(
        event=name,
        seen_count=int(sums.seen_count[row]),
        kept_count=int(sums.kept_count[row]),
        interval_reliable=bool(is_reliable),
        aggregates=tuple(_aggregates(_Row(sums, row, least, most, is_reliable=bool(is_reliable)))),
    )


def _least(seen: F64, force: InForce, known: Known) -> tuple[float, float]:
    """The smallest probability of any span and of one with an error: of those seen, and by the ledger."""
    of_all, of_errors = map(float, seen)
    thinning = force.on(known)
    if thinning is None:
        return of_all, of_errors
    return min(of_all, thinning.least(None)), min(of_errors, thinning.least("error"))


class _Row:
    """One row of the sums, and what the API would make of it."""

    def __init__(
        self, sums: Sums, row: int, least: tuple[float, float], most: int, *, is_reliable: bool
    ) -> None:
        """`least`: smallest p of any span and of one with an error; `most`: spans of one trace."""
        self._sums = sums
        self._row = row
        self.is_reliable = is_reliable
        self.probability_min, self._of_errors = least
        self._most = most

    def part(self, measure: int) -> Part:
        sums, at = self._sums, (self._row, measure)
        unseen = float(sums.estimate[at] - sums.kept[at])
        # Of certain rows the difference is 0 but for the rounding of two sums of the same numbers.
        if sums.variance[at] == 0 and abs(unseen) <= _ROUNDING * abs(sums.kept[at]):
            unseen = 0.0
        largest = (
            max(LARGER, self._most) * float(sums.largest[at])
            if sums.kept_count[self._row]
            else math.inf
        )
        return Part(
            kept=float(sums.kept[at]),
            unseen=unseen,
            variance=float(sums.variance[at]),
            largest=float(self._most) if measure in _NUMBERS else largest,
        )

    def stored(self, measure: int) -> float | None:
        is_told = self._sums.told[self._row, measure] > 0
        return float(self._sums.stored[self._row, measure]) if is_told else None

    def interval(self, measure: int) -> Interval:
        part = self.part(measure)
        least = self._of_errors if measure == _ERRORS else self.probability_min
        found = interval_of_sum(part, one_more(part, least, is_reliable=self.is_reliable))
        is_open = part.variance > 0 or least < 1
        return found.outwards() if measure in _NUMBERS and is_open else found

    def stored_percentile(self, fraction: float) -> float | None:
        return _percentile_of(self._sums.stored_buckets[self._row], fraction)

    def percentile(self, fraction: float) -> float | None:
        return _percentile_of(self._sums.buckets[self._row], fraction)

    def spread(self) -> Spread | None:
        """How durations lie; None where nothing was kept."""
        counts = self._sums.buckets[self._row]
        there = np.flatnonzero(counts > 0)
        if not len(there):
            return None
        variance = self._sums.bucket_variance[self._row, there]
        added, whole = float(variance.sum()), float(self._sums.variance[self._row, _COUNT])
        widening = max(whole / added, 1.0) if added > 0 else 1.0
        return Spread(_DURATIONS_MS[there], counts[there], variance, widening)


def _aggregates(row: _Row) -> Iterator[Aggregate]:
    yield _sum(row, "count", _COUNT)
    yield _sum(row, "error_count", _ERRORS)
    yield _sum(row, "duration_total_ms", _DURATION, 1 / _NS_PER_MS)
    yield _mean(row)
    for name, fraction in PERCENTILES.items():
        yield _percentile(row, name, fraction)
    yield _sum(row, "input_tokens", _INPUT)
    yield _sum(row, "output_tokens", _OUTPUT)
    yield _sum(row, "cost_usd", _COST)


def _sum(row: _Row, name: str, measure: int, unit: float = 1.0) -> Aggregate:
    stored, part = row.stored(measure), row.part(measure)
    if stored is None:
        return _compared(name, None, None, None, None)
    error = math.sqrt(part.variance) * unit
    estimate = part.estimate * unit
    return _compared(name, stored * unit, estimate, error, row.interval(measure).scaled(unit))


def _mean(row: _Row) -> Aggregate:
    name, count, total = "duration_mean_ms", row.part(_COUNT), row.part(_DURATION)
    stored = (row.stored(_DURATION) or 0.0) / (row.stored(_COUNT) or math.inf) / _NS_PER_MS
    spread = row.spread()
    if spread is None or count.estimate <= 0:
        return _compared(name, stored, None, None, None)
    mean = total.estimate / count.estimate / _NS_PER_MS
    if total.variance == count.variance == 0 and row.probability_min >= 1:
        return _compared(name, stored, mean, 0.0, Interval(mean, mean))
    interval = interval_of_ratio(
        (total.estimate, row.interval(_DURATION)), (count.estimate, row.interval(_COUNT))
    ).scaled(1 / _NS_PER_MS)
    if row.is_reliable:
        by_spread = interval_of_mean(spread, mean, row.probability_min)
        interval = min(interval, by_spread, key=lambda each: each.high - each.low)
    return _compared(name, stored, mean, _error(interval), interval)


def _percentile(row: _Row, name: str, fraction: float) -> Aggregate:
    stored, spread = row.stored_percentile(fraction), row.spread()
    estimate = row.percentile(fraction)
    if spread is None or estimate is None:
        return _compared(name, stored, None, None, None)
    interval = interval_of_percentile(spread, fraction, row.probability_min)
    return _compared(name, stored, estimate, _error(interval), interval)


def _error(interval: Interval) -> float | None:
    """What a normal interval of this width has as its standard error."""
    return (interval.high - interval.low) / (2 * Z) if math.isfinite(interval.high) else None


def _percentile_of(counts: F64, fraction: float) -> float | None:
    """The duration in ms that this share does not exceed, as crucible.duration_percentiles has it."""
    there = np.flatnonzero(counts > 0)
    if not len(there):
        return None
    below = np.cumsum(counts[there])
    return float(_DURATIONS_MS[there[np.argmax(below >= fraction * below[-1] * _MET)]])


def _compared(
    name: str,
    stored: float | None,
    estimate: float | None,
    error: float | None,
    interval: Interval | None,
) -> Aggregate:
    off: float | None = None
    if stored is not None and estimate is not None:
        off = 0.0 if estimate == stored else (estimate - stored) / abs(stored) if stored else None
    low = None if interval is None else interval.low
    high = interval.high if interval is not None and math.isfinite(interval.high) else None
    covers: bool | None = None
    if interval is not None and stored is not None:
        slack = _ROUNDING * abs(stored)
        covers = interval.low - slack <= stored <= interval.high + slack
    return Aggregate(
        name=name,
        stored=stored,
        estimate=estimate,
        relative_error=off,
        relative_standard_error=error / abs(estimate) if error is not None and estimate else None,
        low=low,
        high=high,
        covers=covers,
    )
