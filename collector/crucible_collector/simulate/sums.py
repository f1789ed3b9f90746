"""What is stored and what would be, by event: sums that grow window by window and take no more room.

Durations are counted in the logarithmic buckets that percentiles are answered from. Of the first
EVENTS_MAX events each has sums of its own; whatever comes after that shares one row.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from crucible_collector.batch import F64, I64, Bool
from crucible_collector.enrich.partials import LN_GAMMA

MEASURES = ("count", "error_count", "duration_ns", "input_tokens", "output_tokens", "cost_usd")
# As the columns of variance terms name them (see sample.variance).
TERMS = ("count", "error", "duration", "input_token", "output_token", "cost")
EVENTS_MAX = 256
ALL, OTHERS = 0, 1  # rows of the sums that are no single event's
OTHERS_NAME = "(other events)"
_ROWS = EVENTS_MAX + 2
# From bucket -1, which durations of 0 have, to that of the longest one that 64 bits can say.
BUCKETS = 2 + int(np.ceil(63 * np.log(2) / LN_GAMMA))


@dataclass(slots=True)
class Kept:
    """What the kept spans of a window say; arrays have one value a kept span."""

    at: I64  # which of the window's spans they are
    probability: F64  # the final one
    terms: dict[str, F64]  # by the columns of crucible.spans; empty where all are certain


@dataclass(slots=True)
class Seen:
    """The spans of a window; arrays have one value a span."""

    event: I64  # row of the sums
    values: F64  # (measures, spans); NaN where a span tells none
    bucket: I64
    stored_probability: F64
    probability: F64  # with which it would be kept

    @property
    def is_error(self) -> Bool:
        found: Bool = self.values[MEASURES.index("error_count")] > 0
        return found


def _by_measure() -> F64:
    return np.zeros((_ROWS, len(MEASURES)))


def _by_bucket() -> F64:
    return np.zeros((_ROWS, BUCKETS))


@dataclass(slots=True)
class Sums:
    """One row an event, and one for ALL of them; see `Events` for whose is which."""

    told: F64 = field(default_factory=_by_measure)  # how many of what is stored tell a value
    stored: F64 = field(default_factory=_by_measure)  # Σx/p of what is stored
    kept: F64 = field(default_factory=_by_measure)  # Σx of what would be kept
    estimate: F64 = field(default_factory=_by_measure)  # Σx/p of that
    variance: F64 = field(default_factory=_by_measure)  # Σ of the terms of its variance
    largest: F64 = field(default_factory=_by_measure)  # of what would be kept
    probability_min: F64 = field(default_factory=lambda: np.ones((_ROWS, 2)))  # of all, of errors
    uncertain_traces: F64 = field(default_factory=lambda: np.zeros(_ROWS))
    seen_count: F64 = field(default_factory=lambda: np.zeros(_ROWS))
    kept_count: F64 = field(default_factory=lambda: np.zeros(_ROWS))
    stored_buckets: F64 = field(default_factory=_by_bucket)
    buckets: F64 = field(default_factory=_by_bucket)
    bucket_variance: F64 = field(default_factory=_by_bucket)

    def add(self, seen: Seen, kept: Kept) -> None:
        """Add the spans of a window."""
        event = seen.event[kept.at]
        _add(self.seen_count, seen.event, 1)
        _add(self.kept_count, event, 1)
        for measure, values in enumerate(seen.values):
            is_told = ~np.isnan(values)
            _add(self.told[:, measure], seen.event, is_told.astype(np.float64))
            x = np.where(is_told, values, 0.0)
            _add(self.stored[:, measure], seen.event, x / seen.stored_probability)
            x = x[kept.at]
            _add(self.kept[:, measure], event, x)
            _add(self.estimate[:, measure], event, x / kept.probability)
            _most(self.largest[:, measure], event, x)
        self._add_least(seen)
        self._add_buckets(seen, kept)
        self._add_terms(event, kept.terms, seen.bucket[kept.at])

    def _add_least(self, seen: Seen) -> None:
        every = np.ones(len(seen.event), np.bool_)
        for which, rows in enumerate((every, seen.is_error)):
            least = self.probability_min[:, which]
            np.minimum.at(least, seen.event[rows], seen.probability[rows])
            least[ALL] = least.min()

    def _add_buckets(self, seen: Seen, kept: Kept) -> None:
        at, weight = kept.at, 1 / kept.probability
        _count(self.stored_buckets, seen.event, seen.bucket, 1 / seen.stored_probability)
        _count(self.buckets, seen.event[at], seen.bucket[at], weight)

    def _add_terms(self, event: I64, terms: dict[str, F64], bucket: I64) -> None:
        """Sums over all events have terms of their own, that pairs of different events are in."""
        for measure, name in enumerate(TERMS):
            if (of_event := terms.get(f"{name}_variance")) is not None:
                np.add.at(self.variance[:, measure], event, of_event)
            of_trace = terms.get(f"{name}_{'' if name == 'error' else 'trace_'}variance")
            if of_trace is not None:
                self.variance[ALL, measure] += of_trace.sum()
        if (of_bucket := terms.get("latency_variance")) is not None:
            _count(self.bucket_variance, event, bucket, of_bucket)
        if (of_event := terms.get("uncertain_event_traces")) is not None:
            np.add.at(self.uncertain_traces, event, of_event)
        if (of_trace := terms.get("uncertain_traces")) is not None:
            self.uncertain_traces[ALL] += of_trace.sum()


@dataclass(slots=True)
class Events:
    """Which row of the sums is whose."""

    names: dict[str, int] = field(default_factory=dict)

    def rows(self, codes: I64, names: list[str]) -> I64:
        """The rows of records, whose events are numbers of `names`."""
        found = np.array([self._row(name) for name in names], np.int64)
        return found[codes]

    def _row(self, name: str) -> int:
        row = self.names.get(name)
        if row is None:
            if len(self.names) >= EVENTS_MAX:
                return OTHERS
            row = self.names[name] = len(self.names) + 2
        return row


def _add(sums: F64, event: I64, x: F64 | float) -> None:
    """Add to the rows of the events, and to that of all of them."""
    weights = np.broadcast_to(np.asarray(x, np.float64), event.shape)
    added = np.bincount(event, weights, _ROWS)
    added[ALL] = added.sum()
    sums += added


def _count(grid: F64, event: I64, bucket: I64, weight: F64) -> None:
    np.add.at(grid, (event, bucket + 1), weight)
    np.add.at(grid[ALL], bucket + 1, weight)


def _most(largest: F64, event: I64, x: F64) -> None:
    np.maximum.at(largest, event, x)
    largest[ALL] = largest.max()
