"""Which durations are slow for their event: a fading histogram of each, in buckets of 4.4 %.

A record is held against what came before it, and counted after. Where a quantile lies in a bucket, its
upper edge is taken: of values that are all alike none is slow, and never more of them than asked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from crucible_collector.batch import F64, I64
from crucible_collector.candidates import U64
from crucible_collector.sample.strategies.strata import Strata
from crucible_collector.sample.strategy import State

EVENTS_MAX = 1000  # 2.5 MB
SEEN_MIN = 100  # before that no quantile of an event is known
FADES_S = 300.0
_PER_OCTAVE = 16
_FIRST_OCTAVE = 8  # 256 ns; below and above everything is in the outermost buckets
_OCTAVES = 39  # up to 1.6 days
_BUCKETS = _PER_OCTAVE * _OCTAVES
_REFRESH_NS = 1_000_000_000
_NS = 1e9

_COLUMNS: dict[str, tuple[Any, ...]] = {
    "mass": (np.float32, 0.0, _BUCKETS),
    "slow_ns": (np.float64, np.inf),
    "weight": (np.float64, 0.0),
    "total": (np.float64, 0.0),  # of durations, ns
}


def bucket(duration_ns: I64) -> I64:
    """In which bucket a duration is."""
    octaves = np.log2(np.maximum(duration_ns, 1)) - _FIRST_OCTAVE
    found: I64 = np.clip((octaves * _PER_OCTAVE).astype(np.int64), 0, _BUCKETS - 1)
    return found


class Latencies:
    """Durations by event; `numbers` come from `number` of the same window."""

    def __init__(self, quantile: float) -> None:
        self._quantile = quantile
        self._events = Strata(_COLUMNS, EVENTS_MAX)
        self.slow_all_ns = float("inf")  # the quantile over all events
        self._refreshed_ns = -1
        self._fresh_mass = 0.0  # since then
        self._mass = 0.0

    def number(self, events: U64) -> I64:
        """The number of each record's event."""
        return self._events.numbers(events)

    def is_slow(self, numbers: I64, duration_ns: I64) -> Any:
        """Whether a duration is above the quantile of its event; never before that is known."""
        return duration_ns > self._events["slow_ns"][numbers]

    def mean_ns(self, numbers: I64) -> F64:
        """Mean duration of each record's event; 0 while none is known."""
        weight, total = self._events["weight"][numbers], self._events["total"][numbers]
        found: F64 = np.divide(total, weight, out=np.zeros(len(numbers)), where=weight > 0)
        return found

    @property
    def mean_all_ns(self) -> float:
        """Mean over all events; 0 while none is known."""
        weight = float(self._events["weight"].sum())
        return float(self._events["total"].sum()) / weight if weight else 0.0

    def count(self, numbers: I64, duration_ns: I64, now_ns: int) -> None:
        """Count these, and look where the quantiles are now and then."""
        mass = self._events["mass"].reshape(-1)
        np.add.at(mass, numbers * _BUCKETS + bucket(duration_ns), np.float32(1.0))
        np.add.at(self._events["weight"], numbers, 1.0)
        np.add.at(self._events["total"], numbers, np.maximum(duration_ns, 0).astype(np.float64))
        self._fresh_mass += len(numbers)
        if abs(now_ns - self._refreshed_ns) >= _REFRESH_NS or self._fresh_mass >= self._mass:
            self._refresh(now_ns)

    def _refresh(self, now_ns: int) -> None:
        events, known = self._events, np.flatnonzero(self._events.used)
        mass, weight = events["mass"][known], events["weight"][known]
        edge, total = self._edges(mass)
        events["slow_ns"][known] = edge
        self.slow_all_ns = float(self._edges(mass.sum(axis=0, keepdims=True))[0][0])
        if self._refreshed_ns >= 0 and now_ns > self._refreshed_ns:
            fades = np.exp(-(now_ns - self._refreshed_ns) / _NS / FADES_S)
            # A rare event keeps what it needs for a quantile.
            left = np.where(total * fades >= 2 * SEEN_MIN, fades, 1.0)
            events["mass"][known] = mass * left[:, None].astype(np.float32)
            events["weight"][known] = weight * left
            events["total"][known] *= left
        self._refreshed_ns = now_ns
        self._mass, self._fresh_mass = float(total.sum()), 0.0

    def _edges(self, mass: Any) -> tuple[F64, F64]:
        """The upper edges of the buckets in which the quantiles are, and the sums."""
        cumulated = np.cumsum(mass, axis=1, dtype=np.float64)
        total: F64 = cumulated[:, -1]
        place = (cumulated < self._quantile * total[:, None]).sum(axis=1)
        edge = np.exp2((place + 1) / _PER_OCTAVE + _FIRST_OCTAVE)
        edge[(total < SEEN_MIN) | (place >= _BUCKETS - 1)] = np.inf
        return edge, total

    def state(self) -> State:
        told = np.array([self._fresh_mass, self._mass, self.slow_all_ns])
        refreshed = np.array([self._refreshed_ns], np.int64)
        return {"told": told, "refreshed": refreshed, **self._events.state()}

    def restore(self, state: State) -> None:
        self._events.restore(state)
        told: Any = state["told"]
        refreshed: Any = state["refreshed"]
        self._fresh_mass, self._mass, self.slow_all_ns = told.tolist()
        self._refreshed_ns = int(refreshed[0])
